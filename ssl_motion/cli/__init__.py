"""The command `ssl-bench`: one file per verb, imported only when that verb is used.

Nothing here imports torch, so that help answers at once.
"""

import gc
import sys
from typing import Any

import click

from ssl_motion import __version__
from ssl_motion.cli.lazy import LazyGroup
from ssl_motion.errors import SSLMotionError, StoppedBySignal
from ssl_motion.parent import end_with_parent

VERBS = {
    "ablate": "Run a shipped ablation: guidance, strides, data, layers, ...",
    "animate": "Make a photograph move: guidance over time becomes a clip.",
    "annotate": "Cut an object out of an image by a few clicks: mask and COCO json.",
    "codebook": "Fit a codebook of flow vectors to a data set.",
    "doctor": "Check this machine: versions, operators, data, disk; each problem with its cure.",
    "ensemble": "Average what finished transfer runs predict, and record the result.",
    "import-weights": "Turn published weights (original CMP, torchvision, timm) into a backbone folder.",
    "list": "List methods, benchmarks, backbones, configs, flow estimators or runs.",
    "prepare": "Turn videos or existing flow into image-flow shards.",
    "pretrain": "Pretrain a backbone on image-flow pairs.",
    "propagate": "Predict an image's dense motion from a few arrows.",
    "puppets": "Render or preview the built-in synthetic world.",
    "report": "Write the leaderboard, the curves and other reports from the records.",
    "run": "Run a suite: pretraining and transfers over seeds, side by side.",
    "show": "Show one run: spec, figures, files.",
    "studio": "Propagate, animate and annotate in the browser.",
    "submit": "Put a finished run's record among those that are shared.",
    "transfer": "Fine-tune a backbone on a downstream task and record the result.",
    "validate": "Check records: format, identity, figures, repetitions.",
    "visualise": "Look into networks: embedding maps, kernel rows, neurons, principal components.",
}


class Verbs(LazyGroup):
    """The verbs; Ctrl-C in any of them, where it has no words of its own, leaves what is finished."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise StoppedBySignal(
                "stopped by Ctrl-C. What is finished is kept; the same command continues where it stopped"
            ) from None


@click.group(
    cls=Verbs,
    lines=VERBS,
    module="ssl_motion.cli.{}_verb",
    section="Verbs",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="ssl-bench")
def cli() -> None:
    """Which way of learning from motion gives the best image features?

    From a folder of videos to a leaderboard: prepare, pretrain, transfer, report.
    Everything runs on the built-in world when no data is named.
    """


def main() -> None:
    """Run the command line; known errors become one clear message and an exit code (1 failed, 2 wrong usage)."""
    end_with_parent()
    try:
        cli(prog_name="ssl-bench")
    except SSLMotionError as error:
        click.echo(f"ssl-bench: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        # Such as standard output on a full disk. What a verb expects to fail, it words better itself.
        click.echo(f"ssl-bench: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", err=True)
        sys.exit(1)
    finally:
        gc.freeze()  # else Python looks for cycles once more in all that is left, such as thousands of records
