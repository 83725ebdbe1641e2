"""`python -m benchmarks map`: measures the speed map, draws it, and says what it claims.

An interrupted run goes on where it was; cells that are all measured are measured anew. The whole map takes about 40 minutes
on two cores, with --quick about five. GLASSNET_SIMD=avx2 makes the map of AVX2, to which PyTorch and JAX are held.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed import grid
from benchmarks.speed.heat_map import draw
from benchmarks.speed.machine import usable_cpus
from benchmarks.speed.programme import say
from benchmarks.speed.survey import ROUNDS, Map, Summary, layer_name, selected, survey, unavailable
from glassnet.errors import InputError
from glassnet.support.atomic import write_text

FOLDER = Path(__file__).parent
MARK, END = "<!-- speed map -->", "<!-- /speed map -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, draw, print the summary, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks map", description=__doc__)
    parser.add_argument("--only", metavar="FAMILY,…", default="", help="dense, convolution, recurrent, networks, prediction")
    parser.add_argument("--cells", metavar="PATTERN", help="cells whose name has this, with * and ?: 'LSTM*1 thread'")
    parser.add_argument("--precision", choices=grid.PRECISIONS, default="float32")
    parser.add_argument("--threads", type=int, default=2, help="of the cells that have not one (%(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="the median counts (%(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"one cell in {grid.EVERY}, into map-quick.json")
    parser.add_argument("--draw-only", action="store_true", help="draw the pictures of what is in the file")
    parser.add_argument("--readme", action="store_true", help="put picture and sentence into the READMEs")
    parser.add_argument("--output", type=Path, help="file of the results; the pictures are written beside it")
    options = parser.parse_args(arguments)
    path = options.output or FOLDER / ("map-quick.json" if options.quick else "map.json")
    try:
        found = Map.load(path)
        if not options.draw_only and not _measure(options, found):
            return 0
        if not found.layers:
            raise InputError("The map has no cell.", where=path, hint="python -m benchmarks map")
        for layer in found.layers:
            picture = picture_of(path, layer)
            draw(found.cells(layer), found.layers[layer]["machine"], layer, picture)
            print(f"{picture}\n{layer}: {Summary.of(found.cells(layer))}")
        if "float32" in found.layers:
            told = sentences(found)
            print("\n".join(told.values()))
            if options.readme:
                insert(told, FOLDER.parent)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


def _measure(options: argparse.Namespace, found: Map) -> bool:
    """Measure what was chosen; False if this glassnet can't."""
    for name in ("threads", "rounds"):
        if getattr(options, name) < 1:
            raise InputError(f"The number of {name} must be positive.", where=f"--{name}", expected="1 or more")
    if reason := unavailable(options.precision):
        say(f"map: {options.precision} is skipped: {reason}")
        return False
    cells = grid.cells(min(options.threads, usable_cpus()), options.precision)
    if options.quick:
        cells = grid.quick(cells)
    chosen = selected(cells, [family for family in options.only.split(",") if family], options.cells)
    survey(chosen, found, layer_name(options.precision), rounds=options.rounds, say=say)
    return True


def picture_of(path: Path, layer: str) -> Path:
    """map.png of float32, map-bfloat16.png, map-avx2.png …"""
    words = [word.lower() for word in layer.split(", ") if word != "float32"]
    return path.with_name("-".join([path.stem, *words]) + ".png")


def sentences(found: Map) -> dict[str, str]:
    """What the READMEs say of the maps, by the file's name."""
    english, chinese = [], []
    for layer in found.layers:
        cells = found.cells(layer)
        it, machine = Summary.of(cells), found.layers[layer]["machine"]
        threads = max(cell["threads"] for cell in cells.values())
        english.append(
            f"{layer}: over {it.cells} cells, the best peer takes {it.median:.2f} × as long as glassnet (median); "
            f"the worst cell is {it.worst:.2f} × ({it.worst_name}, beside {it.worst_peer}); {it.below_one} cells are "
            f"below 1, {it.below_nine_tenths} below 0.9 ({machine['cpu']}, {threads} threads)."
        )
        chinese.append(
            f"{layer}：共 {it.cells} 格，最快的对手所用时间是 glassnet 的 {it.median:.2f} 倍（中位数）；最差的一格是 "
            f"{it.worst:.2f} 倍（{it.worst_name}，对手 {it.worst_peer}）；低于 1 的有 {it.below_one} 格，低于 0.9 的有 "
            f"{it.below_nine_tenths} 格（{machine['cpu']}，{threads} 线程）。"
        )
    picture = "![{}](benchmarks/map.png)"
    return {
        "README.md": "\n\n".join([picture.format("The speed map: ratios to the best peer, cell by cell"), *english]),
        "README.zh-CN.md": "\n\n".join([picture.format("速度图：每一格是与最快对手的时间之比"), *chinese]),
    }


def insert(told: dict[str, str], folder: Path) -> None:
    """Write each sentence between the two marks of its file."""
    for name, text in told.items():
        path = folder / name
        before = path.read_text(encoding="utf-8")
        if MARK not in before or END not in before:
            raise InputError("The marks of the speed map are missing.", where=path, expected=f"{MARK} … {END}")
        after = re.sub(f"{MARK}.*{END}", lambda found, text=text: f"{MARK}\n{text}\n{END}", before, flags=re.DOTALL)  # type: ignore[misc]
        write_text(path, after)


if __name__ == "__main__":
    sys.exit(main())
