"""Mutation tests: apply faults to the source and run the tests that must fail: `python -m benchmarks.mutants`.

mutants.toml lists them: a file, a snippet that occurs in it exactly once, its replacement, and the tests that kill the
mutant (all tests if none are named). A mutant with `equivalent`, the reason why it cannot be distinguished from the original,
is not run. Mutants are applied to a copy of the checkout; those in kernels/ use a kernel cache in the copy. Arguments select
mutants by file or number.
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
    """The path of a mutant's file in a checkout: below src/glassnet/, or in benchmarks/."""
    return Path(file) if file.startswith("benchmarks/") else SOURCE / file


LIMIT = 1800.0  # timeout for the tests of one mutant, in seconds; a mutant that times out is killed


@dataclass(frozen=True)
class Mutant:
    """One fault. `number` is its position in the list, from 1; `kind`: "planted" by hand, or "drawn" by `mutate`."""

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
        """The file's text with the fault. Raises `DataError` if the snippet does not occur exactly once."""
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
    """The mutants of a list, in order."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(number, **{**row, "tests": tuple(row.get("tests", ()))}) for number, row in enumerate(rows, 1)]


def copy_of_the_checkout(folder: Path) -> Path:
    """A copy of everything that the tests read."""
    hidden = shutil.ignore_patterns(".*", "__pycache__", "runs")
    return Path(shutil.copytree(ROOT, folder / "checkout", ignore=hidden))


def survives(mutant: Mutant, checkout: Path, tests: Sequence[str]) -> tuple[bool, str]:
    """Whether the tests pass with the fault, and the first failure or the last line of their output."""
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
        return False, f"timed out after {LIMIT:.0f} s"
    finally:
        path.write_text(text, encoding="utf-8")
    lines = (done.stdout + done.stderr).strip().splitlines() or [""]
    if done.returncode in (4, 5):  # wrong usage, no tests collected
        raise DataError(
            "The tests of a mutant can't be run.",
            where=f"{LIST.name}, mutant {mutant.number}",
            expected="existing tests",
            received=lines[-1],
        )
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return done.returncode == 0, (failed or lines[-1:])[0]


def select(mutants: Iterable[Mutant], words: Sequence[str]) -> list[Mutant]:
    """The mutants whose number is one of the words, or whose file or kind contains one; without words, all."""
    return [
        mutant
        for mutant in mutants
        if not words or any(word == str(mutant.number) or word in f"{mutant.kind} {mutant.file}" for word in words)
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", help="numbers, files or kinds (planted, drawn) of mutants; default: all")
    parser.add_argument("--list", type=Path, default=LIST, help="another list of mutants")
    options = parser.parse_args(arguments)
    mutants = select(listed(options.list), options.words)
    for mutant in mutants:
        mutant.planted((ROOT / path_of(mutant.file)).read_text(encoding="utf-8"))  # check all before running any
    survivors, equivalent = [], 0
    with tempfile.TemporaryDirectory() as folder:
        checkout = copy_of_the_checkout(Path(folder))
        for mutant in mutants:
            if mutant.equivalent:
                equivalent += 1
                print(f"{mutant}\n    equivalent: {mutant.equivalent}", flush=True)
                continue
            start = time.perf_counter()
            survived, line = survives(mutant, checkout, mutant.tests or ("tests",))
            survivors += [mutant] if survived else []
            result = "SURVIVED" if survived else "killed"
            print(f"{mutant}\n    {result} after {time.perf_counter() - start:.0f} s: {line}", flush=True)
    killed = len(mutants) - equivalent - len(survivors)
    print(f"{killed} of {len(mutants)} killed, {equivalent} equivalent, {len(survivors)} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except GlassnetError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
