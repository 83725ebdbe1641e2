"""`glassnet export RUN --page FILE`: write a trained network in a form that works elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.cli.console import complain, fail, say, working
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.experiment.run import Run

HELP = mark(
    "Write a trained network for a browser, for ONNX, NumPy, C or PyTorch, and prove that it answers as it does here."
)


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN…", help=mark("Run folders; a page compares several."), show_default=False),
    ],
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help=mark("One HTML file that opens in any browser."), show_default=False)
    ] = None,
    onnx: Annotated[Path | None, typer.Option(metavar="FILE", help=mark("An ONNX file (.onnx)."), show_default=False)] = None,
    opset: Annotated[
        int | None, typer.Option(help=mark("The version of ONNX's operators, for --onnx."), show_default=False)
    ] = None,
    numpy: Annotated[
        Path | None, typer.Option(metavar="FILE", help=mark("A Python file that needs only NumPy (.py)."), show_default=False)
    ] = None,
    c: Annotated[
        Path | None, typer.Option("--c", metavar="FILE", help=mark("A header in C99 (.h)."), show_default=False)
    ] = None,
    torch: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=mark("For PyTorch: .pt2, or .safetensors of its state_dict."), show_default=False),
    ] = None,
) -> None:
    from glassnet.errors import InputError
    from glassnet.experiment.run import Run
    from glassnet.interop.export import check_path

    files = {"onnx": onnx, "numpy": numpy, "c": c, "torch": torch}
    chosen = {form: path for form, path in files.items() if path is not None}
    if page is None and not chosen:
        expected = "--page | " + " | ".join(f"--{form}" for form in files)
        raise InputError(tr("Nothing says what to write."), where="glassnet export", expected=expected)
    if opset is not None and onnx is None:
        raise InputError(tr("An opset is for ONNX."), where="glassnet export --opset", expected="--onnx FILE")
    if chosen and len(runs) > 1:
        hint = tr("export each of them by itself")
        raise InputError(tr("Only a page holds several networks."), where="glassnet export", received=len(runs), hint=hint)
    for path in chosen.values():
        check_path(path)
    loaded = [Run.load(run) for run in runs]
    if page is not None:
        from glassnet.present.page import write_page

        path = write_page(loaded, page)
        say(tr("{path}   {size:.1f} MB, opens in any browser", path=path, size=path.stat().st_size / 1e6))
    held = [_prove(loaded[0], path, form, {"opset": opset} if form == "onnx" else {}) for form, path in chosen.items()]
    if not all(held):
        fail(1)


def _prove(run: Run, path: Path, form: str, options: dict[str, Any]) -> bool:
    """Write one file and tell its proof; whether that holds."""
    from glassnet.experiment.run_folder import REPORT
    from glassnet.interop.export import export
    from glassnet.present.report import report

    with working(tr("Writing {path} and asking it …", path=path)):
        proof = export(run, path, form, **options)
        if (run.folder / REPORT).is_file():
            report(run)
    if not proof.holds:
        what = mark("The export answers differently (images with another class: {count}), so {path} was not written.")
        complain(tr(what, count=proof.changed, path=path))
        complain(proof.text)
        return False
    say(tr("{path}   {size:.1f} MB", path=path, size=path.stat().st_size / 1e6), f"  {proof.text}")
    return True
