"""`ssl-bench studio`: propagate, animate and annotate in the browser."""

from pathlib import Path
from typing import Any

import click

from ssl_motion.cli.application_options import application_options, open_predictor

PUPPETS = 12
"""Pictures of the built-in world that are shown where no folder is named."""

_SIDE = 256


@click.command("studio", short_help="Propagate, animate and annotate in the browser.")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--session",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where all that is done is kept [FOLDER/.ssl-motion-studio].",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="IP address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 for any [8765, or any if taken].")
@click.option("--open", "show", is_flag=True, help="Open the page in the default browser.")
@application_options
def command(folder: Path | None, session: Path | None, host: str, port: int | None, show: bool, **model: Any) -> None:
    """Open the pictures of FOLDER in the browser: draw arrows, click on objects, make clips.

    Without FOLDER, pictures of the built-in world are rendered into the folder `studio`. Everything is kept as it is
    done; start again with the same folder to go on. The page is served to this machine alone, to whoever has the URL
    that is printed. Ctrl-C stops it.

    \b
    ssl-bench studio photographs/
    """
    try:
        from ssl_motion.studio.server import checked_host, entrance, serve
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette", "uvicorn"):
            raise
        from ssl_motion.errors import UsageError

        raise UsageError(
            f"the studio needs {error.name}, which is not installed: pip install 'ssl-motion[studio]'"
        ) from None
    from ssl_motion.errors import UsageError

    checked_host(host)
    if folder is not None and not folder.is_dir():
        raise UsageError(f"no such folder: {folder}")
    predictor = open_predictor(**model)
    pictures = folder if folder is not None else _puppets(Path("studio"))
    kept = session or pictures / ".ssl-motion-studio"

    def ready(url: str) -> None:
        click.echo(
            f"The studio is at\n\n    {url}\n\nKeep this URL to yourself. Ctrl-C stops the server; nothing is lost."
        )
        if show:
            click.launch(str(entrance(kept, url).resolve()))

    kind = type(predictor.method).__name__
    words = f"{kind}, seen at {predictor.side} px, on {predictor.device}"
    serve(predictor, words, pictures, kept, host, port, ready)


def _puppets(folder: Path) -> Path:
    """Render pictures of the built-in world, where they are not there yet."""
    from ssl_motion.propagation.outputs import write_png
    from ssl_motion.puppets import render
    from ssl_motion.spec import PuppetsSpec

    for number in range(PUPPETS):
        path = folder / f"puppets_{number + 1:02d}.png"
        if not path.exists():
            write_png(path, render(PuppetsSpec(world="still", size=_SIDE), "test", number).sample.image)
    return folder
