"""Results of a benchmark, as a table and as a JSON file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.speed.machine import describe
from glassnet.errors import InputError
from glassnet.support.atomic import write_text


@dataclass(frozen=True)
class Result:
    """One row: a peer on a workload. `median` is None if nothing was measured; `note` says why."""

    workload: str
    peer: str
    median: float | None
    unit: str
    ratio: float | None = None
    """This peer's median over glassnet's; above 1, glassnet is better."""
    rounds: int = 0
    compile_seconds: float | None = None
    """How much longer the first call took than a later one."""
    disagreement: float | None = None
    """Relative error of its weights (or, in prediction, of its classes) compared with float64 NumPy."""
    note: str = ""


def quantity(value: float | None, unit: str) -> str:
    """A readable number with its unit: `158 µs per step`, `69.8 GFLOP/s`."""
    if value is None:
        return "–"
    head, _, tail = unit.partition(" ")
    if head == "s":
        for factor, name in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
            if value * factor >= 1 or name == "µs":
                return f"{value * factor:.3g} {name} {tail}".rstrip()
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def table(results: Sequence[Result]) -> str:
    """The results as an aligned Markdown table."""
    head = ("workload", "peer", "median", "peer / ours", "compiling", "differs by", "rounds", "note")
    rows = [head, *(_row(result) for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
             for row in rows]  # fmt: skip
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _row(result: Result) -> tuple[str, ...]:
    return (
        result.workload,
        result.peer,
        quantity(result.median, result.unit),
        "–" if result.ratio is None else f"{result.ratio:.2f} ×",
        "–" if result.compile_seconds is None else quantity(result.compile_seconds, "s"),
        "–" if result.disagreement is None else f"{result.disagreement:.1e}",
        str(result.rounds or "–"),
        result.note.replace("|", "/"),
    )


def write_json(results: Sequence[Result], path: Path) -> None:
    """Write the machine and the results, atomically; the file keeps what earlier runs found of other workloads."""
    measured = {result.workload for result in results}
    runs = [run | {"results": [row for row in run["results"] if row["workload"] not in measured]} for run in earlier(path)]
    runs.append({"machine": describe(), "results": [asdict(result) for result in results]})
    text = json.dumps({"runs": [run for run in runs if run["results"]]}, indent=2, ensure_ascii=False) + "\n"
    try:
        write_text(path, text, durable=True)
    except OSError as error:
        raise cannot_write(path, error.strerror) from error


def earlier(path: Path) -> list[dict[str, Any]]:
    """The runs that a file keeps; none, where there is no file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["runs"]
        return [{"machine": run["machine"], "results": [row for row in run["results"] if row["workload"]]} for run in found]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise cannot_write(path, error.strerror) from error
    except (ValueError, KeyError, TypeError):
        raise cannot_write(path, "a file that holds something else") from None


def cannot_write(path: Path, reason: str | None) -> InputError:
    """The error for an output that cannot be written."""
    return InputError(
        "The benchmark's results can't be written.",
        where=path,
        expected="a file in a folder that exists and can be written",
        received=reason,
        hint="--output results.json",
    )
