"""From a pair to its mask: the steps in order, the trimap, and which masks are dropped and why."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import UNKNOWN_LABEL, BoolArray, FlowSample, UInt8Array
from ssl_motion.flow.background import fit_background
from ssl_motion.masks.consensus import NEIGHBOURS, neighbour_weights, vote, without_small_blobs
from ssl_motion.masks.regions import Regions, find_regions
from ssl_motion.masks.saliency import Saliency, residual_saliency, unlc_saliency
from ssl_motion.masks.settings import MaskSettings

MASK_VERSION = 1
"""Raised whenever a mask may change."""

NO_FLOW = "no valid flow"
NO_BACKGROUND = "no dominant background motion"
TOO_LITTLE = "too little foreground"
TOO_MUCH = "too much foreground"
AT_THE_BORDER = "foreground at the border"


@dataclass(frozen=True)
class MaskResult:
    """A mask.

    Attributes:
        layer: uint8 [H, W]: 1 moves on its own, 0 does not, 255 is ignored. All ignored where nothing could be told.
        facts: "kept", "reason" (empty where kept), "background" (the model), and as far as the mask got: "inliers"
            and "scale" of the background fit (not by uNLC's rule), "foreground", "border" and "ignored", as shares of
            the image and of its border band.
    """

    layer: UInt8Array
    facts: dict[str, float | bool | str]


@dataclass(frozen=True)
class Votes:
    """What the regions voted.

    Attributes:
        map: float64 [H, W] in 0..1: the vote of each pixel's region; None where there is no background to vote against.
        reason: why there is none; else empty.
        facts: "inliers" and "scale", as in `MaskResult`.
    """

    map: npt.NDArray[np.float64] | None
    reason: str
    facts: dict[str, float | bool | str]


def make_mask(sample: FlowSample, settings: MaskSettings) -> MaskResult:
    """Make the mask of a pair.

    Args:
        sample: an image and its flow.
        settings: how.

    Raises:
        DataError: The sample breaks its convention, by NaN in its flow for instance; the message names the clip.
    """
    votes = motion_votes(sample.checked(), settings)
    facts: dict[str, float | bool | str] = {"kept": False, "background": settings.background, **votes.facts}
    if votes.map is None:
        layer = np.full(sample.size, UNKNOWN_LABEL, np.uint8)
        return MaskResult(layer, {**facts, "reason": votes.reason})
    layer = trimap(votes.map, settings)
    foreground, border = float((layer == 1).mean()), float((layer == 1)[border_band(sample.size, settings)].mean())
    reason = ""
    if foreground < settings.min_foreground:
        reason = TOO_LITTLE
    elif foreground > settings.max_foreground:
        reason = TOO_MUCH
    elif border > settings.max_border:
        reason = AT_THE_BORDER
    ignored = float((layer == UNKNOWN_LABEL).mean())
    shares = {"foreground": foreground, "border": border, "ignored": ignored}
    return MaskResult(layer, {**facts, **shares, "kept": not reason, "reason": reason})


def motion_votes(sample: FlowSample, settings: MaskSettings) -> Votes:
    """Vote on what moves on its own in a (checked) pair."""
    if not sample.valid.any():
        return Votes(None, NO_FLOW, {})
    saliency, facts = _saliency(sample, settings)
    if saliency is None:
        return Votes(None, NO_BACKGROUND, facts)
    regions = find_regions(sample.image, saliency, sample.valid, settings.cells)
    pixels = consensus(regions, saliency.relative)[regions.labels]
    return Votes(without_small_blobs(pixels, settings.foreground_vote), "", facts)


def _saliency(sample: FlowSample, settings: MaskSettings) -> tuple[Saliency | None, dict[str, float | bool | str]]:
    if settings.background == "translate":
        return unlc_saliency(sample.flow, sample.valid), {}
    fit = fit_background(sample.flow, sample.valid, settings.background)
    facts: dict[str, float | bool | str] = {"inliers": fit.inliers, "scale": fit.scale}
    if fit.inliers == 0 or fit.inliers < settings.min_inliers or fit.scale > settings.max_scale * max(sample.size):
        return None, facts
    return residual_saliency(sample.flow, sample.valid, fit), facts


def consensus(regions: Regions, relative: bool) -> npt.NDArray[np.float64]:
    """Vote of every region, float64 [N] in 0..1.

    The largest vote is 1 where saliency is relative, as in uNLC. Else it stays what it was at first: otherwise the
    faintest noise would become an object where nothing moves.

    Regions without valid flow have no vote of their own; afterwards they get the one of the known regions that they
    lie close to and look like.
    """
    known = regions.known
    number, weights = neighbour_weights(regions.descriptors[known], regions.descriptors[known], NEIGHBOURS + 1)
    votes = np.zeros(len(known))
    initial = regions.saliency[known]
    votes[known] = vote(initial, number, weights, 1.0 if relative else float(initial.max()))
    if not known.all():
        number, weights = neighbour_weights(regions.looks[known], regions.looks[~known], NEIGHBOURS)
        votes[~known] = (weights * votes[known][number]).sum(axis=1)
    return votes


def trimap(votes_HW: npt.NDArray[np.float64], settings: MaskSettings) -> UInt8Array:
    """Foreground (1), background (0) and ignored (255) by the votes, uint8 [H, W]."""
    layer = np.full(votes_HW.shape, UNKNOWN_LABEL, np.uint8)
    layer[votes_HW >= settings.foreground_vote] = 1
    layer[votes_HW <= settings.background_vote] = 0
    return layer


def border_band(size: tuple[int, int], settings: MaskSettings) -> BoolArray:
    """The band along the border, bool [H, W]; at least one pixel wide."""
    width = max(1, round(settings.border * min(size)))
    band = np.ones(size, np.bool_)
    band[width:-width, width:-width] = False
    return band
