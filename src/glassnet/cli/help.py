"""Help texts and usage errors in the user's language, including those of Typer."""

from __future__ import annotations

import contextlib
import gettext
import io
import os
import shutil
from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand, TyperGroup

from glassnet.cli.console import emit
from glassnet.support.i18n import LOCALE, language, mark, tr
from glassnet.support.terminal import wrap

UNWRAPPED = 10_000  # columns

TYPERS = (  # messages that Typer looks up with gettext
    mark("Arguments"),
    mark("Options"),
    mark("Commands"),
    mark("required"),
    mark("default: {default}"),
    mark("No such command {name!r}."),
)


def _show_help(ctx: Any, option: Any, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        emit(ctx.get_help())
        ctx.exit()


class _Translated:
    """A command whose help, and that of its parameters, is translated when it is created."""

    help: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        parts: list[Any] = [self, *getattr(self, "params", ())]
        for part in parts:
            part.help = part.help and tr(part.help)

    def get_help_option(self, ctx: Any) -> Any:
        found = super().get_help_option(ctx)  # type: ignore[misc]  # a mix-in of commands
        if found is not None:
            found.help, found.callback = tr("Show this message and exit."), _show_help
        return found

    def get_help(self, ctx: Any) -> str:
        formatter = ctx.make_formatter()
        formatter.width = UNWRAPPED  # its own wrapping takes a Chinese character for one column
        self.format_help(ctx, formatter)  # type: ignore[attr-defined]  # a mix-in of commands
        return wrap(formatter.getvalue().rstrip("\n"), shutil.get_terminal_size().columns)

    def get_short_help_str(self, limit: int = 45) -> str:
        if language() == "en":
            return str(super().get_short_help_str(limit))  # type: ignore[misc]  # a mix-in of commands
        return str(self.help).split("。")[0]  # Chinese has no spaces to cut at

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        pieces = self.collect_usage_pieces(ctx)  # type: ignore[attr-defined]  # a mix-in of commands
        formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=tr("Usage: "))


class Command(_Translated, TyperCommand):
    """A command of glassnet."""


class Group(_Translated, TyperGroup):
    """`glassnet` itself."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Typer uses the catalogue of glassnet within."""
    domain, chosen = gettext.textdomain(), os.environ.get("LANGUAGE")
    gettext.bindtextdomain("glassnet", LOCALE)
    gettext.textdomain("glassnet")
    os.environ["LANGUAGE"] = {"en": "en", "zh": "zh_CN"}[language()]
    try:
        yield
    finally:
        gettext.textdomain(domain)
        if chosen is None:
            del os.environ["LANGUAGE"]
        else:
            os.environ["LANGUAGE"] = chosen


def show(error: Any) -> None:
    """Print a `ClickException`: usage, a hint at the help, and the error."""
    from glassnet.cli.console import complain

    if language() == "en" or type(error).__name__ == "NoArgsIsHelpError":
        text = io.StringIO()
        error.show(text)
        complain(text.getvalue().removesuffix("\n"))
        return
    if (context := getattr(error, "ctx", None)) is not None:
        help_command = tr("Try '{command} --help' for help.", command=context.command_path)
        complain(f"{context.get_usage()}\n{help_command}\n")
    complain(tr("Error: {message}", message=_reason(error)))


def _reason(error: Any) -> str:
    """Our messages for the errors that Typer has classes for, Typer's own for the others."""
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    if kind == "NoSuchOption":
        return tr("No such option: {name}", name=error.option_name)
    if parameter is not None:
        name = parameter.opts[-1] if parameter.param_type_name == "option" else parameter.metavar or parameter.name
        if kind == "MissingParameter":
            return tr("Missing {name}.", name=name)
        if kind == "BadParameter":
            return tr("Invalid value for {name}: {reason}", name=name, reason=error.message)
    return str(error.format_message())
