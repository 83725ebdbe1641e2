"""Output, warnings, errors and exit codes of all commands."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shlex
import shutil
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from glassnet.support.i18n import mark, tr
from glassnet.support.terminal import wrap

SMALLER = mark("smaller images, a smaller batch_size, fewer units or filters, or less data at once")


def say(*lines: str) -> None:
    """Print the lines, or an empty one, as `shown`."""
    emit(shown("\n".join(lines), sys.stdout))


def emit(text: str) -> None:
    """Print a text as it is: JSON, or a file."""
    with _writing():
        print(text, flush=True)


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Make an error of the system while something is written to the standard output into one of ours."""
    from glassnet.errors import WriteError

    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WriteError.of(error, "standard output", tr("The output can't be written.")) from None


def open_streams() -> None:
    """Have somewhere to print to where this process was started without an output, as by `glassnet recipes >&-`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  until the process ends


def drop_unwritten() -> None:
    """Discard output that could not be written, as `run_app` has said: Python would try, and say so, once more as it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    print(shown(text, sys.stderr), file=sys.stderr, flush=True)


def shown(text: str, file: TextIO) -> str:
    """The text with commands as they work in this shell, wrapped at the width of a terminal."""
    if (name := program()) != "glassnet":
        text = _commands().sub(lambda found: name, text)
    return wrap(text, shutil.get_terminal_size().columns) if file.isatty() else text


@functools.cache
def _commands() -> re.Pattern[str]:
    """glassnet, where the name of one of its commands follows."""
    from glassnet.cli.main import app

    names = "|".join(re.escape(str(command.name)) for command in app.registered_commands)
    return re.compile(rf"(?<![\w./-])glassnet(?= (?:{names})\b)")


@functools.cache
def program() -> str:
    """How glassnet is called in this shell: `glassnet` where that is this one, else the path that it was called by."""
    called, script = Path(sys.argv[0]), Path(sysconfig.get_path("scripts")) / "glassnet"
    if called.name == "__main__.py" and called.parent.name == "glassnet":
        found = f"{shlex.quote(sys.orig_argv[0])} -m glassnet"
    elif called.stem == "glassnet":
        found, script = shlex.quote(sys.argv[0]), called
    else:
        return "glassnet"
    on_path = shutil.which("glassnet")
    return "glassnet" if on_path and script.exists() and Path(on_path).samefile(script) else found


@contextlib.contextmanager
def working(text: str) -> Iterator[None]:
    """Say what is being done: a spinner on a terminal, which disappears; elsewhere one line."""
    from glassnet.errors import WriteError

    if not sys.stdout.isatty():
        with contextlib.suppress(OSError, WriteError):  # of the output; what is said next fails, too, and tells it
            say(text)
        yield
        return
    from rich.console import Console

    with Console().status(text):
        yield


_given: list[str] | None = None  # the arguments of `run_app`, where there are any


def same_command() -> list[str]:
    """What Python is called with to run this command once more."""
    return sys.orig_argv[1:] if _given is None else ["-m", "glassnet", *_given]


def run_app(app: Callable[..., object], arguments: list[str] | None = None) -> int:
    """Run a Typer app; its exit code. 2 for wrong input, with one message on stderr; 130 for Ctrl-C."""
    import typer

    from glassnet.cli.help import show, translated
    from glassnet.errors import GlassnetError, InputError, UnfinishedError, spell
    from glassnet.support.environment import check_environment

    # Typer has its own copy of Click since 0.26 and used Click before: errors are recognised by the name of their class.
    global _given
    _given = arguments
    usage = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
    try:
        check_environment()
        with _plain_warnings(), translated():
            code = app(arguments, prog_name="glassnet", standalone_mode=False)
        with _writing():
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except GlassnetError as error:
        complain("\n".join([f"glassnet: {error}", *getattr(error, "__notes__", [])]))
        return 1 if isinstance(error, UnfinishedError) else 2
    except (typer.Abort, KeyboardInterrupt):
        complain(tr("glassnet: interrupted"))
        return 130
    except MemoryError as error:
        complain(
            f"glassnet: {InputError(tr('This needs more memory than there is.'), received=spell(error), hint=tr(SMALLER))}"
        )
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        if not isinstance(error, usage):
            raise
        show(error)
        return 2


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show glassnet's own warnings once, as a sentence; others as Python does."""
    from glassnet.errors import DataWarning, ModelFileWarning, PrecisionWarning, TrackerWarning

    ours = (DataWarning, ModelFileWarning, PrecisionWarning, TrackerWarning)
    with warnings.catch_warnings():
        for category in ours:
            warnings.simplefilter("always", category)
        show = warnings.showwarning
        shown = set()

        def plain(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if not issubclass(category, ours):
                show(message, category, *place, **more)
            elif str(message) not in shown:
                shown.add(str(message))
                complain(f"glassnet: {message}")

        warnings.showwarning = plain
        yield


def fail(code: int) -> NoReturn:
    import typer

    raise typer.Exit(code)
