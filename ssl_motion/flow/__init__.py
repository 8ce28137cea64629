"""Optical flow: file formats, colours, warping, estimators and error measures."""
