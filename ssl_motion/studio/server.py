"""Starting and stopping the studio's server."""

import ipaddress
import os
import re
import secrets
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn

from ssl_motion.errors import RunError, UsageError
from ssl_motion.locking import held
from ssl_motion.propagation.predictor import MotionPredictor
from ssl_motion.studio.app import Studio, create_app
from ssl_motion.studio.desk import Desk
from ssl_motion.studio.documents import DocumentStore
from ssl_motion.studio.library import Library

DEFAULT_PORT = 8765
_PATIENCE_S = 5  # with requests that are under way when the server stops
_TOKEN = "token"  # noqa: S105  # the file's name
_TOKEN_BYTES = 32
_TOKEN_FORM = re.compile(rb"[A-Za-z0-9_-]{43}")  # 32 bytes in base 64


def serve(
    predictor: MotionPredictor,
    model: str,
    folder: Path,
    session: Path,
    host: str = "127.0.0.1",
    port: int | None = None,
    ready: Callable[[str], object] = print,
) -> None:
    """Serve a folder of pictures until the process is stopped.

    Args:
        predictor: the model.
        model: it in words, for the page.
        folder: of the pictures; nothing is written there but what `session` says.
        session: folder for documents, added pictures and the token; made when missing, one server a time.
        host: address to listen on: of this machine, not all of them.
        port: to listen on; None takes 8765, or any that is free where that is not.
        ready: gets the URL, with the token, when the server listens.

    Raises:
        UsageError: There is no such folder or address, or the port is taken.
        RunError: The session is in use, or cannot be written.
    """
    checked_host(host)
    with held(session, ".lock"), _listening(host, port) as listener:
        studio = Studio(
            Library(folder, session / "added"), DocumentStore(session / "documents"), Desk(predictor), model
        )
        token = session_token(session)
        number = listener.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        app = create_app(studio, token, host_names(host, number))
        ready(f"http://{name}:{number}/?token={token}")
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_PATIENCE_S,
        )
        with suppress(KeyboardInterrupt):  # raised again when all connections are closed
            uvicorn.Server(config).run(sockets=[listener])


def checked_host(host: str) -> str:
    """Return an address that a server may listen on, or fail.

    Raises:
        UsageError: It is no IP address, or stands for all addresses of a machine: which names lead there is then not
            known, and foreign ones could not be told apart.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(f"--host {host}: expected an IP address of this machine, such as 127.0.0.1") from None
    if (getattr(address, "ipv4_mapped", None) or address).is_unspecified:  # ::ffff:0.0.0.0 is 0.0.0.0
        raise UsageError(f"--host {host}: expected one address of this machine; name the one to be reached by")
    return host


def host_names(host: str, port: int) -> frozenset[str]:
    """Values of the `Host` header that mean this server."""
    names = {f"[{host}]" if ":" in host else host}
    if ipaddress.ip_address(host).is_loopback:
        names.add("localhost")
    return frozenset(f"{name}:{port}" for name in names)


def session_token(session: Path) -> str:
    """Read the session's token, or make one: a page that is open stays valid when the server is started again.

    One that others could read, or that was not made here, is replaced: the folder may come from somebody else.

    Raises:
        RunError: The file cannot be read or written.
    """
    path = session / _TOKEN
    try:
        if _is_secret(path) and _TOKEN_FORM.fullmatch(text := path.read_bytes()):
            return text.decode("ascii")
    except OSError as error:
        raise RunError(f"cannot read the studio's token in {path}: {error}. Remove it for a new one.") from error
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    _write_secret(path, token)
    return token


def _is_secret(path: Path) -> bool:
    """Whether there is a plain file of this user's that nobody else may read."""
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(facts.st_mode):
        return False
    return os.name == "nt" or (facts.st_uid == os.getuid() and not facts.st_mode & 0o077)  # Windows has no such bits


def entrance(session: Path, url: str) -> Path:
    """Write a page, for the user's eyes alone, that leads to a URL: on a command line everyone could read its token.

    Raises:
        RunError: It cannot be written.
    """
    path = session / "open.html"
    _write_secret(path, f'<!doctype html><title>Studio</title><meta http-equiv="refresh" content="0;url={url}">')
    return path


def _write_secret(path: Path, text: str) -> None:
    try:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def _listening(host: str, port: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tries = [DEFAULT_PORT, 0] if port is None else [port]
    for each in tries:
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, each))
            listener.listen()
            return listener
        except OSError as error:
            listener.close()
            if each == tries[-1]:
                raise UsageError(
                    f"cannot listen on {host}, port {each}: {error.strerror}. Name another --port."
                ) from error
    raise AssertionError("the last try returns or raises")
