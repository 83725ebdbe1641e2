"""`glassnet predict` with photos: --prepare, --find, --show, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import glassnet as gn
from benchmarks.photos import overlap, photo
from glassnet.data import read_digits
from glassnet.support.storage import read_tensors, write_tensors

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that reads digits well; not to be changed."""
    folder = tmp_path_factory.mktemp("reader") / "digits"
    gn.train("digits", epochs=20, seed=0, out=folder, progress=False)
    return folder


@pytest.fixture
def photographed(here: Path) -> tuple[Path, list[int], list[tuple[float, ...]]]:
    """A page with ten digits, what they are, and their boxes."""
    test = read_digits().test
    assert test is not None
    image, boxes = photo(test.images[:10, ..., 0], np.random.default_rng(2))
    Image.fromarray(image).save("page.png")
    return Path("page.png"), test.labels[:10].tolist(), list(boxes)


@pytest.fixture
def seven(here: Path) -> Path:
    """A photo of the first 7 of the test set."""
    test = read_digits().test
    assert test is not None
    place = int(np.flatnonzero(test.labels == 7)[0])
    Image.fromarray(photo(test.images[place : place + 1, ..., 0], np.random.default_rng(0))[0]).save("seven.jpg")
    return Path("seven.jpg")


def answers(cli: CommandLine, *arguments: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cli.good("predict", *arguments, "--json").out)
    return found


def test_a_photo_is_prepared_and_that_is_said(cli: CommandLine, reader: Path, seven: Path) -> None:
    said = cli.good("predict", reader, seven).lines
    assert said[0].startswith("seven.jpg: 7 ")
    assert said[1].startswith("  dark ink on light, ")
    assert "scaled so that its longer side is 8 pixels, centred by its box" in said[1]
    assert len(said) == 2
    (answer,) = answers(cli, reader, seven)
    assert (answer["class"], answer["prepared"]["kind"]) == ("7", "ink")
    assert len(answer["prepared"]["box"]) == 4
    assert ", ".join(answer["prepared"]["steps"]) == said[1].strip()
    assert answers(cli, reader / "model.safetensors", seven)[0]["probabilities"] == answer["probabilities"]
    assert answers(cli, reader, seven, "--prepare", "ink") == [answer]


def test_none_only_resizes(cli: CommandLine, reader: Path, seven: Path) -> None:
    assert len(cli.good("predict", reader, seven, "--prepare", "none").lines) == 1
    (answer,) = answers(cli, reader, seven, "--prepare", "none")
    run = gn.Run.load(reader)
    resized = gn.data.read_image(seven, (8, 8, 1))
    assert answer["probabilities"] == pytest.approx(
        dict(zip("0123456789", run.network.predict_proba(resized)[0], strict=True)), abs=1e-5
    )
    inverted = answers(cli, reader, seven, "--invert")[0]
    assert list(inverted["probabilities"].values()) == pytest.approx(run.network.predict_proba(255 - resized)[0], abs=1e-5)


def test_a_blank_image_gets_no_answer(cli: CommandLine, reader: Path) -> None:
    Image.new("L", (200, 200), 255).save("white.png")
    for options in ([], ["--find"]):
        assert cli.good("predict", reader, "white.png", *options).lines == ["white.png: blank: no ink was found"]
        (answer,) = answers(cli, reader, "white.png", *options)
        assert (answer["class"], answer["index"], answer["prepared"]["kind"]) == (None, None, "blank")


def test_a_page_is_read_in_lines(cli: CommandLine, reader: Path, photographed: tuple[Path, list[int], list[Any]]) -> None:
    path, labels, boxes = photographed
    said = cli.good("predict", reader, path, "--find", "--show", "seen.png").lines
    assert said[0] == "page.png: 10 characters in 2 lines"
    read = [int(word) for line in said[1:] for word in line.split()]
    assert [len(line.split()) for line in said[1:]] == [5, 5]
    assert sum(a == b for a, b in zip(read, labels, strict=True)) >= 9
    found = answers(cli, reader, path, "--find")
    assert [answer["index"] for answer in found] == read
    assert all(answer["file"] == "page.png" for answer in found)
    assert all(overlap(answer["prepared"]["box"], box) > 0.5 for answer, box in zip(found, boxes, strict=True))
    with Image.open("seen.png") as seen:
        assert seen.width > 800
        assert len(np.unique(np.asarray(seen.convert("RGB")).reshape(-1, 3), axis=0)) > 1000


