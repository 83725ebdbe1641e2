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
    import click

    from glassnet.errors import GlassnetError

    try:
        code = app(arguments, prog_name="glassnet", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except GlassnetError as error:
        complain(f"glassnet: {error}")
        return 2
    except click.exceptions.Abort:
        complain("glassnet: interrupted")
        return 130
    except KeyboardInterrupt:
        complain("glassnet: interrupted")
        return 130
    except click.ClickException as error:
        error.show()
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def fail(code: int) -> NoReturn:
    import typer

    raise typer.Exit(code)
