"""A page served to this machine alone: loopback, a token in the address, nothing else answered.

What belongs here: who may ask, what is refused, how answers go out. What does not: what a page
says or does (the verb that serves it).

Every request must name this server as its host (a page elsewhere that was made to resolve to
127.0.0.1 does not), carry the token as the first part of its path, and, where it changes
something, come as JSON from this very page. There is a table of names and no file is ever looked
up by what was asked, so that no path leads anywhere. No other origin is allowed in.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from footagefit.errors import FootagefitError, UsageError

HOST = "127.0.0.1"
# What a page may do in the browser: its own inline parts, and requests to where it came from.
POLICY = (
    "default-src 'none'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'none'"
)
_MOST_BYTES = 1 << 20  # of a request
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Answer:
    """What goes back: bytes of a kind."""

    body: bytes
    kind: str

    @classmethod
    def page(cls, text: str) -> Answer:
        """HTML."""
        return cls(text.encode(), "text/html; charset=utf-8")

    @classmethod
    def plain(cls, value: Any) -> Answer:
        """Plain data as JSON."""
        return cls(json.dumps(value, allow_nan=False).encode(), "application/json")


Given = Mapping[str, Any]  # a query's texts, or the JSON that was posted
Job = Callable[[Given], Answer]


@dataclass(frozen=True)
class Routes:
    """What is answered, by name.

    Attributes:
        seen: Read with GET; the empty name is the page.
        done: Asked for with POST, in JSON.
    """

    seen: Mapping[str, Job]
    done: Mapping[str, Job]


class Local:
    """A server for one person on this machine, until it is closed.

    Args:
        routes: What it answers.
        port: 0 takes any that is free.

    Raises:
        UsageError: The port is taken.
    """

    def __init__(self, routes: Routes, *, port: int = 0) -> None:
        self.routes = routes
        self.token = secrets.token_urlsafe(24)
        try:
            self._server = _Server((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            line = getattr(error, "strerror", None) or str(error)
            hint = "Say another port=, or leave it out"
            raise UsageError(f"port {port} cannot be had ({line})", hint=hint) from error
        self._server.local = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    def close(self) -> None:
        """Answer nothing more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    local: Local


class _Refused(Exception):
    """A request that is not answered, and with which status."""

    def __init__(self, status: HTTPStatus, line: str) -> None:
        self.status, self.line = status, line
        super().__init__(line)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "footagefit", ""
    timeout = 60

    def do_GET(self) -> None:
        self._answered(self._seen)

    def do_POST(self) -> None:
        self._answered(self._done)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal is for what people need to know."""

    def _seen(self) -> Answer:
        name, query = self._named()
        job = self._local.routes.seen.get(name)
        if job is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is nothing by that name")
        return job(query)

    def _done(self) -> Answer:
        body = self._body()  # read in any case: what is left unread would be taken as a request
        name, _ = self._named()
        job = self._local.routes.done.get(name)
        if job is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is nothing by that name")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in self._hosts}:
            raise _Refused(HTTPStatus.FORBIDDEN, "another page asked")
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected JSON")
        try:
            given = json.loads(body)
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, "not JSON") from error
        if not isinstance(given, dict):
            raise _Refused(HTTPStatus.BAD_REQUEST, "expected names and values")
        return job(given)

    def _body(self) -> bytes:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if not 0 <= length <= _MOST_BYTES:
            self.close_connection = True
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long, or of no length")
        return self.rfile.read(length)

    def _named(self) -> tuple[str, dict[str, str]]:
        """The name that is asked for, of those who may ask."""
        if self.headers.get("Host", "") not in self._hosts:
            raise _Refused(HTTPStatus.FORBIDDEN, "this server answers to this machine alone")
        parts = urlsplit(self.path)
        token, slash, name = parts.path.removeprefix("/").partition("/")
        known = hmac.compare_digest(token.encode(), self._local.token.encode())
        if not slash or not known:
            raise _Refused(HTTPStatus.FORBIDDEN, "the address lacks its token")
        return name, {key: values[0] for key, values in parse_qs(parts.query).items()}

    def _answered(self, job: Callable[[], Answer]) -> None:
        status = HTTPStatus.OK
        try:
            answer = job()
        except _Refused as refused:
            status, answer = refused.status, Answer.plain({"error": refused.line})
        except FootagefitError as error:
            status, answer = HTTPStatus.BAD_REQUEST, Answer.plain({"error": str(error)})
        except Exception as error:  # one bad request must not end the page
            line = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
            status, answer = HTTPStatus.INTERNAL_SERVER_ERROR, Answer.plain({"error": line})
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        try:
            self.end_headers()
            self.wfile.write(answer.body)
        except ConnectionError:  # the page was closed, or reloaded, before it had its answer
            self.close_connection = True

    @property
    def _local(self) -> Local:
        return self.server.local  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def _hosts(self) -> set[str]:
        port = self._local.port
        return {f"{HOST}:{port}", f"localhost:{port}"}
