"""The studio's addresses: a thin layer over its desk, documents, clips and exports.

Every answer that is no file is JSON; what went wrong is {"error": "..."} with a status of 400 on.
"""

import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ssl_motion.annotation.export import encode_mask
from ssl_motion.errors import DataError, SSLMotionError, UsageError
from ssl_motion.flow.colour import colour_wheel_legend
from ssl_motion.propagation.following import warnings
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.spec import Strict
from ssl_motion.studio.clips import ClipOrder, Clips, check_frames
from ssl_motion.studio.desk import Desk
from ssl_motion.studio.documents import Clicked, Conflict, Document, DocumentStore
from ssl_motion.studio.exports import flow_archive, mask_archive, session_coco
from ssl_motion.studio.guard import Guard
from ssl_motion.studio.library import Library, NotThere, Picture
from ssl_motion.studio.pictures import MOST_BYTES, encode_for_display, encode_png, encode_thumbnail

STATIC = Path(__file__).parent / "static"
MOST_JSON_BYTES = 8 * 2**20
UPLOADS = "/api/pictures"
_WHEEL = 192  # pixels
# Where collectors of OpenTelemetry are set up, FastAPI would tell them every address; the first one holds the token.
_UNREPORTED: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


class Clicks(Strict):
    """Clicks on one object: (x, y) on it and beside it."""

    positive: Clicked
    negative: Clicked = []


@dataclass(frozen=True)
class Studio:
    """What a studio works with.

    Attributes:
        library: its pictures.
        documents: what was done to them.
        desk: asks the model.
        model: the model in words, for the page.
    """

    library: Library
    documents: DocumentStore
    desk: Desk
    model: str


def create_app(studio: Studio, token: str, hosts: frozenset[str]) -> Guard:
    """Make the ASGI application.

    Args:
        studio: what it works with.
        token: the secret that every request must bring.
        hosts: values of the `Host` header that are this server's.
    """
    clips = Clips(studio.desk)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        clips.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=life, telemetry=_UNREPORTED)
    _tell_errors(app)
    # Browsers keep what is not saved yet under this name: another session's pictures may be called the same.
    _pictures(app, studio, hashlib.sha256(token.encode()).hexdigest()[:16])
    _questions(app, studio)
    _clips(app, studio, clips)
    _exports(app, studio)
    app.get("/")(lambda: FileResponse(STATIC / "index.html"))
    app.mount("/static", StaticFiles(directory=STATIC))
    return Guard(app, token, hosts, MOST_JSON_BYTES, MOST_BYTES, UPLOADS)


