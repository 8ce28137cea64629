"""Annotating objects by clicks: what moves with the clicked points is the object (Zhan et al. 2019, section 4.3)."""
