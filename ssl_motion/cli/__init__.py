"""The command `ssl-bench`: one file per verb, imported only when that verb is used.

Nothing here imports torch, so that help answers at once.
"""

import sys
from importlib import import_module

import click

from ssl_motion import __version__
from ssl_motion.errors import SSLMotionError

VERBS = {
    "codebook": "Fit a codebook of flow vectors to a data set.",
    "doctor": "Check this machine: versions, operators, data, disk; each problem with its cure.",
    "ensemble": "Average what finished transfer runs predict, and record the result.",
    "import-weights": "Turn published weights (original CMP, torchvision, timm) into a backbone folder.",
    "list": "List methods, benchmarks, backbones, configs, flow estimators or runs.",
    "prepare": "Turn videos or existing flow into image-flow shards.",
    "pretrain": "Pretrain a backbone on image-flow pairs.",
    "puppets": "Render or preview the built-in synthetic world.",
    "report": "Write the leaderboard from the records.",
    "run": "Run a suite: pretraining and transfers over seeds, side by side.",
    "show": "Show one run: spec, figures, files.",
    "submit": "Put a finished run's record among those that are shared.",
    "transfer": "Fine-tune a backbone on a downstream task and record the result.",
    "validate": "Check records: format, identity, figures, repetitions.",
}


class LazyVerbs(click.Group):
    """A group whose subcommands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one verb."""
        if name not in VERBS:
            return None
        module = import_module(f"ssl_motion.cli.{name.replace('-', '_')}_verb")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; a near miss names the verb that was probably meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], list(VERBS), n=1)
            raise click.UsageError(error.message + (f" Did you mean {near[0]!r}?" if near else ""), ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="ssl-bench")
def cli() -> None:
    """Which way of learning from motion gives the best image features?

    From a folder of videos to a leaderboard: prepare, pretrain, transfer, report.
    Everything runs on the built-in world when no data is named.
    """


def main() -> None:
    """Run the command line; known errors become one clear message and an exit code (1 failed, 2 wrong usage)."""
    try:
        cli(prog_name="ssl-bench")
    except SSLMotionError as error:
        click.echo(f"ssl-bench: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        # Such as standard output on a full disk. What a verb expects to fail, it words better itself.
        click.echo(f"ssl-bench: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", err=True)
        sys.exit(1)
