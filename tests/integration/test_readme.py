"""Every code block of the READMEs and the docs runs, in order, each file in its own folder."""

from __future__ import annotations

import ast
import re
import shlex
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from glassnet.cli.console import run_app
from glassnet.cli.main import app
from glassnet.data import find_mnist

ROOT = Path(__file__).parents[2]
FILES = [Path("README.md"), Path("README.zh-CN.md"), *sorted(path.relative_to(ROOT) for path in ROOT.glob("docs/*.md"))]
BLOCK = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^ *(?P=fence) *$", re.M | re.S)
PHOTOS = "photos"  # the folder that the documents train on
SHELL, PYTHON = ("console", "sh", "bash", "shell"), ("python", "py")
NOT_RUN = ("make", "pip", "git", "cd", "python", "python3", "uv", "pipx", "export", "source", ".", "ls", "open", "cat")
MNIST = re.compile(r"mnist|nielsen", re.I)
EPOCHS = 5  # of recipes for MNIST, enough to see that they run


@dataclass
class Block:
    language: str
    body: str
    line: int

    @property
    def needs_mnist(self) -> bool:
        return MNIST.search(self.body) is not None

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block: lines after `$ ` in a transcript, else every line."""
        lines = re.sub(r"\\\n", " ", self.body).splitlines()
        if self.language == "console" or any(line.startswith("$ ") for line in lines):
            return [line[2:] for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def blocks_of(text: str) -> list[Block]:
    found = []
    for match in BLOCK.finditer(text):
        if match["language"] in SHELL + PYTHON:
            body = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.M)
            found.append(Block(match["language"], body, text.count("\n", 0, match.start()) + 1))
    return found


def read(path: Path) -> list[Block]:
    if not (ROOT / path).is_file():
        pytest.skip(f"{path} is not written yet")
    return blocks_of((ROOT / path).read_text(encoding="utf-8"))


@dataclass
class Reader:
    """Runs the blocks of a file one after the other."""

    name: str
    namespace: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})

    def run(self, block: Block) -> None:
        where = f"{self.name}, line {block.line}"
        if block.language in PYTHON:
            code = compile("\n" * block.line + block.body, self.name, "exec")
            try:
                exec(code, self.namespace)
            except Exception:
                pytest.fail(f"{where}: this block fails.\n{block.body}\n{traceback.format_exc()}", pytrace=False)
        else:
            for command in block.commands:
                self.command(command, where)

    def command(self, text: str, where: str) -> None:
        words = shlex.split(text, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        if words[:2] == ["make", "demo"]:
            words = ["glassnet"]
            for line in demo():
                self.command(line, where)
            return
        if not words or words[0] in NOT_RUN:
            return
        assert words[0] == "glassnet", f"{where}: unknown command {text}"
        arguments = words[1:]
        # These would take minutes, not end, download, or change the algorithms of tests that run beside this one.
        if arguments[:1] in (["serve"], ["tune"]) or "--fetch" in arguments:
            arguments = [arguments[0], "--help"]
        if arguments[:1] == ["train"] and MNIST.search(text) and "--epochs" not in arguments:
            arguments += ["--epochs", str(EPOCHS)]
        if arguments[:2] == ["train", PHOTOS]:
            provide_photos(Path(PHOTOS))
            arguments += ["--epochs", "1"]
        if arguments[:1] == ["predict"]:
            provide_images(arguments[1], arguments[2:])
        code = run_app(app, arguments)
        assert code == 0, f"{where}: `{text}` ends with {code}"


def demo() -> list[str]:
    """The glassnet commands of `make demo`."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", text, re.M)
    assert recipe
    commands = re.findall(r"^\t\S*glassnet (.*)$", recipe[1], re.M)
    return [f"glassnet {command}".replace("$(RUN)", "runs/demo") for command in commands]


def provide_images(run: str, names: list[str]) -> None:
    """Write the images that a command reads: a digit of the network's size."""
    from PIL import Image

    from glassnet.data import read_digits
    from glassnet.network import Network

    path = Path(run)
    height, width, _ = Network.load(path if path.is_file() else path / "model.safetensors").input_shape
    image = Image.fromarray(read_digits().train.images[0, :, :, 0]).resize((width, height))
    for name in names:
        if Path(name).suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp") and not Path(name).exists():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            image.save(name)
        if name == "new":  # a folder of them
            Path(name).mkdir(exist_ok=True)
            image.save(Path(name) / "1.png")


