"""Zips, folders and shards at an address: by HTTP with byte ranges from a server of this test, and in fsspec's memory."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.data import decode_many
from glassnet.data.remote import is_url
from glassnet.data.shards.fetch import fetch_shards
from glassnet.data.shards.shard import shard
from glassnet.errors import DataError, InputError
from tests.unit.data.test_shards import NAMES, SMALL, by_name, files_of

fsspec = pytest.importorskip("fsspec", reason="fsspec, which reads addresses, is not installed")
Write = Callable[..., Path]


class Ranges(SimpleHTTPRequestHandler):
    """A server of files that answers requests for ranges of bytes."""

    asked: list[tuple[str, int, int]]
    fails: list[str]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file() or any(text in self.path for text in self.fails):
            self.send_error(404)
            return
        content = path.read_bytes()
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = 0, len(content) - 1
        if found:
            first, last = int(found[1]), min(int(found[2] or last), last)
        self.asked.append((path.name, first, last))
        self.send_response(206 if found else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, type[Ranges]]]:
    """The address of the test's folder, and the server's class, which counts what it was asked."""
    handler: type[Ranges] = type("Handler", (Ranges,), {"asked": [], "fails": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_addresses() -> None:
    assert is_url("https://host/photos.zip")
    assert is_url("memory://photos")
    assert not is_url("photos.zip")
    assert not is_url("C:/photos")
    assert not is_url(Path("https://host/a"))


def test_a_zip_is_read_through_byte_ranges(images: Write, tmp_path: Path, served: tuple[str, type[Ranges]]) -> None:
    source = images(NAMES, at="images.zip")
    url, handler = served
    shard(f"{url}/images.zip", tmp_path / "out", **SMALL)
    expected, found = gn.load_dataset(source), gn.load_dataset(tmp_path / "out")
    assert by_name(found.train) == by_name(expected.train)
    assert all(name == "images.zip" for name, _, _ in handler.asked)


def test_a_folder_in_memory(images: Write, tmp_path: Path) -> None:
    source = images(NAMES)
    system = fsspec.filesystem("memory")
    for name in NAMES:
        system.pipe(f"/photos/{name}", (source / name).read_bytes())
    try:
        shard("memory://photos", tmp_path / "out", **SMALL)
        expected, found = gn.load_dataset(source), gn.load_dataset(tmp_path / "out")
        assert by_name(found.train) == by_name(expected.train)
        with pytest.raises(DataError, match="There is nothing at this address"):
            shard("memory://elsewhere", tmp_path / "other")
        shard(source.as_uri(), tmp_path / "file", **SMALL)
        assert by_name(gn.load_dataset(tmp_path / "file").train) == by_name(expected.train)
    finally:
        system.rm("/photos", recursive=True)


def test_shards_are_fetched_once_and_mapped(images: Write, tmp_path: Path, served: tuple[str, type[Ranges]]) -> None:
    url, handler = served
    shard(images(NAMES), tmp_path / "out", **SMALL)
    splits = gn.load_dataset(f"{url}/out/")
    assert isinstance(splits.train.images, np.memmap)
    assert by_name(splits.train) == by_name(gn.load_dataset(tmp_path / "out").train)
    fetched = fetch_shards(f"{url}/out")
    assert files_of(fetched) == files_of(tmp_path / "out")
    assert not (fetched / "unfinished").exists()
    handler.asked.clear()
    gn.load_dataset(f"{url}/out/")
    assert {name for name, _, _ in handler.asked} == {"shards.json"}


def test_fetching_goes_on_where_it_was_interrupted(
    images: Write, tmp_path: Path, served: tuple[str, type[Ranges]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, handler = served
    shard(images(NAMES), tmp_path / "out", **SMALL)
    handler.fails.append("test.images")
    with pytest.raises(DataError, match="There is nothing at this address") as error:
        fetch_shards(f"{url}/out")
    assert "test.images.npy" in str(error.value.where)
    handler.fails.clear()
    handler.asked.clear()
    (unfinished,) = (tmp_path / ".cache" / "data" / "shards").glob("*/unfinished")
    (unfinished / "mine.fetched").touch()
    fetched = fetch_shards(f"{url}/out")
    assert [path.name for path in unfinished.iterdir()] == ["mine.fetched"]  # not glassnet's
    assert not [name for name, _, _ in handler.asked if name == "train.images.npy"]
    assert files_of(fetched) == files_of(tmp_path / "out")


def test_bytes_that_are_not_those_of_the_manifest(images: Write, tmp_path: Path, served: tuple[str, type[Ranges]]) -> None:
    url, _ = served
    shard(images(NAMES), tmp_path / "out", **SMALL)
    path = tmp_path / "out" / "train.images.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(DataError, match="the bytes are not those that the manifest says"):
        gn.load_dataset(f"{url}/out")


def test_wrong_addresses(tmp_path: Path, served: tuple[str, type[Ranges]], monkeypatch: pytest.MonkeyPatch) -> None:
    url, _ = served
    for address in (f"{url}/missing.zip", f"{url}/missing/", "http://127.0.0.1:9/a.zip", "nosuch://a/b.zip"):
        with pytest.raises(DataError, match=r"There is nothing at this address|This address can't be read"):
            shard(address, tmp_path / "out")
        with pytest.raises(DataError, match=r"There is nothing at this address|This address can't be read"):
            gn.load_dataset(address)
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for read in (gn.load_dataset, lambda address: shard(address, tmp_path / "out")):
        with pytest.raises(InputError, match=r'Addresses are read by fsspec(.|\n)*pip install "glassnet\[remote\]"'):
            read(f"{url}/a.zip")


def test_a_recipe_is_trained_on_shards_at_an_address(
    tmp_path: Path, served: tuple[str, type[Ranges]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = served
    monkeypatch.setattr(decode_many, "PATIENCE", 1e9)
    shard("digits", tmp_path / "out", workers=1)
    run = gn.train("digits", data=f"{url}/out", epochs=1, out=tmp_path / "run", progress=False)
    assert run.recipe.data.path == f"{url}/out"
    assert isinstance(gn.Run.load(tmp_path / "run").splits.train.images, np.memmap)
