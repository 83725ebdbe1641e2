"""Faults planted in the source, one at a time, and the tests that must notice each: `python -m benchmarks.mutants`.

mutants.toml lists them: a file, a snippet that is in it exactly once, what stands there instead, and the tests that kill
the mutant (all tests where none are named). A mutant with `equivalent`, the reason why nothing can tell it from the original,
is not run. Each mutant is planted in a copy of the checkout; those in kernels/ compile into a cache in the copy. Words choose
the mutants whose file or number they are in.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from glassnet.errors import DataError, GlassnetError

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("mutants.toml")
SOURCE = Path("src", "glassnet")


def path_of(file: str) -> Path:
    """Where a mutant's file is in a checkout: below src/glassnet/, or in benchmarks/."""
    return Path(file) if file.startswith("benchmarks/") else SOURCE / file


LIMIT = 1800.0  # seconds that the tests of one mutant may take: one that runs for ever is noticed, too


@dataclass(frozen=True)
class Mutant:
    """One fault. `number` counts in the list, from 1; `kind` is "planted" by hand or "drawn" by `benchmarks.mutate`."""

    number: int
    kind: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...] = ()
    what: str = ""
    equivalent: str = ""

    def __str__(self) -> str:
        return f"{self.number:>3} {self.file}: {self.what or self.after.strip().splitlines()[0].strip()}"

    def planted(self, text: str) -> str:
        """The file's text with the fault. Raises `DataError` where the snippet is not there exactly once."""
        if text.count(self.before) != 1 or self.before == self.after:
            raise DataError(
                "A mutant does not fit the source any more.",
                where=f"{LIST.name}, mutant {self.number}, {self.file}",
                expected="a snippet that is in the file exactly once, and is changed",
                received=f"{text.count(self.before)} times: {self.before.strip()}",
                hint="adapt the snippet to the new source, or take the mutant out",
            )
        return text.replace(self.before, self.after)


def listed(path: Path = LIST) -> list[Mutant]:
    """The mutants of a list, in its order."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(number, **{**row, "tests": tuple(row.get("tests", ()))}) for number, row in enumerate(rows, 1)]


def copy_of_the_checkout(folder: Path) -> Path:
    """All that tests read, in a folder of its own."""
    hidden = shutil.ignore_patterns(".*", "__pycache__", "runs")
    return Path(shutil.copytree(ROOT, folder / "checkout", ignore=hidden))


def survives(mutant: Mutant, checkout: Path, tests: Sequence[str]) -> tuple[bool, str]:
    """Whether the tests pass with the fault in a copy of the checkout, and the last line that they print."""
    path = checkout / path_of(mutant.file)
    text = path.read_text(encoding="utf-8")
    environment = dict(os.environ, PYTHONPATH=str(checkout / "src"), PYTHONDONTWRITEBYTECODE="1")
    if mutant.file.startswith("kernels/"):
        environment["GLASSNET_CACHE"] = str(checkout.parent / "cache")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", "--hypothesis-seed=0", *tests]
    path.write_text(mutant.planted(text), encoding="utf-8")
    try:
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return False, f"no end within {LIMIT:.0f} s"
    finally:
        path.write_text(text, encoding="utf-8")
    lines = (done.stdout + done.stderr).strip().splitlines() or [""]
    if done.returncode in (4, 5):  # wrong usage, no tests at all
        raise DataError(
            "The tests of a mutant can't be run.",
            where=f"{LIST.name}, mutant {mutant.number}",
            expected="tests that there are",
            received=lines[-1],
        )
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return done.returncode == 0, (failed or lines[-1:])[0]


def chosen(mutants: Iterable[Mutant], words: Sequence[str]) -> list[Mutant]:
    """The mutants whose number is one of the words, or whose file or kind has one in it; all without words."""
    return [
        mutant
        for mutant in mutants
        if not words or any(word == str(mutant.number) or word in f"{mutant.kind} {mutant.file}" for word in words)
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", help="numbers, files or kinds (planted, drawn) of mutants; by default all")
    parser.add_argument("--list", type=Path, default=LIST, help="another list of mutants")
    options = parser.parse_args(arguments)
    mutants = chosen(listed(options.list), options.words)
    for mutant in mutants:
        mutant.planted((ROOT / path_of(mutant.file)).read_text(encoding="utf-8"))  # all of them fit, or none is run
    survivors, equivalent = [], 0
    with tempfile.TemporaryDirectory() as folder:
        checkout = copy_of_the_checkout(Path(folder))
        for mutant in mutants:
            if mutant.equivalent:
                equivalent += 1
                print(f"{mutant}\n    equivalent: {mutant.equivalent}", flush=True)
                continue
            start = time.perf_counter()
            alive, told = survives(mutant, checkout, mutant.tests or ("tests",))
            survivors += [mutant] if alive else []
            said = "SURVIVED" if alive else "killed"
            print(f"{mutant}\n    {said} after {time.perf_counter() - start:.0f} s: {told}", flush=True)
    killed = len(mutants) - equivalent - len(survivors)
    print(f"{killed} of {len(mutants)} killed, {equivalent} equivalent, {len(survivors)} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except GlassnetError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
