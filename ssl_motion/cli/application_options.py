"""Options that all applications of a trained model share (`ssl-bench propagate`, `animate`, ...)."""

from typing import TYPE_CHECKING

import click

from ssl_motion.cli.common_options import device_option, option_group, runs_option

if TYPE_CHECKING:
    from ssl_motion.propagation.predictor import MotionPredictor

application_options = option_group(
    click.option(
        "--weights",
        metavar="RUN|FILE",
        help="A finished pretraining run, a folder of `import-weights --full`, or a file of CMP's authors "
        "[the quickstart's model].",
    ),
    runs_option,
    device_option,
    click.option(
        "--size",
        type=click.IntRange(16, 4096),
        metavar="PIXELS",
        help="Shorter side of images as the network sees them [that of its training images].",
    ),
)
"""Options of a command, which gets `weights`, `runs_folder`, `device` and `size`."""

force_option = click.option(
    "--force", is_flag=True, help="Replace files there that have the names of those written; never what is read."
)


def open_predictor(weights: str | None, runs_folder: str | None, device: str, size: int | None) -> "MotionPredictor":
    """Load the model that the options name, or that of the quickstart, with a line on standard error that says so.

    Raises:
        UsageError: There is no such model, it predicts no flow, or CUDA is asked for and not there.
        DataError: Its file is damaged.
    """
    from ssl_motion.paths import runs_root
    from ssl_motion.propagation.predictor import MotionPredictor
    from ssl_motion.store import Store
    from ssl_motion.whole_models import find_whole_model, load_whole_model, quickstart_model

    store = Store(runs_root(runs_folder))
    path = find_whole_model(weights, store) if weights is not None else quickstart_model(store)
    predictor = MotionPredictor.of(load_whole_model(path), device, size)
    if weights is None:
        click.echo(f"No --weights given: this is the model of `make quickstart` ({path}).", err=True)
    return predictor
