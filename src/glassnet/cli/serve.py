"""`glassnet serve RUN…`: networks that answer over HTTP."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import secrets
import shlex
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from glassnet.cli.console import fail, say, working
from glassnet.support.environment import available_cores
from glassnet.support.i18n import mark, tr

HELP = mark("Serve a page on which to try networks, and POST /api/predict. On this machine only, unless told otherwise.")
NEEDED = ("fastapi", "uvicorn")
LEAST_TOKEN = 16  # characters: a shorter one can be guessed


def command(
    runs: Annotated[list[Path], typer.Argument(help=mark("Run folders or model files."), show_default=False)],
    host: Annotated[
        str, typer.Option(help=mark("The address to listen on; any but this machine's own (127.0.0.1, ::1) needs a token."))
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help=mark("The port to listen on; 0 takes a free one."))] = 8000,
    token: Annotated[
        str | None,
        typer.Option(help=mark("What clients have to know; better in GLASSNET_TOKEN. Made anew where one is needed.")),
    ] = None,
    allowed: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help=mark("A name that this machine is called by; repeatable.")),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help=mark("Do not log requests on stderr."))] = False,
) -> None:
    _require_extra()
    from glassnet.experiment.run import Run
    from glassnet.present.page import page_html
    from glassnet.server.app import make_app
    from glassnet.server.guard import Rules
    from glassnet.server.listen import open_socket, serve
    from glassnet.server.served import load

    local = _is_loopback(host)
    token = _checked(token or os.environ.get("GLASSNET_TOKEN"), local=local)
    names = frozenset(name.lower() for name in [*(allowed or []), *([] if local else [host, socket.gethostname()])])
    os.environ.setdefault("GLASSNET_THREADS", str(max(1, available_cores() - 1)))  # one reads requests
    with open_socket(host, port) as listening:  # before anything slow: the port may be in use
        with working(tr("reading the runs")):
            served = load(runs)
            page = (
                page_html(trained)
                if (trained := [one.like for one in served.values() if isinstance(one.like, Run)])
                else None
            )
        app = make_app(served, page, Rules(hosts=names, addresses=not local, token=token), quiet=quiet)
        own = listening.getsockname()[1]
        address = f"http://{_shown(host)}:{own}"
        say(*(tr("{name}: {path}", name=name, path=path) for name, path in zip(served, runs, strict=True)))
        query = "" if token is None else f"/?token={token}"
        if page is not None:
            say(tr("{address}: the page, on which to draw and look inside", address=address + query))
        say(tr("{address}/api/predict answers; Ctrl-C ends it", address=address))
        if token is not None:
            say(tr("token: {token}", token=token))
        try:
            serve(app, listening)
        except KeyboardInterrupt:
            say(tr("The service has ended; requests in progress were answered."))
            fail(130)


def _require_extra() -> None:
    """Raise `InputError` where the packages that serve are not installed."""
    from glassnet.errors import InputError

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            tr("Serving needs packages that are not installed."),
            where="glassnet serve",
            expected=", ".join(NEEDED),
            received=tr("no {names}", names=", ".join(missing)),
            hint=f'{shlex.quote(sys.executable)} -m pip install "glassnet[serve]"',
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(token: str | None, *, local: bool) -> str | None:
    """The token that was given, else, where others can reach the service, a new one."""
    from glassnet.errors import InputError

    if not token:
        return None if local else secrets.token_urlsafe(24)
    if len(token) < LEAST_TOKEN or not all(letter.isalnum() or letter in "-_." for letter in token) or not token.isascii():
        raise InputError(
            tr("This token is too short, or holds characters that can't be sent."),
            where="--token | GLASSNET_TOKEN",
            expected=tr("at least {count} letters, digits, -, _ or .", count=LEAST_TOKEN),
            received=tr("{count} characters", count=len(token)),
            hint=tr("leave it out: one is made where it is needed"),
        )
    return token


def _shown(host: str) -> str:
    """The host as it stands in an address."""
    if host in ("0.0.0.0", "::", ""):
        host = socket.gethostname()
    return f"[{host}]" if ":" in host else host
