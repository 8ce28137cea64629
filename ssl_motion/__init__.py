"""ssl-motion: which way of learning from motion gives the best image features?

This package is the harness. It knows the shapes of what can be plugged in
(`ssl_motion.protocols`), never a method or a benchmark by name.
"""

__version__ = "0.1.0"
