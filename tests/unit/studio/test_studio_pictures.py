"""Which files the studio takes and serves; the hostile ones are made here."""

import io
import os
import runpy
import struct
import tracemalloc
import zlib
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra `studio`")

from ssl_motion.studio import library, pictures
from ssl_motion.studio.library import Library

parts = runpy.run_path(str(Path(__file__).parents[2] / "studio_session.py"))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that unpacks to width x height pixels, as far as it goes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(b"\0" * 4_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def encoded(kind: str, size=(64, 48), **options) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind, **options)
    return buffer.getvalue()


SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
)
HOSTILE = {
    "bomb.png": (bomb(30_000, 30_000), "megapixels"),
    "larger than Pillow's own limit.png": (bomb(100_000, 100_000), "megapixels"),
    "thin.png": (bomb(30_000, 20), "pixels on a side"),
    "drawing.svg": (SVG, "expected one of"),
    "drawing.png": (SVG, "expected one of"),
    "page.jpg": (b"<html><script>alert(1)</script></html>", "expected one of"),
    "document.jpg": (b"%PDF-1.7\n%%EOF", "expected one of"),
    "program.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "expected one of"),
    "cut.png": (encoded("PNG")[:2000], "cannot be read"),
    "cut.jpg": (encoded("JPEG", (300, 300))[:9000], "cannot be read"),
    "empty.png": (b"", "empty file"),
    "tiny.png": (encoded("PNG", (4, 4)), "at least"),
    "deep.tif": (b"", ""),  # filled in below
}
deep = io.BytesIO()
Image.fromarray(np.zeros((32, 32), np.float32)).save(deep, "TIFF")
HOSTILE["deep.tif"] = (deep.getvalue(), "32 bits")


def _names(client):
    return [(each["origin"], each["name"]) for each in client.get("/api/studio").json()["pictures"]]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_uploads_are_refused_with_a_reason_and_leave_nothing(client, tmp_path, name):
    content, reason = HOSTILE[name]
    answer = client.post(f"/api/pictures?name={quote(name)}", content=content)
    assert answer.status_code == 422
    assert reason in answer.json()["error"]
    assert name in answer.json()["error"]
    assert str(tmp_path) not in answer.text
    assert list((tmp_path / "session" / "added").iterdir()) == []
    assert len(_names(client)) == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_in_the_folder_are_refused_with_a_reason(client, folder, tmp_path, name):
    content, reason = HOSTILE[name]
    path = (folder / name).with_suffix(".png" if name.endswith(".svg") else Path(name).suffix)
    path.write_bytes(content)
    for kind in ("pictures", "thumbnails", "documents"):
        answer = client.get(f"/api/{kind}/folder/{quote(path.name)}")
        assert answer.status_code == 422, kind
        assert reason in answer.json()["error"]
        assert str(tmp_path) not in answer.text
    assert client.get("/api/pictures/folder/one.png").status_code == 200


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(30_000, 30_000))
    tracemalloc.start()
    with pytest.raises(pictures.UsageError, match="megapixels"):
        pictures.check_picture(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000  # its few kilobytes, not 2.7 GB


def test_uploads_have_a_limit(client, monkeypatch, tmp_path):
    monkeypatch.setattr(library, "MOST_BYTES", 5000)
    assert client.post("/api/pictures?name=a.png", content=encoded("PNG")).status_code == 422
    assert list((tmp_path / "session" / "added").iterdir()) == []
    assert client.post("/api/pictures?name=a.png", content=b"0" * (pictures.MOST_BYTES + 1)).status_code == 413


@pytest.mark.parametrize("kind", pictures.FORMATS)
def test_every_format_that_is_promised_is_taken_and_shown(client, kind):
    added = client.post("/api/pictures?name=photo", content=encoded(kind)).json()
    assert added["name"] == f"photo{pictures.SUFFIXES[kind]}"
    assert ("added", added["name"]) in _names(client)
    shown = client.get(f"/api/pictures/added/{added['name']}")
    assert Image.open(io.BytesIO(shown.content)).size == (64, 48)
    small = client.get(f"/api/thumbnails/added/{added['name']}")
    assert small.headers["content-type"] == "image/jpeg"


def test_pictures_of_one_name_stand_side_by_side(client, folder):
    before = (folder / "one.png").read_bytes()
    for expected in ("one.png", "one (2).png", "one (3).png"):
        assert client.post("/api/pictures?name=one.png", content=encoded("PNG")).json()["name"] == expected
    assert (folder / "one.png").read_bytes() == before


@given(name=st.text(max_size=60))
def test_no_name_leads_out_of_the_folder(name):
    stem, suffix = library._safe_name(name, ".png")
    assert stem[0] != "."
    assert not {"/", "\\", "\0", "\n"} & set(stem + suffix)
    assert suffix == ".png"


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "..%2fsecret.png", "%2e%2e%2fsecret.png", "..\\secret.png", "....//secret.png", "/etc/passwd",
     "%2fetc%2fpasswd", "one.png%00.jpg", ".hidden.png", "..", ".", "link.png", "circle.png", "nowhere.png", "pipe.png",
     "inner", "notes.txt", "below%2fdeeper.png"],
)  # fmt: skip
def test_nothing_outside_the_folder_is_served(client, folder, name):
    secret = folder.parent / "secret.png"
    secret.write_bytes(encoded("PNG"))
    (folder / ".hidden.png").write_bytes(encoded("PNG"))
    (folder / "notes.txt").write_text("secret")
    (folder / "link.png").symlink_to(secret)
    (folder / "circle.png").symlink_to(folder / "circle.png")
    (folder / "nowhere.png").symlink_to(folder.parent / "nothing")
    (folder / "inner.png").symlink_to(folder / "one.png")
    (folder / "below").mkdir()
    (folder / "below" / "deeper.png").write_bytes(encoded("PNG"))
    os.mkfifo(folder / "pipe.png")
    for kind in ("pictures", "thumbnails", "documents", "export/flow", "export/masks"):
        answer = client.get(f"/api/{kind}/folder/{name}")
        assert answer.status_code in (404, 405), (kind, answer.text)  # 405: the client itself takes ".." away
    assert client.put(f"/api/documents/folder/{name}", json={}).status_code in (404, 405)
    assert client.post(f"/api/predict/folder/{name}", json={}).status_code in (404, 405)
    assert _names(client) == [("folder", "inner.png"), ("folder", "one.png"), ("folder", "two.png")]


