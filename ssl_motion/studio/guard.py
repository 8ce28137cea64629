"""What stands before every request: only this machine's own page, with the token, gets through.

- The `Host` header must name this server: a foreign name that was made to point here (DNS rebinding) is refused.
- `Origin` and `Sec-Fetch-Site`, where a browser sends them, must be this server's own: no other page can ask anything.
- The token comes once in the URL, and from then on in a cookie that scripts cannot read and that other sites' requests
  do not carry (`SameSite=Strict`). Programs may send it as `Authorization: Bearer TOKEN`.
- Bodies are counted as they arrive.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LENGTH = re.compile("[0-9]{1,18}")  # str.isdigit takes "²", and int() as little as more than 4300 digits
_HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}


class TooLarge(HTTPException):
    """A body is larger than its address takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"expected at most {limit // 2**20} MiB")


class Guard:
    """Middleware that lets through what belongs to this studio.

    Args:
        app: what is guarded.
        token: the secret.
        hosts: values of `Host` that are this server's, such as "127.0.0.1:8765".
        most_bytes: largest body of any request but uploads.
        most_upload_bytes: largest body of an upload.
        uploads: path of uploads.
    """

    def __init__(
        self, app: App, token: str, hosts: frozenset[str], most_bytes: int, most_upload_bytes: int, uploads: str
    ) -> None:
        self.app, self.token, self.hosts = app, token, hosts
        self.most_bytes, self.most_upload_bytes, self.uploads = most_bytes, most_upload_bytes, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, then pass it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # a WebSocket: there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        fault = self._foreign(headers)
        if fault is not None:
            await _answer(send, 403, fault)
            return
        enters = scope["path"] == "/" and scope["method"] == "GET" and self._is_token(_given(scope))
        if not enters and not self._is_known(headers):
            text = "Open the studio by the whole URL that it printed when it started: it holds the key."
            await _answer(send, 401, text)
            return
        limit = self.most_upload_bytes if scope["path"] == self.uploads else self.most_bytes
        length = headers.get("content-length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > limit:
            await _answer(send, 413, f"expected at most {limit // 2**20} MiB")
            return
        cookies = [(b"set-cookie", self._cookie(headers["host"]))] if enters else []
        await self.app(scope, _counted(receive, limit), _with_headers(send, cookies))

    def _foreign(self, headers: dict[str, str]) -> str | None:
        """Say what shows that a request comes from elsewhere; None where nothing does."""
        host = headers.get("host", "")
        if host not in self.hosts:
            return "this server answers to the address that it printed when it started, and to no other name"
        if "origin" in headers and headers["origin"] != f"http://{host}":
            return "requests of other pages are refused"
        own = headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        # A link with the token in it may be followed from anywhere: that is how one comes here.
        if not own and headers.get("sec-fetch-mode") != "navigate":
            return "requests of other pages are refused"
        return None

    def _is_known(self, headers: dict[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(given)
        # Other servers of this machine leave theirs here, too, of any form and name: so any that is right counts.
        cookies = (each.strip().partition("=") for each in headers.get("cookie", "").split(";"))
        own = _cookie_name(headers["host"])
        return any(name == own and self._is_token(value) for name, _, value in cookies)

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    def _cookie(self, host: str) -> bytes:
        return f"{_cookie_name(host)}={self.token}; Path=/; HttpOnly; SameSite=Strict".encode()


def _cookie_name(host: str) -> str:
    """Name of the cookie: browsers share cookies between the ports of a machine."""
    return f"ssl_motion_studio_{host.rpartition(':')[2]}"


def _given(scope: Scope) -> str:
    """The token in the URL."""
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("token", [""])[0]


def _counted(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLarge(limit)
        return message

    return counted


def _with_headers(send: Send, more: Sequence[tuple[bytes, bytes]] = ()) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            own = [(name, value) for name, value in message["headers"] if name.lower() not in _HEADERS]
            message = {**message, "headers": [*own, *_HEADERS.items(), *more]}
        await send(message)

    return sending


async def _answer(send: Send, status: int, text: str) -> None:
    body = text.encode()
    kind = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    sending = _with_headers(send)
    await sending({"type": "http.response.start", "status": status, "headers": kind})
    await sending({"type": "http.response.body", "body": body})