def _tell_errors(app: FastAPI) -> None:
    def status(error: Exception) -> int:
        if isinstance(error, NotThere):
            return 404
        if isinstance(error, Conflict):
            return 409
        return 422 if isinstance(error, UsageError) else 500

    def known(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status(error))

    def malformed(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        faults = [f"{'.'.join(str(part) for part in each['loc'][1:])}: {each['msg']}" for each in error.errors()]
        return JSONResponse({"error": "; ".join(faults[:5])}, 422)

    def plain(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": str(error.detail)}, error.status_code)

    def disk(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, OSError)
        return JSONResponse({"error": error.strerror or str(error)}, 500)

    def gone(_: Request, __: Exception) -> Response:
        return Response(status_code=400)  # which nobody reads

    app.exception_handler(SSLMotionError)(known)
    app.exception_handler(ClientDisconnect)(gone)
    app.exception_handler(RequestValidationError)(malformed)
    app.exception_handler(HTTPException)(plain)
    app.exception_handler(OSError)(disk)


def _pictures(app: FastAPI, studio: Studio, session: str) -> None:
    library, documents, desk = studio.library, studio.documents, studio.desk

    def facts(picture: Picture) -> dict[str, Any]:
        shown = {"origin": picture.origin, "name": picture.path.name, "version": picture.version}
        try:
            document = documents.read(picture.key)
        except DataError as error:
            return {**shown, "arrows": 0, "objects": 0, "fault": str(error)}
        arrows = len(document.guidance.arrows) + len(document.guidance.stills)
        return {**shown, "arrows": arrows, "objects": len(document.objects)}

    @app.get("/api/studio")
    def overview() -> dict[str, Any]:
        pictures = [facts(each) for each in library.pictures()]
        return {"model": studio.model, "session": session, "pictures": pictures}

    @app.get("/api/wheel")
    def wheel() -> Response:
        return Response(encode_png(colour_wheel_legend(_WHEEL)), media_type="image/png")

    @app.post(UPLOADS)
    async def add(request: Request, name: str = "picture") -> dict[str, Any]:
        return facts(await library.add(name, request.stream()))

    @app.get("/api/pictures/{origin}/{name}")
    def show(origin: str, name: str) -> Response:
        content, kind = encode_for_display(desk.pixels(library.find(origin, name)))
        return Response(content, media_type=kind)

    @app.get("/api/thumbnails/{origin}/{name}")
    def thumbnail(origin: str, name: str) -> Response:
        return Response(encode_thumbnail(library.find(origin, name).path), media_type="image/jpeg")

    @app.get("/api/documents/{origin}/{name}")
    def read(origin: str, name: str) -> dict[str, Any]:
        picture = library.find(origin, name)
        height, width = desk.size(picture)
        document = documents.read(picture.key).model_dump(mode="json")
        return {"document": document, "width": width, "height": height}

    @app.put("/api/documents/{origin}/{name}")
    def write(origin: str, name: str, document: Document) -> dict[str, Any]:
        picture = library.find(origin, name)
        document.check_masks(desk.size(picture))
        return {"revision": documents.write(picture.key, document).revision}


def _questions(app: FastAPI, studio: Studio) -> None:
    library, desk = studio.library, studio.desk

    @app.post("/api/predict/{origin}/{name}")
    def predict(origin: str, name: str, guidance: Guidance) -> dict[str, Any]:
        answer = desk.predict(library.find(origin, name), guidance)
        return {
            "picture": base64.b64encode(answer.picture).decode("ascii"),
            "radius": answer.radius,
            "points": [
                {"foot": each.foot, "asked": each.asked, "predicted": each.predicted, "share": each.share}
                for each in answer.points
            ],
            "warnings": warnings(answer.points),
        }

    @app.post("/api/annotate/{origin}/{name}")
    def annotate(origin: str, name: str, clicks: Clicks) -> dict[str, Any]:
        found = desk.annotate(library.find(origin, name), list(clicks.positive), list(clicks.negative))
        return {"segmentation": encode_mask(found.mask), "share": float(found.mask.mean())}


def _clips(app: FastAPI, studio: Studio, clips: Clips) -> None:
    @app.post("/api/clips/{origin}/{name}")
    def order(origin: str, name: str, wanted: ClipOrder) -> dict[str, Any]:
        check_frames(wanted)
        return clips.start(studio.library.find(origin, name), wanted).facts()

    @app.get("/api/clips/{job}")
    def progress(job: str) -> dict[str, Any]:
        return clips.find(job).facts()

    @app.delete("/api/clips/{job}")
    def stop(job: str) -> dict[str, Any]:
        return clips.stop(job).facts()

    @app.get("/api/clips/{job}/file")
    def clip(job: str) -> FileResponse:
        file = clips.find(job).file
        if file is None:
            raise NotThere("this clip is not ready")
        return FileResponse(file)


def _exports(app: FastAPI, studio: Studio) -> None:
    library, documents, desk = studio.library, studio.documents, studio.desk

    def packed(origin: str, name: str, pack: Callable[[Picture, Document], bytes]) -> Response:
        picture = library.find(origin, name)
        return Response(pack(picture, documents.read(picture.key)), media_type="application/zip")

    @app.get("/api/export/flow/{origin}/{name}")
    def flow(origin: str, name: str) -> Response:
        return packed(origin, name, lambda picture, document: flow_archive(desk, picture, document))

    @app.get("/api/export/masks/{origin}/{name}")
    def masks(origin: str, name: str) -> Response:
        return packed(origin, name, mask_archive)

    @app.get("/api/export/coco")
    def coco() -> dict[str, Any]:
        return session_coco(library, documents)
