"""A codebook of flow vectors as a file, made from finished data sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ssl_motion import puppets
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet, joined_fingerprint
from ssl_motion.errors import UsageError
from ssl_motion.flow.codebook import Codebook, CodebookSettings, fit_codebook, load_codebook, save_codebook
from ssl_motion.spec import PuppetsSpec


@dataclass(frozen=True)
class CodebookPlan:
    """A codebook that is there, or would be made.

    Attributes:
        out: its file.
        picture: the file of its picture, beside it.
        folders: the data sets.
        name: of the data.
        data: fingerprints of the data.
        pairs: training pairs that would be read.
        of: training pairs there are.
        settings: how it is fitted.
        existing: what is in `out` already, if it is this codebook.
    """

    out: Path
    picture: Path
    folders: tuple[Path, ...]
    name: str
    data: tuple[str, ...]
    pairs: int
    of: int
    settings: CodebookSettings
    existing: Codebook | None


def plan_codebook(folders: Sequence[str | Path], settings: CodebookSettings, out: Path) -> CodebookPlan:
    """Work out what a codebook amounts to, without reading a pair.

    Raises:
        UsageError: A folder holds no finished data set, there are no training pairs, or `out` holds something else.
        DataError: A shard index is damaged.
    """
    if out.suffix == ".png":
        raise UsageError(f"{out}: the codebook is JSON, and its picture goes beside it as .png; name it FILE.json")
    sets = [ShardSet(folder) for folder in folders]
    data, of = fingerprints(sets), len(ShardPairs([each.folder for each in sets], "train"))
    existing = None
    if out.exists():
        existing = load_codebook(out)
        if (existing.settings, existing.data) != (settings, data):
            raise UsageError(f"{out} holds the codebook of other data or settings; remove it, or name another file")
    return CodebookPlan(
        out=out,
        picture=out.with_suffix(".png"),
        folders=tuple(each.folder for each in sets),
        name="+".join(str(each.info["name"]) for each in sets),
        data=data,
        pairs=min(settings.pairs, of),
        of=of,
        settings=settings,
        existing=existing,
    )


def make_codebook(plan: CodebookPlan) -> Codebook:
    """Fit the codebook and write it and its picture, where it is not there yet.

    Raises:
        DataError: A pair is bad, or too little moves.
        RunError: A file cannot be written.
    """
    from ssl_motion.flow.codebook_picture import draw_codebook

    codebook = plan.existing
    if codebook is None:
        codebook = fit_codebook(ShardPairs(plan.folders, "train"), plan.settings, plan.data)
        save_codebook(plan.out, codebook)
    if plan.existing is None or not plan.picture.is_file():
        draw_codebook(codebook, plan.picture, title=plan.name)
    return codebook


def fingerprints(sets: Sequence[ShardSet]) -> tuple[str, ...]:
    """Name the data as runs do that read the shards, and as those do that name the built-in world."""
    joined = joined_fingerprint(sets)
    rendered = sets[0].info["extra"].get("puppets") if len(sets) == 1 else None
    if rendered is None:
        return (joined,)
    spec = PuppetsSpec.model_validate(rendered)
    if sets[0].info["extra"].get("puppets_fingerprint") != puppets.fingerprint(spec):
        return (joined,)  # rendered by another version of the generator
    return (joined, puppets.fingerprint(spec, ("pairs", "val_pairs")))
