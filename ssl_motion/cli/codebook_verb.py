"""`ssl-bench codebook`: flow vectors that stand for all flow of a data set."""

from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.common_options import json_option

if TYPE_CHECKING:
    from ssl_motion.flow.codebook import Codebook
    from ssl_motion.prepare.codebooks import CodebookPlan


@click.command("codebook", short_help="Fit a codebook of flow vectors to a data set.")
@click.argument("pairs", nargs=-1, required=True, type=click.Path())
@click.option("--out", required=True, type=click.Path(), metavar="FILE", help="JSON file; its picture goes beside it.")
@click.option("--clusters", type=int, help="Number of vectors [40].")
@click.option("--frame-side", type=int, help="Shorter side of the frames that flow is brought to, in pixels [195].")
@click.option("--max-pairs", type=int, help="Pairs to read at most, spread evenly over the data [1000].")
@click.option("--pixels", type=int, help="Random pixels of each pair [500].")
@click.option("--restarts", type=int, help="Starts of k-means; the best is kept [3].")
@click.option("--seed", type=int, help="Seed of pixels and starts [0].")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@json_option()
def command(pairs: tuple[str, ...], out: str, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Fit a codebook by k-means to the training flow of the data sets PAIRS (folders of `ssl-bench prepare`).

    Methods that predict flow by classification use it (walker2015: --set method_config.codebook=FILE; without one it
    fits its own when a run starts). It belongs to the data it was fitted to; runs on others refuse it.

    \b
    ssl-bench codebook data/mine --out codebook.json
    ssl-bench pretrain --method walker2015 --data data/mine --set method_config.codebook=codebook.json
    """
    from pathlib import Path

    from ssl_motion.flow.codebook import CodebookSettings
    from ssl_motion.prepare.codebooks import make_codebook, plan_codebook
    from ssl_motion.spec_text import parse_spec

    names = {"max_pairs": "pairs"}
    given = {names.get(key, key): value for key, value in options.items() if value is not None}
    plan = plan_codebook(pairs, parse_spec(CodebookSettings, given, "codebook"), Path(out))
    if dry_run:
        _print_plan(plan, as_json)
        return
    _print_result(plan, make_codebook(plan), pairs, as_json)


def _print_plan(plan: "CodebookPlan", as_json: bool) -> None:
    content = {
        "path": str(plan.out),
        "picture": str(plan.picture),
        "cached": plan.existing is not None,
        "data": {"name": plan.name, "fingerprints": list(plan.data), "pairs": plan.of, "pairs_to_read": plan.pairs},
        "settings": plan.settings.model_dump(mode="json"),
    }
    if as_json:
        import json

        click.echo(json.dumps(content, indent=2))
        return
    state = "is there already" if plan.existing is not None else "would be fitted"
    click.echo(f"{plan.out} {state}: {plan.settings.clusters} vectors from {plan.pairs} of {plan.of} training pairs")
    click.echo(f"data      {plan.name}, fingerprint {' or '.join(plan.data)}")
    for key, value in plan.settings.model_dump(mode="json").items():
        click.echo(f"  {key:<12}{value}")


def _print_result(plan: "CodebookPlan", codebook: "Codebook", pairs: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        import json

        outcome = {"path": str(plan.out), "picture": str(plan.picture), "cached": plan.existing is not None}
        click.echo(json.dumps({**outcome, "codebook": codebook.model_dump(mode="json")}))
        return
    speeds = sorted(float((u * u + v * v) ** 0.5) for u, v in codebook.vectors)
    side = codebook.settings.frame_side
    state = "was there already" if plan.existing is not None else f"fitted to {codebook.pairs} of {plan.of} pairs"
    click.echo(f"{plan.out}: {len(speeds)} flow vectors of {plan.name}, {state}")
    click.echo(f"  speeds, px of a frame with a shorter side of {side}: {speeds[0]:.2f} to {speeds[-1]:.2f}")
    click.echo(f"  root of the mean squared error: {codebook.error**0.5:.3f} px")
    click.echo(f"  shares of the pixels: {100 * min(codebook.shares):.2f} to {100 * max(codebook.shares):.2f} %")
    click.echo("  most frequent:")
    for share, (u, v) in sorted(zip(codebook.shares, codebook.vectors, strict=True), reverse=True)[:5]:
        click.echo(f"    {100 * share:6.2f} %  ({u:+.2f}, {v:+.2f})")
    click.echo(f"Drawn to {plan.picture}")
    data = " ".join(f"--data {folder}" for folder in pairs)
    click.echo(f"next: ssl-bench pretrain --method walker2015 {data} --set method_config.codebook={plan.out}")