def test_other_origins_than_the_two_do_not_exist(client):
    for origin in ("documents", "session", "..", "static"):
        assert client.get(f"/api/pictures/{origin}/one.png").status_code == 404


def test_photographs_are_shown_upright_and_without_what_else_they_hold(client, folder):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where I live"  # orientation: turn right; description
    Image.fromarray(np.zeros((40, 80, 3), np.uint8)).save(folder / "turned.jpg", exif=exif)
    facts = client.get("/api/documents/folder/turned.jpg").json()
    assert (facts["width"], facts["height"]) == (40, 80)
    shown = client.get("/api/pictures/folder/turned.jpg").content
    assert Image.open(io.BytesIO(shown)).size == (40, 80)
    assert b"where I live" not in shown


def test_large_pictures_are_shown_smaller(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (1000, 3000, 3), np.uint8)
    content, kind = pictures.encode_for_display(picture)
    assert kind == "image/jpeg"
    assert Image.open(io.BytesIO(content)).size == (2048, 683)
    Image.fromarray(picture).save(tmp_path / "a.jpg")
    assert Image.open(io.BytesIO(pictures.encode_thumbnail(tmp_path / "a.jpg"))).size == (160, 53)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(pictures.UsageError, match="nowhere"):
        Library(tmp_path / "nowhere", tmp_path / "added")


def test_pictures_are_listed_as_people_expect(tmp_path):
    stems = ("a2", "\u00e4hre 3", "astronaut", "Ka\u0308fer", "kaffee", "P1", "p2", "P10", "z")
    names = [f"{stem}.png" for stem in stems]
    folder = parts["make_folder"](tmp_path / "pictures", tuple(reversed(names)))
    assert [each.path.name for each in Library(folder, tmp_path / "added").pictures()] == names