def provide_photos(folder: Path) -> None:
    """Write a reader's own images: some digits, one folder a class, unless they are there."""
    from PIL import Image

    from glassnet.data import read_digits

    if not folder.exists():
        for number, (pixels, label) in enumerate(read_digits().train[:80]):
            path = folder / str(label) / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[:, :, 0]).save(path)


def code_of(block: Block) -> object:
    """A block without its comments."""
    return (
        ast.dump(ast.parse(block.body))
        if block.language in PYTHON
        else [shlex.split(c, comments=True) for c in block.commands]
    )


def test_the_chinese_readme_has_the_blocks_of_the_english_one() -> None:
    english, chinese = ([code_of(block) for block in read(Path(name))] for name in ("README.md", "README.zh-CN.md"))
    assert chinese == english


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "README.zh-CN.md"], ids=str)
def test_every_block_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = read(path)
    if path.name.startswith("README"):
        assert blocks, f"{path} shows no code"
    monkeypatch.chdir(tmp_path)
    reader = Reader(str(path))
    has_mnist = find_mnist() is not None
    for block in blocks:
        if has_mnist or not block.needs_mnist:
            reader.run(block)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_block_is_skipped(path: Path) -> None:
    left = [block.line for block in read(path) if block.needs_mnist]
    if left and find_mnist() is None:
        lines = ", ".join(map(str, left))
        pytest.skip(f"MNIST is not here (set GLASSNET_DATA): the blocks in lines {lines} of {path} were not run")


@pytest.mark.parametrize("path", [path for path in FILES if path.name.startswith("README")], ids=str)
def test_links_to_files_exist(path: Path) -> None:
    read(path)
    text = (ROOT / path).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)|(?:src|href)=\"([^\"#]+)\"", text)
    for target in (first or second for first, second in targets):
        if not re.match(r"[a-z]+:", target):
            assert (ROOT / path.parent / target).exists(), f"{path}: {target} does not exist"


# ------------------------------------------------------------------ parsing the files

SAMPLE = """
Text.

```python
a = 1
```

```console
$ glassnet --version     # a comment
glassnet 0.1.0
$ make test
```

1. In a list:

   ```sh
   # all at once
   glassnet recipes \\
     digits
   ```

```text
not code
```

```
nor this
```
"""


def test_blocks_are_found() -> None:
    python, console, shell = blocks_of(SAMPLE)
    assert (python.language, python.body, python.line) == ("python", "a = 1\n", 4)
    assert console.commands == ["glassnet --version     # a comment", "make test"]
    assert [" ".join(command.split()) for command in shell.commands] == ["glassnet recipes digits"]
    assert not python.needs_mnist
    assert Block("sh", "glassnet train nielsen-30", 1).needs_mnist


def test_blocks_share_their_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    reader = Reader("sample")
    for block in blocks_of(SAMPLE):
        reader.run(block)
    reader.run(Block("python", "b = a + 1", 1))
    assert reader.namespace["b"] == 2
    out = capsys.readouterr().out
    assert out.startswith("glassnet ")
    assert 'name = "digits"' in out


@pytest.mark.parametrize(
    "block", [Block("python", "1 / 0", 7), Block("sh", "glassnet recipes nothing", 7), Block("sh", "rm -r runs", 7)], ids=str
)
def test_a_failing_block_is_reported(block: Block) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception), match="sample, line 7: "):
        Reader("sample").run(block)


@pytest.mark.parametrize("path", ["README.md", "README.zh-CN.md"])
def test_few_words_before_one_s_own_folder_trains(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    before, command, _ = text.partition(f"glassnet train {PHOTOS}")
    assert command
    assert len(re.findall(r"[一-鿿]|[\w.'-]+", before)) <= 90
    assert len(re.findall(r"[\w.'-]+", before)) <= 60


def test_make_demo_is_known() -> None:
    assert demo() == ["glassnet train digits --out runs/demo", "glassnet evaluate runs/demo"]
