"""A page for this machine alone: who is answered, and who is not."""

from __future__ import annotations

import http.client
import json
import socket

import pytest

from footagefit.errors import UsageError, WrongValue
from footagefit.report.local import HOST, Answer, Local, Routes


def refuse(_):
    raise WrongValue("frame: 7 is not there", hint="Say another")


@pytest.fixture
def local():
    seen = {"": lambda _: Answer.page("<p>page</p>"), "said": lambda q: Answer.plain(dict(q))}
    done = {"echo": lambda given: Answer.plain(given), "refuse": refuse, "break": lambda _: 1 / 0}
    with Local(Routes(seen, done)) as running:
        yield running


def ask(local, path, *, method="GET", body=None, token=None, **headers):
    """Status, headers and body, as a stranger would ask."""
    connection = http.client.HTTPConnection(HOST, local.port, timeout=10)
    token = local.token if token is None else token
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    connection.request(method, f"/{token}/{path}", body, headers)
    answer = connection.getresponse()
    got = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return got


def test_it_listens_on_loopback_alone(local):
    assert local.address.startswith(f"http://127.0.0.1:{local.port}/")
    host = socket.gethostbyname(socket.gethostname())
    if host != HOST:
        with pytest.raises(OSError), socket.create_connection((host, local.port), timeout=2):
            pass


def test_the_page_and_what_it_asks_for(local):
    status, headers, body = ask(local, "")
    assert status == 200 and body == b"<p>page</p>"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert json.loads(ask(local, "said?shot=A%20b")[2]) == {"shot": "A b"}
    status, _, body = ask(local, "echo", method="POST", body='{"x": [1]}')
    assert status == 200 and json.loads(body) == {"x": [1]}


def test_every_request_needs_the_token(local):
    for token in ("", "x", local.token[:-1], local.token + "x", "%2e%2e"):
        assert ask(local, "", token=token)[0] == 403
        assert ask(local, "echo", method="POST", body="{}", token=token)[0] == 403
    assert len(local.token) >= 32
    with Local(local.routes) as other:
        assert other.token != local.token


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{port}", ""])
def test_another_name_for_this_machine_is_refused(local, host):
    assert ask(local, "", Host=host.format(port=local.port))[0] == 403
    assert ask(local, "", Host=f"localhost:{local.port}")[0] == 200


@pytest.mark.parametrize(
    "path", ["../", "../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "look.css",
             "//evil.example/", "echo"],
)  # fmt: skip
def test_no_path_leads_anywhere(local, path):
    status, _, body = ask(local, path)
    assert status in (403, 404) and b"root:" not in body


def test_another_page_may_not_post(local):
    own = f"http://127.0.0.1:{local.port}"
    assert ask(local, "echo", method="POST", body="{}", Origin=own)[0] == 200
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{local.port}"):
        assert ask(local, "echo", method="POST", body="{}", Origin=origin)[0] == 403
    form = "application/x-www-form-urlencoded"
    assert ask(local, "echo", method="POST", body="{}", Content_Type=form)[0] == 415
    assert ask(local, "echo", method="OPTIONS")[0] == 501
    assert ask(local, "echo", method="PUT", body="{}")[0] == 501


def test_bad_requests_get_one_line_and_the_server_goes_on(local):
    for body in ("", "[]", "{", "\xff"):
        assert ask(local, "echo", method="POST", body=body.encode("latin-1"))[0] == 400
    assert ask(local, "echo", method="POST", body="{}", Content_Length="-1")[0] == 413
    assert ask(local, "echo", method="POST", body="{}", Content_Length=str(1 << 30))[0] == 413
    status, _, body = ask(local, "refuse", method="POST", body="{}")
    assert status == 400
    assert json.loads(body) == {"error": "frame: 7 is not there. Say another."}
    status, _, body = ask(local, "break", method="POST", body="{}")
    assert status == 500 and "unexpected ZeroDivisionError" in json.loads(body)["error"]
    assert ask(local, "")[0] == 200


def test_a_port_that_is_taken_is_told(local):
    with pytest.raises(UsageError, match=f"port {local.port} cannot be had"):
        Local(local.routes, port=local.port)
    with pytest.raises(UsageError, match="port 70000 cannot be had"):
        Local(local.routes, port=70000)


def test_it_is_gone_when_it_is_closed(local):
    with Local(local.routes) as other:
        pass
    with pytest.raises(OSError), socket.create_connection((HOST, other.port), timeout=2):
        pass
