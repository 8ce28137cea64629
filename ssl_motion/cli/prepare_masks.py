"""`ssl-bench prepare --masks`: motion masks for the pairs of a finished data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ssl_motion.prepare.layers import LayerResult


def run(options: Mapping[str, Any], processes: int) -> None:
    """Make the masks, or with --dry-run say what would be done, and print the outcome.

    Args:
        options: of the verb.
        processes: worker processes.

    Raises:
        UsageError: An option of another mode, a wrong setting, or masks made with other settings are there.
    """
    from ssl_motion.data.layers import MASKS
    from ssl_motion.prepare.layers import describe_layer, make_layer
    from ssl_motion.spec_text import apply_overrides, parse_assignments

    content: dict[str, Any] = {} if options["background"] is None else {"background": options["background"]}
    settings = apply_overrides(content, parse_assignments(options["overrides"]))
    folder = Path(options["masks_folder"])
    if options["dry_run"]:
        _print_plan(describe_layer(folder, MASKS, settings), options["as_json"])
        return
    result = make_layer(folder, MASKS, settings, processes=processes)
    _print_result(result, options["as_json"])


def _print_plan(plan: dict[str, Any], as_json: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps(plan, indent=2))
        return
    state = "finished already" if plan["cached"] else "begun; would continue" if plan["started"] else "new"
    click.echo(f"{plan['out']}: masks: {state}. {plan['pairs_to_do']} of {plan['pairs']} pairs to do")
    for key, value in plan["settings"].items():
        click.echo(f"  {key:<20} {value}")


def _print_result(result: "LayerResult", as_json: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps(result.as_json()))
        return
    state = "were there already" if result.cached else f"{result.made} shards made, {result.reused} there already"
    click.echo(
        f"{result.folder}: masks of {sum(result.pairs.values())} pairs ({state}). Fingerprint {result.fingerprint}"
    )
    for line in counts(result.pairs, result.kept, result.dropped):
        click.echo(f"  {line}")
    if not result.kept["train"]:
        click.echo("Note: no train pair is kept: nothing can be learned from these masks.")
    elif result.pairs["val"] and not result.kept["val"]:
        click.echo("Note: no val pair is kept: training with these masks goes without validation.")
    click.echo(f"Look at the data: ssl-bench prepare --stats {result.folder}")


def counts(pairs: Mapping[str, int], kept: Mapping[str, int], dropped: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Word what was kept and dropped: one line a split that holds pairs."""
    lines = []
    for split, total in pairs.items():
        if total:
            reasons = ", ".join(f"{reason} {count}" for reason, count in dropped[split].items())
            lines.append(f"{split}: {kept[split]} of {total} pairs kept" + (f"; dropped: {reasons}" if reasons else ""))
    return lines
