"""Masks of what moves on its own, from the flow of one pair: the pseudo ground truth of Pathak et al. (CVPR 2017).

Background motion -> saliency -> regions -> consensus voting -> trimap -> pruning. `docs/masks.md` says what is as in
their released code (github.com/pathak22/videoseg, called uNLC here) and what is not, with measured figures.
"""

from ssl_motion.masks.generator import MASK_VERSION, MaskResult, Votes, make_mask, motion_votes
from ssl_motion.masks.settings import MaskSettings

__all__ = ["MASK_VERSION", "MaskResult", "MaskSettings", "Votes", "make_mask", "motion_votes"]
