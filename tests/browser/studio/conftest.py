"""A studio that runs for the tests of its page, and pages that complain about nothing."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

TESTS = Path(__file__).parents[2]
PICTURES = tuple(f"p{number:02d}.png" for number in range(24))


class Server:
    """A studio's server in a process of its own, which may be killed and started again."""

    def __init__(self, folder: Path, session: Path, weights: Path | None = None) -> None:
        self.folder, self.session, self.weights = folder, session, weights
        self.port = 0
        self.start()

    def start(self) -> None:
        script = [sys.executable, str(TESTS / "studio_server.py"), str(self.folder), str(self.session), str(self.port)]
        self.process = subprocess.Popen(
            [*script, *([str(self.weights)] if self.weights else [])], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url, "the server did not start"
        self.port = urlsplit(self.url).port or 0
        self.root = f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def document(self, name: str) -> dict:
        """What is kept of a picture."""
        (path,) = (path for path in (self.session / "documents").iterdir() if path.name.startswith(f"{name}-"))
        return json.loads(path.read_text())["document"]


class Canvas:
    """The page's canvas, in pixels of the picture."""

    def __init__(self, page) -> None:
        self.page = page
        self.canvas = page.locator("#canvas")

    def place(self, x: float, y: float) -> tuple[float, float]:
        box = self.canvas.bounding_box()
        scale, left, top = (float(self.canvas.get_attribute(f"data-{name}")) for name in ("scale", "left", "top"))
        return box["x"] + (x + 0.5) * scale + left, box["y"] + (y + 0.5) * scale + top

    def drag(self, start, end, release: bool = True) -> None:
        self.page.mouse.move(*self.place(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(*end), steps=6)
        if release:
            self.page.mouse.up()

    def click(self, x: float, y: float, button: str = "left") -> None:
        self.page.mouse.click(*self.place(x, y), button=button)

    def colour(self, x: float, y: float) -> list[int]:
        """Colour of the canvas at a pixel of the picture, once it is painted."""
        return self.page.evaluate(
            """([x, y]) => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
                const canvas = document.getElementById("canvas"), {scale, left, top} = canvas.dataset;
                const at = (value, from) => Math.round(((value + 0.5) * scale + Number(from)) * devicePixelRatio);
                const copy = new OffscreenCanvas(1, 1).getContext("2d");
                copy.drawImage(canvas, -at(x, left), -at(y, top));
                done([...copy.getImageData(0, 0, 1, 1).data.slice(0, 3)]);
            })))""",
            [x, y],
        )

    def flows(self) -> int:
        return int(self.canvas.get_attribute("data-flow") or 0)

    def wait_for_flow(self, after: int) -> None:
        self.page.wait_for_function("n => Number(document.getElementById('canvas').dataset.flow ?? 0) > n", arg=after)

    def wait_for_text(self, selector: str, text: str) -> None:
        self.page.locator(selector, has_text=text).first.wait_for()


@pytest.fixture(scope="module")
def studio_server():
    """Start studios: (folder, session[, weights]) -> `Server`."""
    pytest.importorskip("fastapi", reason="needs the extra `studio`")
    servers = []

    def start(*arguments: Path) -> Server:
        servers.append(Server(*arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def studio(tmp_path_factory, studio_server):
    """A studio with a planted model and pictures p00.png, p01.png, ..."""
    parts = runpy.run_path(str(TESTS / "studio_session.py"))
    home = tmp_path_factory.mktemp("studio")
    return studio_server(parts["make_folder"](home / "pictures", PICTURES), home / "session")


@pytest.fixture
def open_studio(watched_page):
    """Open a studio's page, which asks its own server alone."""

    def open_(server: Server, picture: str, quiet: bool = True, context=None, **options):
        options = {"viewport": {"width": 1280, "height": 860}, "accept_downloads": True, **options}
        # A page that is left, and one that asks anew, give up what they asked before.
        page = watched_page(server.root, "blob:", context=context, quiet=quiet, ignore="ERR_ABORTED", **options)
        page.set_default_timeout(60_000)
        page.goto(f"{server.url}#{quote(picture)}")
        page.wait_for_selector("body[data-ready]")
        assert page.url == f"{server.root}/#{quote(picture)}"  # the token is gone from the address
        return page, Canvas(page)

    return open_
