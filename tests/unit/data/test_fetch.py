"""Downloading, from a server on this machine: dead mirrors, mirrors that serve rubbish, and no mirror at all."""

from __future__ import annotations

import gzip
import hashlib
import logging
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from glassnet.data import Remote, cache_folder, fetch_remote, load_dataset, read_mnist
from glassnet.data.readers.mnist import PARTS
from glassnet.errors import DataError
from glassnet.support.cache import TAG


def _content(name: str) -> bytes:
    images, count = "images" in name, 6 if "train" in name else 2
    shape = (count, 3, 3) if images else (count,)
    return gzip.compress(struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(int(np.prod(shape))))


CONTENT = {f"{part}.gz": _content(part) for part in PARTS}
CHECKSUMS = {name: "md5:" + hashlib.md5(content).hexdigest() for name, content in CONTENT.items()}


class Server:
    """`good/` serves the files, `bad/` other bytes, `short/` half of them; `asked` keeps every request."""

    def __init__(self) -> None:
        asked = self.asked = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                _, mirror, name = self.path.split("/")
                content = CONTENT.get(name, b"")
                if mirror not in ("good", "bad", "short") or not content:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                half = len(content) // 2
                self.wfile.write({"good": content, "bad": content[::-1], "short": content[:half]}[mirror])

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("GLASSNET_DATA", raising=False)
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture
def dead() -> Iterator[str]:
    """The address of a mirror that refuses connections: a port that is held, but not listened on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/mnist/"


def remote(*mirrors: str) -> Remote:
    return Remote("mnist", CHECKSUMS, mirrors)


def test_mirrors_in_turn(server: Server, dead: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="pooch"):
        mirrors = (dead, f"{server.url}/none", f"{server.url}/bad/", f"{server.url}/short", f"{server.url}/good/")
        folder = fetch_remote(remote(*mirrors))
    assert folder == cache_folder() / "mnist"
    assert {path.name: path.read_bytes() for path in folder.glob("*.gz")} == CONTENT
    assert len(list(folder.iterdir())) == len(CONTENT) + 1  # and the mark
    first = "train-images-idx3-ubyte.gz"
    assert server.asked[:4] == [f"/none/{first}", f"/bad/{first}", f"/short/{first}", f"/good/{first}"]
    assert server.asked[4:] == [f"/good/{name}" for name in list(CONTENT)[1:]]  # the mirror that worked comes first
    assert not [record for record in caplog.records if record.name == "pooch"]


def test_downloaded_once_and_again_only_what_is_damaged(server: Server) -> None:
    folder = fetch_remote(remote(f"{server.url}/good"))
    server.asked.clear()
    fetch_remote(remote(f"{server.url}/good"))
    assert server.asked == []
    damaged = folder / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(b"rubbish")
    fetch_remote(remote(f"{server.url}/good"))
    assert server.asked == ["/good/t10k-labels-idx1-ubyte.gz"]
    assert damaged.read_bytes() == CONTENT[damaged.name]


def test_no_mirror_can_serve_it(server: Server, dead: str) -> None:
    with pytest.raises(DataError) as caught:
        fetch_remote(remote(dead, f"{server.url}/none", f"{server.url}/bad"))
    message = str(caught.value)
    assert message.startswith("The data set mnist could not be downloaded.\n  where:    train-images-idx3-ubyte.gz")
    assert f"with the checksum {CHECKSUMS['train-images-idx3-ubyte.gz']}" in message
    assert f"{dead}: no connection (ConnectionError)" in message
    assert f"{server.url}/none: HTTP 404" in message
    assert f"{server.url}/bad: other bytes than expected (the checksum differs)" in message
    assert "GLASSNET_DATA" in message
    assert "--data" in message
    assert [path.name for path in (cache_folder() / "mnist").iterdir()] == [TAG]  # nothing half-written


def test_another_file_of_the_name_stays(server: Server) -> None:
    """Other data sets come in files of the same names as MNIST's."""
    first, second, *_ = CONTENT
    folder = cache_folder() / "mnist"
    folder.mkdir(parents=True)
    (folder / first).write_bytes(CONTENT[first])
    (folder / second).write_bytes(b"of somebody else")
    with pytest.raises(DataError) as caught:
        fetch_remote(remote(f"{server.url}/good"))
    assert str(caught.value) == (
        "The folder for downloaded data has another file of this name, which glassnet did not put there.\n"
        f"  where:    {folder / second}\n"
        f"  expected: a file with the checksum {CHECKSUMS[second]}, or none\n"
        "  try:      move it away, or set GLASSNET_CACHE to another folder"
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {first: CONTENT[first], second: b"of somebody else"}
    (folder / second).unlink()
    fetch_remote(remote(f"{server.url}/good"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT


def test_the_cache_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"(?s)The folder for downloaded data can't be made.*set GLASSNET_CACHE to another"):
        fetch_remote(remote("http://127.0.0.1:9"))


def test_where_downloads_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "data"
    monkeypatch.delenv("GLASSNET_CACHE")
    assert cache_folder().name == "data"
    assert "glassnet" in str(cache_folder())


def test_mnist_is_fetched_only_when_asked_to(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("glassnet.data.readers.mnist.MNIST", remote(f"{server.url}/good"))
    with pytest.raises(DataError, match="MNIST is not on this machine"):
        load_dataset("mnist")
    assert server.asked == []
    assert len(load_dataset("mnist", download=True).train) == 5
    assert len(server.asked) == 4
    assert len(load_dataset("mnist").train) == 5
    (cache_folder() / "mnist" / "t10k-images-idx3-ubyte.gz").write_bytes(b"rubbish")
    assert len(load_dataset("mnist", download=True).train) == 5
    assert len(server.asked) == 5
    data = tmp_path / "data"
    (cache_folder() / "mnist").rename(data)
    monkeypatch.setenv("GLASSNET_DATA", str(data))
    assert len(read_mnist(download=True).train) == 5  # it is there already
    assert len(server.asked) == 5


def test_the_mirrors_of_mnist() -> None:
    from glassnet.data.readers.mnist import MNIST

    assert [name.removesuffix(".gz") for name in MNIST.files] == list(PARTS)
    assert all(len(checksum.removeprefix("md5:")) == 32 for checksum in MNIST.files.values())
    assert len(MNIST.mirrors) >= 3
    assert all(mirror.startswith("https://") for mirror in MNIST.mirrors)
