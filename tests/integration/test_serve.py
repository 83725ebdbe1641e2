"""`glassnet serve` as a process: its connections, its end, and what it says where it can't start."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import glassnet as gn
from glassnet.cli.console import run_app
from glassnet.cli.main import app
from glassnet.errors import InputError
from glassnet.server import listen

PIXELS = json.dumps([[0, 0, 200, 0, 0, 0, 0, 0]] * 8)
JSON = {"content-type": "application/json"}
# As it is, but with shorter times, and an app that takes a second for a body of one byte.
PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have switched it off for what runs in its background
from dataclasses import replace
from glassnet.server import app, bodies, guard, listen
listen.HEADERS_WITHIN = 0.5
guard.LINGER = 0.3
Rules = guard.Rules
guard.Rules = lambda **options: replace(Rules(**options), most_bytes=100_000, pause=0.5, longest=2.0)
is_quick, images_in = app._is_quick, app.images_in
def slow(kind, body):
    if len(body) == 1:
        time.sleep(1)
    return images_in(kind, body)
app.images_in = slow
app._is_quick = lambda kind, body: len(body) != 1 and is_quick(kind, body)
from glassnet.cli.console import run_app
from glassnet.cli.main import app
sys.exit(run_app(app, ["serve", *sys.argv[1:]]))
"""


class Service:
    """`glassnet serve` in a process of its own."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-c", PROGRAM, *map(str, arguments), "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
        assert self.process.stdout is not None
        self.said: list[str] = []
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if found := re.search(r"http://\S+:(\d+)/api/predict", line):
                self.port = int(found[1])
                break
        else:
            pytest.fail(self.process.communicate()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self) -> list[Any]:
        """Ctrl-C; the requests that it has logged."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        assert out.splitlines()[-1] == "The service has ended; requests in progress were answered."
        assert self.process.returncode == 130
        return [json.loads(line) for line in err.splitlines()]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serve") / "net.safetensors"
    gn.Network([64, 5, 10], input_shape=(8, 8, 1), seed=1).save(path)
    return path


@pytest.fixture
def service(model: Path) -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def start(*arguments: object) -> Service:
        started.append(Service(model, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def everything(connection: socket.socket) -> bytes:
    """What comes until the connection is closed."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(1 << 16):
            found += piece
    return found


def test_ctrl_c_ends_it_after_answering(service: Callable[..., Service]) -> None:
    one = service()
    with httpx.Client() as client, one.connect() as busy:
        assert client.post(f"{one.url}/api/predict", content=PIXELS, headers=JSON).json()["run"] == "net"
        head = "POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1"
        busy.sendall(head.encode())  # the app takes a second for it
        time.sleep(0.3)
        one.process.send_signal(signal.SIGINT)
        answer = everything(busy)
        assert answer.startswith(b"HTTP/1.1 422 ")
    assert [row["status"] for row in one.stop()] == [200, 422]
    with pytest.raises(OSError):
        one.connect()


def test_slow_and_endless_clients_are_cut_off(service: Callable[..., Service]) -> None:
    one = service()
    head = "POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()
    with one.connect() as silent, one.connect() as headers, one.connect() as slow, one.connect() as endless:
        headers.sendall(head.encode()[:20])
        slow.sendall(f"{head}Content-Length: 1000\r\n\r\nabc".encode())
        endless.sendall(chunked)
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - start < 30:
                endless.sendall(b"1000\r\n" + bytes(4096) + b"\r\n")
        assert time.monotonic() - start < 20
        assert everything(slow).startswith(b"HTTP/1.1 408 ")
        assert everything(silent) == everything(headers) == b""
    with one.connect() as large:
        large.sendall(chunked + b"186A1\r\n" + bytes(100_001) + b"\r\n0\r\n\r\n")
        assert large.recv(100).startswith(b"HTTP/1.1 413 ")
    assert httpx.get(f"{one.url}/api/health").json() == {"status": "ok"}
    assert sorted(row["status"] for row in one.stop()) == [200, 408, 413, 413]


def test_elsewhere_a_token_is_needed(service: Callable[..., Service]) -> None:
    one = service("--host", "0.0.0.0", "--quiet")
    (line,) = one.process.stdout.readlines(1) if one.process.stdout else [""]
    token = line.partition("token: ")[2].strip()
    assert len(token) >= 32
    asked = {"url": f"{one.url}/api/predict", "content": PIXELS}
    assert httpx.post(**asked, headers=JSON).status_code == 401
    assert httpx.post(**asked, headers={**JSON, "authorization": f"Bearer {token}"}).status_code == 200
    assert (
        httpx.post(**asked, headers={**JSON, "authorization": f"Bearer {token}", "host": "evil.example"}).status_code == 403
    )
    assert httpx.get(f"{one.url}/api/model?token={token}").headers["set-cookie"].startswith(f"glassnet-token={token};")
    assert one.stop() == []


# ------------------------------------------------------------------ where it can't start


def wrong(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run_app(app, ["serve", *map(str, arguments)]) == 2
    outcome = capsys.readouterr()
    assert "Traceback" not in outcome.err
    return outcome.err


def test_a_port_in_use(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = wrong(capsys, model, "--port", port)
    assert said.startswith("glassnet: Another program listens on this port.")
    proposed = re.search(r"try: +--port (\d+)", said)
    assert proposed
    with listen.open_socket("127.0.0.1", int(proposed[1])):
        pass


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7", "a\0b", "x" * 300])
def test_an_address_of_another_machine(host: str) -> None:
    with pytest.raises(InputError, match="can't listen there"):
        listen.open_socket(host, 0)


def test_a_run_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected:" in wrong(capsys, tmp_path / "nothing", "--port", 0)
    (tmp_path / "file").write_bytes(b"text")
    assert "Traceback" not in wrong(capsys, tmp_path / "file", "--port", 0)


def test_a_token_that_can_be_guessed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "This token is too short" in wrong(capsys, model, "--token", "abc", "--port", 0)
    assert "This token is too short" in wrong(capsys, model, "--token", "sixteen letters;", "--port", 0)


def test_packages_that_are_not_installed(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find: Any = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "uvicorn" else find(name, *more))
    said = wrong(capsys, model)
    assert "received: no uvicorn" in said
    assert 'pip install "glassnet[serve]"' in said
