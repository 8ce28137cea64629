"""Importing this registers mmdet's parts and ours; recipes name it under `custom_imports`."""

from ssl_motion.openmmlab.libraries import use_mmdet

use_mmdet()
