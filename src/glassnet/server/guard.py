"""What a request passes before an app sees it: its host, its origin, its token, and the size and pace of its body."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from glassnet.server.problems import Refused, problem_bytes
from glassnet.support.i18n import tr

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

COOKIE = "glassnet-token"
READING = ("GET", "HEAD", "OPTIONS")  # these change nothing and use nothing up
LINGER = 1.0  # seconds in which the rest of a refused body is read and dropped, so that its sender sees the answer
ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
]


@dataclass(frozen=True)
class Rules:
    """What a `Guard` lets through.

    `hosts`: names by which the service may be called, beside those of loopback. `addresses`: whether any IP address is such
    a name, for a service that is bound elsewhere (names can be made to point anywhere, addresses can't). `token`: what a
    client has to know; None asks for none. `open_paths` need no token. `most_bytes` of one body, `most_waiting` of all at
    once. `pause`, `longest`: seconds between two pieces of a body, and for all of it.
    """

    hosts: frozenset[str] = frozenset()
    addresses: bool = False
    token: str | None = None
    open_paths: frozenset[str] = frozenset({"/api/health"})
    most_bytes: int = 16 << 20
    most_waiting: int = 128 << 20
    pause: float = 5.0
    longest: float = 30.0


class Guard:
    """ASGI middleware that answers what `rules` do not allow itself: 400, 401, 403, 408, 413, 503, with a reason in JSON."""

    def __init__(self, app: App, rules: Rules) -> None:
        self.app, self.rules = app, rules
        self.waiting = 0  # bytes of bodies that were received for requests in progress

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # a websocket
            await send({"type": "websocket.close", "code": 1008})
            return
        body, started = _Body(self, scope["headers"], receive), False
        more = list(ALWAYS)

        async def answer(message: Message) -> None:
            nonlocal started
            if not started:
                if body.refused is not None:
                    return  # sent below, in place of what the app says
                await body.drain()
                started = True
                known = {name.lower() for name, _ in message.get("headers", ())}
                message["headers"] = [
                    *message.get("headers", ()),
                    *((name, value) for name, value in more if name not in known),
                    *body.close(),
                ]
            await send(message)

        try:
            body.refused = self._check(scope, more)
            if body.refused is None:
                await self.app(scope, body.receive, answer)
        except Exception:
            if body.refused is None or started:
                raise
        finally:
            self.waiting -= body.kept
        if body.refused is not None and not started:
            await body.drain()
            await _refuse(send, body.refused, [*more, *body.close()])

    def _check(self, scope: MutableMapping[str, Any], more: Headers) -> Refused | None:
        """What is wrong with the request before its body; adds to the answer's headers `more`."""
        headers, rules = scope["headers"], self.rules
        hosts = _values(headers, b"host")
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None or not self._is_ours(name):
            return Refused(
                400 if name is None else 403,
                tr("This service is not called by that name."),
                where="Host",
                expected=tr("localhost, or a name that was given with --allow-host"),
                received=", ".join(hosts) or tr("nothing"),
            )
        if scope["method"] not in READING and (wrong := _foreign(headers, hosts[0])) is not None:
            where, received = wrong
            return Refused(
                403,
                tr("Pages of other sites may not use this service."),
                where=where,
                expected=tr("a request from a page of this service, or from a program"),
                received=received,
            )
        if rules.token is None or scope["path"] in rules.open_paths:
            return None
        query = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        if not _knows(rules.token, headers, query):
            return Refused(
                401,
                tr("This service needs a token."),
                where="Authorization",
                expected="Authorization: Bearer TOKEN",
                received=tr("no token, or another"),
                hint=tr("`glassnet serve` showed it when it started"),
                headers={"www-authenticate": "Bearer"},
            )
        if query:  # of the address that was shown; the page itself has no other way to send it
            more.append((b"set-cookie", f"{COOKIE}={rules.token}; HttpOnly; SameSite=Strict; Path=/".encode("latin-1")))
        return None

    def _is_ours(self, name: str) -> bool:
        if name == "localhost" or name in self.rules.hosts:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.rules.addresses


class _Body:
    """A request's body: counted and timed as its pieces arrive."""

    def __init__(self, guard: Guard, headers: Headers, receive: Receive) -> None:
        self._guard, self._receive = guard, receive
        self.refused: Refused | None = None
        self.kept, self._seen, self._until = 0, 0, 0.0
        lengths = _values(headers, b"content-length")
        self._declared = int(lengths[0]) if lengths and lengths[0].isdigit() else 0
        self._finished = not self._declared and not _values(headers, b"transfer-encoding")

    async def receive(self) -> Message:
        if self.refused is not None:
            raise self.refused
        if self._finished:  # then this waits for the client to leave
            return await self._receive()
        if self._declared > self._guard.rules.most_bytes:
            raise self._refuse(self._too_large(self._declared))
        message = await self._next()
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self._seen += size
            if self._seen > self._guard.rules.most_bytes:
                raise self._refuse(self._too_large(self._seen))
            if self._guard.waiting + size > self._guard.rules.most_waiting:
                raise self._refuse(busy(tr("Too much is being sent to this service at once.")))
            self.kept += size
            self._guard.waiting += size
        return message

    async def _next(self) -> Message:
        clock, rules = asyncio.get_running_loop().time, self._guard.rules
        self._until = self._until or clock() + rules.longest
        try:
            async with asyncio.timeout(max(0, min(rules.pause, self._until - clock()))):
                message = await self._receive()
        except TimeoutError:
            raise self._refuse(
                Refused(
                    408,
                    tr("The request's body came too slowly."),
                    where=tr("the body"),
                    expected=tr(
                        "all of it within {longest:g} s, without a pause of {pause:g} s",
                        longest=rules.longest,
                        pause=rules.pause,
                    ),
                    received=tr("{count:,} bytes", count=self._seen),
                )
            ) from None
        self._finished = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    def _refuse(self, error: Refused) -> Refused:
        self.refused = error
        return error

    def _too_large(self, size: int) -> Refused:
        return Refused(
            413,
            tr("The request's body is too large."),
            where=tr("the body"),
            expected=tr("at most {count:,} bytes", count=self._guard.rules.most_bytes),
            received=tr("{count:,} bytes", count=size) if self._declared else tr("{count:,} bytes and more", count=size),
        )

    async def drain(self) -> None:
        """Read and drop what is left of the body, for a moment: a sender who is cut off while sending sees no answer."""
        if self._finished or (self.refused is not None and self.refused.status == 408):
            return
        try:
            async with asyncio.timeout(LINGER):
                while not self._finished:
                    message = await self._receive()
                    self._finished = message["type"] != "http.request" or not message.get("more_body", False)
        except TimeoutError:
            pass

    def close(self) -> Headers:
        """The header that ends the connection where the body goes on."""
        return [] if self._finished else [(b"connection", b"close")]


def busy(what: str) -> Refused:
    """503: to be tried again."""
    return Refused(503, what, hint=tr("try again in a second"), headers={"retry-after": "1"})


def host_name(host: str) -> str | None:
    """The name or address in a Host header or in what stands for it, in lower case; None if there is none."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  # raises ValueError for what is no port
    except ValueError:
        return None
    if parts.username is not None or parts.path or parts.query or parts.fragment or not parts.hostname:
        return None
    return parts.hostname.rstrip(".")


def _foreign(headers: Headers, host: str) -> tuple[str, str] | None:
    """The header, and its value, that shows a page of another origin, which one on another port is, too; else None."""
    for site in _values(headers, b"sec-fetch-site"):
        if site not in ("same-origin", "none"):
            return "Sec-Fetch-Site", site
    for origin in _values(headers, b"origin"):
        if origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return "Origin", origin
    return None


def _knows(token: str, headers: Headers, query: Iterable[str]) -> bool:
    offered = [*query]
    for value in _values(headers, b"authorization"):
        scheme, _, rest = value.partition(" ")
        if scheme.lower() == "bearer":
            offered.append(rest.strip())
    for value in _values(headers, b"cookie"):
        try:
            found = SimpleCookie(value).get(COOKIE)
        except CookieError:
            continue
        if found is not None:
            offered.append(found.value)
    return any(secrets.compare_digest(one.encode("utf-8", "replace"), token.encode()) for one in offered)


def _values(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in headers if key.lower() == name]


async def _refuse(send: Send, error: Refused, headers: Headers) -> None:
    body = problem_bytes(error)
    named = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in error.headers.items()]
    about = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": [*about, *named, *headers]})
    await send({"type": "http.response.body", "body": body})
