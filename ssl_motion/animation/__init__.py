"""Photographs that move: guidance over time, flow of each moment, frames warped from the original image."""
