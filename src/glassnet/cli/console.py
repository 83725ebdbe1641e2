"""Output, warnings, errors and exit codes of all commands."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from glassnet.support.i18n import tr


def say(*lines: str) -> None:
    """Print the lines, or an empty one."""
    from glassnet.errors import WriteError

    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WriteError.of(error, "standard output", tr("The output can't be written.")) from None


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run_app(app: Callable[..., object], arguments: list[str] | None = None) -> int:
    """Run a Typer app; its exit code. 2 for wrong input, with one message on stderr; 130 for Ctrl-C."""
    import typer

    from glassnet.cli.help import show, translated
    from glassnet.errors import GlassnetError, UnfinishedError

    # Typer has its own copy of Click since 0.26 and used Click before: errors are recognised by the name of their class.
    usage = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
    try:
        with _plain_warnings(), translated():
            code = app(arguments, prog_name="glassnet", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except GlassnetError as error:
        complain("\n".join([f"glassnet: {error}", *getattr(error, "__notes__", [])]))
        return 1 if isinstance(error, UnfinishedError) else 2
    except (typer.Abort, KeyboardInterrupt):
        complain(tr("glassnet: interrupted"))
        return 130
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
    from glassnet.errors import DataWarning, ModelFileWarning

    ours = (DataWarning, ModelFileWarning)
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
