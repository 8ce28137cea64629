"""Files that were made to harm whoever opens them in the studio, each refused or survived at little cost."""

import io
import runpy
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra `studio`")

from ssl_motion.studio import pictures

parts = runpy.run_path(str(Path(__file__).parents[2] / "studio_session.py"))


def encoded(kind: str, size=(64, 48), **options) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(start: bytes, tags: dict[int, tuple[int, int]]) -> bytes:
    """A little-endian TIFF: `start` from byte 8 on, then its directory, {tag: (type, value)}."""
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(tags.items()))
    return b"II*\0" + struct.pack("<I", 8 + len(start)) + start + struct.pack("<H", len(tags)) + directory + bytes(4)


GREY = {256: (4, 64), 257: (4, 48), 258: (3, 8), 262: (3, 1), 277: (3, 1)}  # 64 x 48 pixels of 8 bits


def test_pictures_that_a_network_would_see_enormous_are_refused(client):
    # The shorter side is brought to the network's: 16 x 20,000 pixels at 384 would be 184 megapixels.
    answer = client.post("/api/pictures?name=strip.png", content=encoded("PNG", (20_000, 16)))
    assert answer.status_code == 422
    assert "16 times" in answer.json()["error"]
    assert client.post("/api/pictures?name=panorama.png", content=encoded("PNG", (16 * 20, 20))).status_code == 200


def test_tiles_far_larger_than_their_picture_are_not_unpacked(client):
    # 64 x 48 pixels; but the tile that they are cut from has 400 million, in 400 kB.
    packed = zlib.compress(bytes(1000))
    tile = {259: (3, 8), 322: (4, 20_000), 323: (4, 20_000), 324: (4, 8), 325: (4, len(packed))}
    answer = client.post("/api/pictures?name=a.tif", content=tiff(packed, {**GREY, **tile}))
    assert answer.status_code == 422
    assert "megapixels" in answer.json()["error"]
    assert client.post("/api/pictures?name=b.tif", content=encoded("TIFF", compression="tiff_lzw")).status_code == 200


def disguised() -> bytes:
    """A TIFF of 64 x 48 pixels, which is also a picture of 7000 x 7000 in Pillow's format IM."""
    other = b"a:x\r\nImage type: Greyscale image\r\nImage size (x*y): 7000*7000\r\nFile size (no of images): 1\r\n\x1a"
    grey = (64 * 48) * b"\x80"
    where = {259: (3, 1), 273: (4, 8 + 600), 278: (4, 48), 279: (4, len(grey))}
    return tiff(other.ljust(600, b"\0") + grey + bytes(7000 * 7000), {**GREY, **where})


def test_a_picture_is_read_in_the_format_that_it_was_checked_in(tmp_path):
    Image.init()
    if "IM" not in Image.OPEN:
        pytest.skip("this Pillow reads IM no more")
    (tmp_path / "a.tif").write_bytes(disguised())
    with Image.open(tmp_path / "a.tif") as picture:
        assert picture.size == (7000, 7000)  # what Pillow takes it for, if it may choose
    assert pictures.check_picture(tmp_path / "a.tif") == "TIFF"
    pixels = pictures.read_picture(tmp_path / "a.tif")
    assert pixels.shape == (48, 64, 3)
    assert (pixels == 128).all()


def test_pictures_of_cameras_that_keep_several_in_a_jpeg_are_taken(client):
    more = [Image.fromarray(parts["flat_picture"]())]
    buffer = io.BytesIO()
    Image.fromarray(parts["flat_picture"]()).save(buffer, "MPO", save_all=True, append_images=more)
    answer = client.post("/api/pictures?name=stereo", content=buffer.getvalue())
    assert (answer.status_code, answer.json()["name"]) == (200, "stereo.jpg")
    assert client.get("/api/pictures/added/stereo.jpg").status_code == 200


def test_jpegs_of_thousands_of_passes_are_refused(client):
    content = encoded("JPEG", progressive=True)
    assert client.post("/api/pictures?name=a.jpg", content=content).status_code == 200
    last = content.rindex(b"\xff\xda")
    header = content[last : last + 2 + int.from_bytes(content[last + 2 : last + 4], "big")]
    # Each of these ten bytes makes the decoder go over all pixels once more; 64 MiB of them are hours.
    answer = client.post("/api/pictures?name=b.jpg", content=content[:-2] + 200 * header + content[-2:])
    assert answer.status_code == 422
    assert "passes" in answer.json()["error"]
    # What follows a picture, as the films that telephones append, is none of its passes.
    assert client.post("/api/pictures?name=c.jpg", content=content + 200 * header).status_code == 200


def test_few_pictures_are_unpacked_at_a_time(tmp_path, folder, monkeypatch):
    # A page asks for six thumbnails at once, a program for forty: of 25 megapixels each, that is 10 GB.
    now, most, lock = 0, 0, threading.Lock()

    def slow(*_):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return np.zeros((20, 20, 3), np.uint8)

    monkeypatch.setattr(pictures, "read_photograph", slow)
    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(pictures.encode_thumbnail, 8 * [folder / "one.png"]))) == 8
    assert most <= 2


def test_numbers_of_the_wrong_kind_are_damage_and_no_internal_error(client):
    grey = (64 * 48) * b"\x80"
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = 6, 72.0  # a picture that is to be turned has its notes written anew
    with_notes = encoded("JPEG", exif=exif)
    rational, byte = (b"\x01\x1a\0\x05", b"\x01\x1a\0\x01")  # the tag and its type
    assert rational in with_notes
    hostile = {
        "place.tif": tiff(grey, {**GREY, 259: (3, 1), 273: (2, 110), 278: (4, 48), 279: (4, len(grey))}),  # a text
        "notes.jpg": with_notes.replace(rational, byte),
    }
    for name, content in hostile.items():
        answer = client.post(f"/api/pictures?name={name}", content=content)
        assert answer.status_code == 422, name
        assert f"{name}: cannot be read as an image" in answer.json()["error"]
