"""From videos, or from flow that people already have, to a data set of image-flow pairs.

`prepare` and `import_flow` write tar shards (`ssl_motion.data.shards`) with an index and a fingerprint; `describe`
says beforehand what would be done; `statistics` looks at what came out.

A data set's folder holds the shards, `index.json` (written last), `clips.jsonl` (what became of each clip),
`rejected.jsonl` (what was not used, and why), `prepare.json` (the settings) and `work/` (scans and one report per
shard: what a restart builds on; may be deleted once the data set is finished).
"""

from ssl_motion.prepare.imports import ImportSource, import_flow
from ssl_motion.prepare.pipeline import PrepareResult
from ssl_motion.prepare.spec import ImportSpec, PrepareSpec
from ssl_motion.prepare.statistics import statistics
from ssl_motion.prepare.videos import describe, prepare

__all__ = [
    "ImportSource",
    "ImportSpec",
    "PrepareResult",
    "PrepareSpec",
    "describe",
    "import_flow",
    "prepare",
    "statistics",
]
