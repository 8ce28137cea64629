"""Clips: finding them, decoding them frame by frame, and finding the frame pairs in them.

A clip is a video file or a folder of frames. What a container says about its
number of frames is never believed: `scan_clip` decodes a clip once, notes where
every frame lies and how much the picture jumps at it, and everything later (pairs, shards, restarts) rests on that.
No frame is kept longer than a pair needs it.
"""

from ssl_motion.video.clip import Clip, ClipError, Rejection
from ssl_motion.video.discover import Discovery, find_clips
from ssl_motion.video.pairs import PairRule, select_pairs
from ssl_motion.video.reader import read_pairs
from ssl_motion.video.rules import CutRule, StillRule, is_still
from ssl_motion.video.scan import ClipScan, scan_clip

__all__ = [
    "Clip",
    "ClipError",
    "ClipScan",
    "CutRule",
    "Discovery",
    "PairRule",
    "Rejection",
    "StillRule",
    "find_clips",
    "is_still",
    "read_pairs",
    "scan_clip",
    "select_pairs",
]
