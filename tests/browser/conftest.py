"""A site with two worlds, a hostile name and published rows, and the browser that opens its pages."""

import json
import os
import runpy
import shutil
from pathlib import Path

import pytest
from PIL import Image

from ssl_motion.identity import digest
from ssl_motion.record import MetricValue, Pretraining, Provenance, Reported, Reproduced, ResultRecord
from ssl_motion_reports.site import Picture, describe_methods, write_site

CHROMIUM = os.environ.get("CHROMIUM") or next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
HOSTILE = runpy.run_path(str(Path(__file__).parents[1] / "site_pages.py"))["HOSTILE"]


def _record(method, seed, value, world="still", **changes):
    learned = None
    if method != "random":
        spec = {"method": method, "iterations": 10, "seed": seed}
        learned = Pretraining(
            data=f"puppets-{world}", pairs=8000, images_seen=8000, flow_supervision="exact flow", wall_seconds=90.0,
            run=digest([method, seed, world]), spec=spec, figures={"val/loss": 1.25},
        )  # fmt: skip
    content = {
        "identity": digest([method, seed, world, changes.get("task")]),
        "method": method,
        "backbone": "alexnet_mini",
        "pretraining": learned,
        "task": "voc_fcn",
        "protocol": {"head": "fcn", "world": world},
        "protocol_name": "puppets_fcn",
        "scale": "builtin",
        "metrics": [MetricValue(name="mIoU", value=value, primary=True), MetricValue(name="aAcc", value=90 - value)],
        "details": {"IoU": {"person": value, "a class with a long name": value / 2}},
        "seed": seed,
        "spec": {"task": "voc_fcn", "init": learned.run if learned else "random", "seed": seed},
        "origin": Reproduced(
            provenance=Provenance(
                commit="c0ffee" * 6 + "abcd", dirty=False, packages={"torch": "2", "numpy": "2"}, python="3.11",
                hardware="a cpu", device="cpu", wall_seconds=60.0, finished="2026-01-01T00:00:00+00:00",
            )
        ),
        **changes,
    }  # fmt: skip
    return ResultRecord(**content)


def _published(method, value):
    origin = Reported(publication="A paper", table="Table 1", row=method, source="typed in", confounds="more data")
    return _record(
        method, None, value, scale="full", protocol={"head": "unknown"}, spec={}, origin=origin, details={},
        pretraining=Pretraining(data="YFCC"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    records, sources = [], {}
    for world, shift in (("still", 0.0), ("weak_pan", -5.0)):
        for method, mean in (("cmp", 36.0), ("walker", 30.0), ("random", 20.0), (HOSTILE, 25.0)):
            records += [_record(method, seed, mean + shift + seed, world) for seed in (0, 1, 2)]
    for record in records:
        run = folder / "runs" / "transfer" / f"run-{record.identity}"
        run.mkdir(parents=True)
        (run / "record.json").write_text(json.dumps(json.loads(record.model_dump_json()), indent=3))
        (run / "log.jsonl").write_text("".join(f'{{"iteration": {n}, "train/loss": {9 / n}}}\n' for n in range(1, 40)))
        sources[record.identity] = run / "record.json"
        if record.pretraining:
            before = folder / "runs" / "pretrain" / f"x-{record.pretraining.run}"
            (before / "previews").mkdir(parents=True)
            (before / "done.json").write_text("{}")
            (before / "log.jsonl").write_text('{"iteration": 1, "train/loss": 3}\n{"iteration": 9, "val/loss": 2}\n')
            Image.new("RGB", (584, 800), "teal").save(before / "previews" / "iter_1.png")
    Image.new("RGB", (1200, 600), "white").save(folder / "curve.png")
    records += [_published("cmp", 44.5), _published("walker", 40.4)]
    pictures = [
        Picture(folder / "curve.png", "Guidance against transfer", ("cmp",)),
        Picture(folder / "curve.png", "All"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        # Few, so that the seeds of one page lie in two packs, as they do wherever a pack is full.
        patch.setattr("ssl_motion_reports.site.assets._RECORDS_OF_A_PACK", 4)
        home = write_site(records, folder / "out", sources=sources, methods=describe_methods(), pictures=pictures)
    return home.parent, records, sources


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium (apt install chromium), or its path in CHROMIUM")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def watched_page(browser):
    """Make pages; at the end: no console message, no error, no failed request, none to elsewhere, nothing injected."""
    contexts, complaints = [], []

    def failed(request, ignore):
        if ignore is None or ignore not in (request.failure or ""):
            complaints.append(f"failed: {request.url} {request.failure}")

    def make(*allowed, context=None, quiet=True, ignore=None, **options):
        """A page that may ask for addresses that begin with `allowed`.

        Whoever gives a `context` closes it. Unless it is `quiet`, the console and failed requests tell nothing;
        failures with the word `ignore` never do.
        """
        if context is None:
            context = browser.new_context(**options)
            contexts.append(context)
        page = context.new_page()
        if quiet:
            page.on("console", lambda message: complaints.append(f"console: {message.text}"))
            page.on("requestfailed", lambda request: failed(request, ignore))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: request.url.startswith(allowed) or complaints.append(request.url))
        return page

    yield make
    for context in contexts:
        for page in context.pages:
            assert page.evaluate("window.hacked") is None
        context.close()
    assert complaints == []


@pytest.fixture
def open_page(watched_page, site):
    """Open pages of the site, which ask for its own files alone."""
    root = site[0].as_uri() + "/"

    def open_(name="index.html", scheme="light", width=1366, height=900, **options):
        view = {"color_scheme": scheme, "viewport": {"width": width, "height": height}}
        page = watched_page(root, "data:", "blob:", **view, **options)
        page.goto(root + name)
        return page

    return open_
