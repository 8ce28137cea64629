"""`ssl-bench puppets` as a user calls it."""

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

from ssl_motion.cli.puppets_verb import LAYOUTS as VERB_LAYOUTS
from ssl_motion.cli.puppets_verb import WORLDS as VERB_WORLDS
from ssl_motion.cli.puppets_verb import command
from ssl_motion.errors import UsageError
from ssl_motion.puppets import LAYOUTS, WORLDS, dataset_folder, fingerprint, render
from ssl_motion.spec import PuppetsSpec

SPEC = PuppetsSpec(size=48, pairs=7, val_pairs=2, train_images=5, val_images=3, test_images=4)
OPTIONS = ["--size", "48", "--pairs", "7", "--val-pairs", "2", "--train", "5", "--val", "3", "--test", "4"]


def test_the_verb_renders_and_says_what_is_there(tmp_path):
    run = CliRunner()
    arguments = ["render", *OPTIONS, "--layout", "voc", "--out", str(tmp_path), "--json"]
    planned = run.invoke(command, [*arguments, "--dry-run"], catch_exceptions=False)
    plan = json.loads(planned.stdout)
    assert (plan["cached"], plan["missing"], plan["identity"]) == (False, ["voc"], fingerprint(SPEC))
    assert list(tmp_path.iterdir()) == []
    first = json.loads(run.invoke(command, arguments, catch_exceptions=False).stdout)
    second = json.loads(run.invoke(command, arguments, catch_exceptions=False).stdout)
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["path"] == plan["path"] == str(dataset_folder(SPEC, tmp_path))
    assert Path(first["path"]).is_dir()
    assert "all was there" in run.invoke(command, arguments[:-1], catch_exceptions=False).stdout


def test_the_verb_draws_a_sheet(tmp_path):
    out = tmp_path / "sheets" / "sheet.png"
    arguments = ["preview", "--world", "full_camera", "--size", "48", "--count", "3", "--out", str(out)]
    assert "would write" in CliRunner().invoke(command, [*arguments, "--dry-run"], catch_exceptions=False).stdout
    assert not out.exists()
    CliRunner().invoke(command, arguments, catch_exceptions=False)
    with Image.open(out) as picture:
        sheet = np.array(picture)
    # The first scene's image stands on the sheet, enlarged.
    zoom = 4
    scene = render(PuppetsSpec(world="full_camera", size=48), "pairs", 0)
    cell = np.repeat(np.repeat(scene.sample.image, zoom, axis=0), zoom, axis=1)
    spots = [
        (y, x)
        for y in range(0, 160)
        for x in range(0, 60)
        if np.array_equal(sheet[y, x : x + 48 * zoom], cell[0])
        and np.array_equal(sheet[y : y + 48 * zoom, x], cell[:, 0])
    ]
    assert len(spots) == 1


def test_the_verb_refuses_wrong_values(tmp_path):
    assert CliRunner().invoke(command, ["render", "--world", "moon"]).exit_code == 2
    result = CliRunner().invoke(command, ["render", "--size", "5", "--out", str(tmp_path)])
    assert isinstance(result.exception, UsageError)
    assert "size" in str(result.exception)
    # The verb lists names itself, so that its help needs no heavy import.
    assert tuple(WORLDS) == VERB_WORLDS
    assert VERB_LAYOUTS == LAYOUTS
