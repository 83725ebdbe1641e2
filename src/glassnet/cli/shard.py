"""`glassnet shard SOURCE OUT`: write a data set of any size as memory-mapped shards."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.cli.console import complain, fail, say
from glassnet.cli.inspect import numbers
from glassnet.cli.settings import Color, Fit, Fold, Folds, Fractions, Pattern, Size, Split
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.data.shards.manifest import Manifest
    from glassnet.data.shards.plan import ShardPlan

HELP = mark("Write a data set of any size as shards, which training reads from the disk.")


def command(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help=mark("A folder, zip or file of images, a data set by name, or an address; left out with --fonts."),
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path | None, typer.Argument(metavar="OUT", help=mark("The folder to write."), show_default=False)] = None,
    size: Size = None,
    color: Color = None,
    fit: Fit = None,
    pattern: Pattern = None,
    split: Split = None,
    fractions: Fractions = None,
    fold: Fold = None,
    folds: Folds = None,
    seed: Annotated[int | None, typer.Option(help=mark("Random seed of the split and of the order."))] = None,
    fonts: Annotated[
        list[str] | None,
        typer.Option(metavar="FONT|DIR|FAMILY|system", help=mark("Draw characters from these fonts; repeatable.")),
    ] = None,
    test_fonts: Annotated[
        list[str] | None,
        typer.Option(metavar="FONT|DIR|FAMILY", help=mark("Fonts of the test part; by default some of --fonts; repeatable.")),
    ] = None,
    characters: Annotated[
        str | None,
        typer.Option(metavar="TEXT|SET", help=mark("The characters: a text, or digits, latin, numerals, hanzi.")),
    ] = None,
    copies: Annotated[int | None, typer.Option(min=1, help=mark("How often each character is drawn from each font."))] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help=mark("Number of processes; by default one for each core."))
    ] = None,
    block: Annotated[
        int | None, typer.Option(min=1, help=mark("Images that training reads together; by default about 1 MiB."))
    ] = None,
    shard_images: Annotated[
        int | None, typer.Option(min=1, help=mark("Images of a shard, which one process writes; by default about 32 MiB."))
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help=mark("Compare all files of a folder of shards with their checksums."))
    ] = False,
) -> None:
    drawn = bool(fonts or characters)
    if (check or drawn) and out is None and source is not None:  # one argument, the folder
        out, source = Path(source), None
    if out is None or (check and (drawn or source is not None)):
        raise _refused(check)
    if check:
        _check(out)
        return
    sides = None if size is None else numbers(size, "--size", int)
    options: dict[str, Any] = {
        "size": sides[0] if sides and len(sides) == 1 else sides, "color": color, "fit": fit, "pattern": pattern,
        "split": split, "fractions": None if fractions is None else numbers(fractions, "--fractions", float),
        "fold": fold, "folds": folds, "seed": seed, "fonts": fonts, "test_fonts": test_fonts, "characters": characters,
        "copies": copies, "block": block, "shard_images": shard_images,
    }  # fmt: skip
    _write(source, out, workers, {name: value for name, value in options.items() if value is not None})


def _write(source: str | None, out: Path, workers: int | None, options: dict[str, Any]) -> None:
    from glassnet.data.shards.plan import plan_shards
    from glassnet.data.shards.shard import write_all

    plan = plan_shards(source, out, **options)
    before = plan.shards - len(plan.left)
    if plan.finished:
        say(tr("All shards are written already."))
    else:
        say(*_planned(plan, before))
    try:
        with _Progress(plan.shards, before) as written:
            write_all(plan, workers, written)
    except KeyboardInterrupt:
        done = plan.shards - len(plan.left)
        complain("\n" + tr("glassnet: interrupted; {done} of {total} shards are written. The same command goes on.",
                           done=done, total=plan.shards))  # fmt: skip
        fail(130)
    known = plan.finish()
    say(*_summary(out, known), tr("Next: {command}", command=f"glassnet train RECIPE --data {out}"))


def _planned(plan: ShardPlan, before: int) -> list[str]:
    """What will be written, and where."""
    import shutil

    parts = ", ".join(f"{part} {count:,}" for part, count in plan.counts.items())
    shape = " × ".join(map(str, plan.shape))
    free = shutil.disk_usage(plan.folder).free
    lines: list[str] = [
        tr("{images:,} images of {shape}: {parts}", images=plan.images, shape=shape, parts=parts),
        tr("{shards} shards of {each:,} images, {size:,.1f} MB in {folder}, where {free:.1f} GB are free", shards=plan.shards,
           each=plan.shard, size=plan.bytes / 1e6, folder=plan.folder, free=free / 1e9),
    ]  # fmt: skip
    return [*lines, tr("{count} of them are written already.", count=before)] if before else lines


def _summary(out: Path, known: Manifest) -> list[str]:
    text = mark("{images:,} images in {count} shards, {size:,.1f} MB: {folder}")
    count = sum(map(known.shards, known.parts))
    lines: list[str] = [tr(text, images=known.images, count=count, size=known.bytes / 1e6, folder=out)]
    if known.left_out:
        lines.append(tr("{count} files are left out: see left_out in {name}", count=len(known.left_out), name="shards.json"))
    return lines


def _check(folder: Path) -> None:
    from glassnet.data.shards.manifest import Manifest
    from glassnet.data.shards.read import check_shards, read_shards

    read_shards(folder)
    known = Manifest.read(folder)
    with _Progress(sum(map(known.shards, known.parts)), 0) as advance:
        check_shards(folder, lambda count: advance())
    say(*_summary(folder, known), tr("All checksums are right."))


class _Progress:
    """A bar with the time left on a terminal; elsewhere a line now and then."""

    def __init__(self, total: int, done: int) -> None:
        from glassnet.data.decode_many import progress

        self.total, self.done, self.began, self.new = total, done, time.monotonic(), 0
        self.said = self.began
        self.bar = progress(tr("shards"), total)

    def __enter__(self) -> _Progress:
        self.advance = self.bar.__enter__()
        self.advance(self.done)
        return self

    def __exit__(self, *error: Any) -> None:
        self.bar.__exit__(*error)

    def __call__(self) -> None:
        self.done, self.new = self.done + 1, self.new + 1
        self.advance(1)
        now = time.monotonic()
        if sys.stderr.isatty() or (now - self.said < 10 and self.done < self.total):
            return
        self.said = now
        seconds = (now - self.began) / self.new * (self.total - self.done)
        say(tr("Shard {done} / {total}, {left:.0f} s left", done=self.done, total=self.total, left=seconds))


def _refused(check: bool) -> Exception:
    from glassnet.errors import InputError

    return InputError(
        tr("Give a folder of shards to check.") if check else tr("Give a source of images and a folder to write."),
        where="glassnet shard",
        expected="--check OUT" if check else tr("SOURCE OUT, or --fonts FONT OUT"),
        hint="glassnet shard photos/ photos.shards --size 64",
    )
