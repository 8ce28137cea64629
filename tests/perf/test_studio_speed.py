"""From a drag to the flow: processor time of the studio's request; the quickstart's network, a picture of 256 px."""

import runpy
import time
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra `studio`")
from fastapi.testclient import TestClient

from ssl_motion.backbones import build_backbone
from ssl_motion.plugins import METHODS, load
from ssl_motion.propagation.predictor import MotionPredictor
from ssl_motion.puppets import render
from ssl_motion.spec import PretrainSpec, PuppetsSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.studio.app import Studio, create_app
from ssl_motion.studio.desk import Desk
from ssl_motion.studio.documents import DocumentStore
from ssl_motion.studio.library import Library
from ssl_motion.sweep import load_suite, plan

pytestmark = pytest.mark.perf
MOST_SECONDS = 0.5
SIDE = 256
parts = runpy.run_path(str(Path(__file__).parents[1] / "studio_session.py"))


def _quickstart_network() -> MotionPredictor:
    """Weights do not matter for the time: those of the start are taken."""
    spec = next(job.spec for job in plan(load_suite("quickstart")) if isinstance(job.spec, PretrainSpec))
    kind = load(METHODS, spec.method)
    method = kind(parse_spec(kind.Config, spec.method_config, "the quickstart"), build_backbone(spec.backbone))
    return MotionPredictor(method, spec.data.puppets.size, "cpu")


def test_the_flow_follows_the_hand(tmp_path):
    image = render(PuppetsSpec(size=SIDE), "test", 0).sample.image
    Image.fromarray(image).save(tmp_path / "a.png")
    studio = Studio(
        Library(tmp_path, tmp_path / "added"), DocumentStore(tmp_path / "documents"), Desk(_quickstart_network()), "x"
    )
    app = create_app(studio, parts["TOKEN"], frozenset({parts["HOST"]}))
    client = TestClient(app, base_url=f"http://{parts['HOST']}", headers=parts["BEARER"])
    taken = []
    for step in range(8):
        body = {"arrows": [[128, 128, step, 3]], "stills": [[30, 30]]}
        began = time.process_time()
        answer = client.post("/api/predict/folder/a.png", json=body)
        taken.append(time.process_time() - began)
        assert answer.status_code == 200
    first, later = taken[0], sorted(taken[1:])[3]
    print(f"\nfirst request (reading and looking) {first:.3f} s, later ones {later:.3f} s of processor time")
    assert first < MOST_SECONDS
    assert later < MOST_SECONDS