def test_show_draws_every_kind(cli: CommandLine, reader: Path, seven: Path) -> None:
    Image.new("L", (200, 200), 255).save("white.png")
    np.save("array.npy", np.zeros((8, 8, 1), np.uint8))
    with Image.open(seven) as image:
        image.resize((8, 8)).save("small.png")
    cli.good("predict", reader, seven, "white.png", "array.npy", "small.png", "--show", "seen.svg")
    text = Path("seen.svg").read_text(encoding="utf-8")
    assert text.count("<image ") == 8
    assert {path.name for path in Path().iterdir()} == {"seven.jpg", "white.png", "array.npy", "small.png", "seen.svg"}


def test_an_older_model_file(cli: CommandLine, reader: Path, seven: Path) -> None:
    tensors, header = read_tensors(reader / "model.safetensors", "model")
    kept = {name: value for name, value in header.items() if name not in ("format", "sha256", "image_style")}
    write_tensors(Path("old.safetensors"), tensors, kept)
    said = cli.good("predict", "old.safetensors", seven).lines
    assert said[1] == "  only resized: the model file does not say what its training images look like"
    parts = cli.wrong("predict", "old.safetensors", seven, "--prepare", "ink")
    assert parts["what"] == "Ink can only be looked for where the network was trained on ink on a plain ground."
    assert parts["received"] == "a model that does not say what it was trained on"
    assert cli.wrong("predict", "old.safetensors", seven, "--find") == parts
    write_tensors(Path("odd.safetensors"), tensors, kept | {"image_style": {"ink": "yes"}})
    assert cli.wrong("predict", "odd.safetensors", seven)["what"] == "The file's header does not describe a network."


def test_wrong_combinations(cli: CommandLine, reader: Path, seven: Path) -> None:
    parts = cli.wrong("predict", reader, seven, "--prepare", "inks")
    assert (parts["what"], parts["expected"], parts["try"]) == ("Unknown mode.", "auto | ink | none", "did you mean 'ink'?")
    for options, received in ((["--find"], "--find"), (["--prepare", "ink"], "--prepare ink")):
        parts = cli.wrong("predict", reader, seven, "--invert", *options)
        assert (parts["what"], parts["received"]) == ("--invert is for images that are only resized.", received)
    assert cli.wrong("predict", reader, seven, "--find", "--prepare", "none")["received"] == "--prepare none"
    assert cli.wrong("predict", reader, seven, "--show", "nowhere/seen.png")["what"] == "The file can't be written."
    np.save("floats.npy", np.zeros((8, 8, 1), np.float32))
    assert cli.wrong("predict", reader, "floats.npy", "--prepare", "ink")["what"] == "This array is not an image."


def test_a_folder_is_prepared_in_its_order(cli: CommandLine, reader: Path, here: Path) -> None:
    """On several threads, with the results of one image after the other; what can't be read is named."""
    test, folder = read_digits().test, Path("photos")
    assert test is not None
    folder.mkdir()
    for number in range(12):
        page = photo(test.images[number : number + 1, ..., 0], np.random.default_rng(number))[0]
        Image.fromarray(page).save(folder / f"{number:02}.png")
    (folder / "05.png").write_bytes(b"no image")
    result = cli("predict", reader, folder, "--json")
    together = json.loads(result.out)
    assert [Path(found["file"]).name for found in together] == [f"{number:02}.png" for number in range(12) if number != 5]
    assert together == answers(cli, reader, *(found["file"] for found in together))
    assert result.err.count("is left out") == 1
