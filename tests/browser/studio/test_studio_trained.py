"""The studio with a model that was really trained: five clicks cut a figure of the built-in world out."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ssl_motion.annotation.clicks import intersection_over_union, next_click
from ssl_motion.errors import UsageError
from ssl_motion.paths import runs_root
from ssl_motion.puppets import render
from ssl_motion.spec import PuppetsSpec
from ssl_motion.store import Store
from ssl_motion.studio.documents import Segmentation
from ssl_motion.whole_models import quickstart_model

pytestmark = [pytest.mark.browser, pytest.mark.long]

FIGURES = {"person": (5, 1), "vehicle": (7, 2)}  # scenes of the test stream, which no model is trained on, and actors
CLICKS, WANTED = 5, 70.0


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The quickstart's model: of its own runs where it was run, else trained now (some minutes)."""
    try:
        return quickstart_model(Store(runs_root(None)))
    except UsageError:
        runs = tmp_path_factory.mktemp("runs")
        train = [sys.executable, "-m", "ssl_motion", "pretrain", "cmp_puppets", "--runs", str(runs)]
        subprocess.run(train, check=True)
        return quickstart_model(Store(runs))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("figure", FIGURES)
def test_five_clicks_annotate_a_figure(weights, studio_server, open_studio, tmp_path, figure):
    number, actor = FIGURES[figure]
    scene = render(PuppetsSpec(size=256), "test", number)
    truth = scene.instances == actor
    (tmp_path / "pictures").mkdir()
    Image.fromarray(scene.sample.image).save(tmp_path / "pictures" / "figure.png")
    studio = studio_server(tmp_path / "pictures", tmp_path / "session", weights)
    page, canvas = open_studio(studio, "folder/figure.png")
    canvas.canvas.focus()
    page.keyboard.press("2")
    mask, clicks, reached = np.zeros_like(truth), [], []
    for _ in range(CLICKS):
        click = next_click(truth, mask, earlier=clicks)
        if click is None:
            break
        clicks.append(click)
        canvas.click(click.x, click.y, button="left" if click.positive else "right")
        mask = _mask(studio, len(clicks), page)
        reached.append(intersection_over_union(truth, mask))
    print("IoU after each click:", [round(each, 1) for each in reached])
    assert reached[-1] > WANTED


def _mask(studio, clicks, page):
    """The mask of so many clicks, as it was kept."""
    for _ in range(600):
        for path in (studio.session / "documents").glob("figure.png-*.json"):
            (noted,) = json.loads(path.read_text())["document"]["objects"]
            if len(noted["positive"]) + len(noted["negative"]) == clicks and noted["segmentation"]:
                return Segmentation.model_validate(noted["segmentation"]).mask()
        page.wait_for_timeout(100)
    raise AssertionError(f"no mask of {clicks} clicks was kept")
