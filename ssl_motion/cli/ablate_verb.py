"""`ssl-bench ablate`: the shipped suites that vary one thing, by what they vary."""

from typing import Any

import click

from ssl_motion.cli.run_verb import run_suite, suite_options


@click.command("ablate", short_help="Run a shipped ablation.")
@click.argument("what", required=False)
@click.option(
    "--scale",
    type=click.Choice(["puppets", "paper"]),
    default="puppets",
    show_default=True,
    help="The built-in world, minutes on a laptop; or the papers' data and configurations, which want GPUs.",
)
@suite_options
def command(what: str | None, scale: str, **options: Any) -> None:
    """Run the ablation WHAT: guidance, strides, data, layers, ... Without it, list them.

    The same as `ssl-bench run ablation_WHAT_SCALE`; that suite's file in configs/suites says what is varied, and what
    it costs.
    """
    from ssl_motion.errors import UsageError
    from ssl_motion.listing import list_configs
    from ssl_motion.plugins import did_you_mean

    head, tail = "ablation_", f"_{scale}"
    known = {
        row["name"].removeprefix(head).removesuffix(tail): row["description"]
        for row in list_configs()
        if row["kind"] == "suites" and row["name"].startswith(head) and row["name"].endswith(tail)
    }
    if what is None:
        width = max(map(len, known), default=0)
        for name, description in known.items():
            click.echo(f"{name:<{width}}  {description}")
        return
    if what not in known:
        raise UsageError(f"no ablation {what!r}.{did_you_mean(what, list(known))} There are: {', '.join(known)}")
    run_suite(f"{head}{what}{tail}", **options)
