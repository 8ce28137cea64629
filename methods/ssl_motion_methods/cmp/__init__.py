"""Conditional motion propagation (CMP): features from completing sparse motion. See README.md beside this file."""

from ssl_motion_methods.cmp.bins import FlowBins
from ssl_motion_methods.cmp.config import CMPConfig, CMPNetworkConfig
from ssl_motion_methods.cmp.method import CMP
from ssl_motion_methods.cmp.network import CMPNetwork
from ssl_motion_methods.cmp.original import load_original

__all__ = ["CMP", "CMPConfig", "CMPNetwork", "CMPNetworkConfig", "FlowBins", "load_original"]
