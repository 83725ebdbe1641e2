"""What all commands share: how they speak, and how they fail."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn


def say(text: str = "") -> None:
    print(text, flush=True)


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run_app(app: Callable[..., object], arguments: list[str] | None = None) -> int:
    """Run a Typer app; its exit code. Wrong input is one message on stderr and 2, Ctrl-C is 130."""
    import typer

    from glassnet.errors import GlassnetError

    # Typer brings a copy of Click since 0.26, and used Click itself before: its errors are known by their family only.
    usage = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
    try:
        code = app(arguments, prog_name="glassnet", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except GlassnetError as error:
        complain(f"glassnet: {error}")
        return 2
    except (typer.Abort, KeyboardInterrupt):
        complain("glassnet: interrupted")
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        if not isinstance(error, usage):
            raise
        error.show()  # type: ignore[attr-defined]
        return 2


def fail(code: int) -> NoReturn:
    import typer

    raise typer.Exit(code)
