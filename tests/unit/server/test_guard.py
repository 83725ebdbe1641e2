"""Who is let in, how much may be sent, and how slowly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from glassnet.server.guard import Guard, Rules, host_name

HOST = "localhost:8000"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    seen: list[int]  # the sizes of the pieces of the body that the app was given

    @property
    def problem(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def ask(
    rules: Rules,
    method: str = "POST",
    path: str = "/api/predict",
    headers: Iterable[tuple[str, str]] = (("host", HOST),),
    pieces: Iterable[bytes | float] = (),
    query: str = "",
    reads: bool = True,
) -> Answer:
    """Ask an app behind a guard; `pieces` of the body, numbers among them are pauses in seconds."""
    seen: list[int] = []
    sent: list[Any] = []
    left = iter(pieces)

    async def receive() -> dict[str, Any]:
        for piece in left:
            if not isinstance(piece, bytes):
                await asyncio.sleep(piece)
                continue
            return {"type": "http.request", "body": piece, "more_body": True}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        more = reads
        while more:
            message = await receive()
            seen.append(len(message.get("body", b"")))
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    guard = Guard(app, rules)
    asyncio.run(guard(scope, receive, send))
    assert guard.waiting == 0
    start, *rest = sent
    given = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], given, b"".join(part["body"] for part in rest), seen)


def with_headers(*more: tuple[str, str], host: str = HOST) -> list[tuple[str, str]]:
    return [("host", host), *more]


@pytest.mark.parametrize("host", [HOST, "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "127.8.9.1", "localhost.:80"])
def test_loopback_names_are_let_in(host: str) -> None:
    answer = ask(Rules(), headers=with_headers(host=host))
    assert answer.status == 200
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "192.168.1.2:8000", "127.0.0.1.nip.io", "0.0.0.0", "[::ffff:1.2.3.4]"]
)
def test_other_names_are_not(host: str, method: str) -> None:
    answer = ask(Rules(), method, headers=with_headers(host=host))
    assert answer.status == 403
    assert answer.problem["what"] == "This service is not called by that name."
    assert answer.problem["received"] == host
    assert answer.seen == []


@pytest.mark.parametrize(
    "headers", [[], [("host", HOST), ("host", HOST)], [("host", "a@localhost")], [("host", "localhost:x")], [("host", "")]]
)
def test_a_host_that_is_none(headers: list[tuple[str, str]]) -> None:
    assert ask(Rules(), headers=headers).status == 400


def test_names_that_are_allowed_and_addresses() -> None:
    rules = Rules(hosts=frozenset({"digits.example"}), addresses=True, token="t")
    for host in ("digits.example", "192.168.1.2:8000", "[fe80::1]:8000"):
        assert ask(rules, headers=with_headers(("authorization", "Bearer t"), host=host)).status == 200
    assert ask(rules, headers=with_headers(("authorization", "Bearer t"), host="other.example")).status == 403


def test_host_names() -> None:
    assert host_name("[::1]:80") == "::1"
    assert host_name("A.example:80") == "a.example"
    assert [host_name(bad) for bad in ("", ":80", "a/b", "a?b", "[::1", "a:99999999")] == [None] * 6


FOREIGN = [
    ("origin", "http://evil.example"),
    ("origin", "null"),
    ("origin", "http://localhost:3000"),
    ("origin", "http://localhost"),
    ("origin", f"http://{HOST}.evil.example"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
]


@pytest.mark.parametrize("header", FOREIGN)
def test_pages_of_other_origins_may_not_act(header: tuple[str, str]) -> None:
    answer = ask(Rules(), headers=with_headers(header))
    assert answer.status == 403
    assert answer.problem == {
        "what": "Pages of other sites may not use this service.",
        "where": "Origin" if header[0] == "origin" else "Sec-Fetch-Site",
        "expected": "a request from a page of this service, or from a program",
        "received": header[1],
        "hint": None,
    }
    assert ask(Rules(), "GET", headers=with_headers(header)).status == 200  # which they can't read: no CORS header allows it


def test_the_own_page_may() -> None:
    own = with_headers(("origin", f"http://{HOST}"), ("sec-fetch-site", "same-origin"))
    assert ask(Rules(), headers=own).status == 200
    assert ask(Rules(), headers=[*own, ("origin", "http://evil.example")]).status == 403


@pytest.mark.parametrize("header", [("authorization", "Bearer right"), ("cookie", "a=b; glassnet-token=right")])
def test_the_token_opens(header: tuple[str, str]) -> None:
    assert ask(Rules(token="right"), headers=with_headers(header)).status == 200


def test_the_token_of_an_address_becomes_a_cookie() -> None:
    answer = ask(Rules(token="right"), "GET", "/", query="token=right")
    assert answer.status == 200
    assert answer.headers["set-cookie"] == "glassnet-token=right; HttpOnly; SameSite=Strict; Path=/"


@pytest.mark.parametrize(
    "header",
    [("authorization", "Bearer wrong"), ("authorization", "right"), ("cookie", "glassnet-token=wrong"), ("x", "right")],
)
def test_nothing_else_does(header: tuple[str, str]) -> None:
    answer = ask(Rules(token="right"), headers=with_headers(header), query="token=wrong")
    assert answer.status == 401
    assert answer.problem["what"] == "This service needs a token."
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "set-cookie" not in answer.headers
    assert "right" not in answer.body.decode()


def test_health_needs_no_token() -> None:
    assert ask(Rules(token="right"), "GET", "/api/health").status == 200


SMALL = Rules(most_bytes=100, pause=0.2, longest=0.6)


def test_a_body_within_the_limit() -> None:
    answer = ask(SMALL, headers=with_headers(("transfer-encoding", "chunked")), pieces=[b"a" * 50, b"b" * 50])
    assert answer.status == 200
    assert sum(answer.seen) == 100


def test_a_declared_body_that_is_too_large_is_never_given_to_the_app() -> None:
    answer = ask(SMALL, headers=with_headers(("content-length", "101")), pieces=[b"a" * 101])
    assert answer.status == 413
    assert answer.problem["received"] == "101 bytes"
    assert answer.seen == []
    assert "connection" not in answer.headers  # all of it was read and dropped


def test_an_endless_body_is_cut_off() -> None:
    given = 0

    def endless() -> Iterable[bytes | float]:
        nonlocal given
        while True:
            given += 1
            yield b"a" * 40
            yield 0.01

    answer = ask(SMALL, headers=with_headers(("transfer-encoding", "chunked")), pieces=endless())
    assert answer.status == 413
    assert answer.problem["what"] == "The request's body is too large."
    assert answer.problem["received"] == "120 bytes and more"
    assert answer.seen == [40, 40]
    assert answer.headers["connection"] == "close"
    assert given < 300


@pytest.mark.parametrize("pieces", [[b"a", 30.0], [b"a", 0.15, b"a", 0.15, b"a", 0.15, b"a", 0.15, b"a", 0.15, b"a", 30.0]])
def test_a_slow_body_is_cut_off(pieces: list[bytes | float]) -> None:
    answer = ask(SMALL, headers=with_headers(("content-length", "50")), pieces=pieces)
    assert answer.status == 408
    assert answer.problem["expected"] == "all of it within 0.6 s, without a pause of 0.2 s"
    assert answer.headers["connection"] == "close"


def test_all_bodies_together_are_limited() -> None:
    answer = ask(
        replace(SMALL, most_waiting=60), headers=with_headers(("content-length", "80")), pieces=[b"a" * 40, b"b" * 40]
    )
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"


def test_a_body_that_the_app_does_not_read_is_dropped() -> None:
    answer = ask(SMALL, headers=with_headers(("content-length", "80")), pieces=[b"a" * 80], reads=False)
    assert (answer.status, answer.seen) == (200, [])
    assert "connection" not in answer.headers
    unfinished = ask(SMALL, headers=with_headers(("content-length", "80")), pieces=[b"a", 30.0], reads=False)
    assert unfinished.headers["connection"] == "close"


def test_websockets_are_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def never(*arguments: Any) -> None:
        raise AssertionError

    asyncio.run(Guard(never, Rules())({"type": "websocket", "headers": []}, never, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
