"""Motion propagation as a tool: from an image and a few vectors to dense flow (Zhan et al. 2019, section 4.3)."""
