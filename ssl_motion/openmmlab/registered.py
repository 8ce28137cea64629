"""Importing this registers mmseg's parts and ours; recipes name it under `custom_imports`."""

from ssl_motion.openmmlab.libraries import use_mmseg

use_mmseg()
