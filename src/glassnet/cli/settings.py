"""Options that several commands take: `--set KEY=VALUE`, `--views N`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from glassnet.support.i18n import mark, tr

Views = Annotated[
    int | None,
    typer.Option(
        min=1, help=mark("Views of each image, one as it is and others augmented, whose probabilities are averaged.")
    ),
]


def changes_of(settings: Sequence[str] | None) -> dict[str, Any]:
    """Keys and values, which are TOML, or else plain text."""
    return dict(_setting(text) for text in settings or [])


def _setting(text: str) -> tuple[str, Any]:
    from glassnet.errors import RecipeError

    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise RecipeError(tr("A setting is KEY=VALUE."), where="--set", expected="training.epochs=5", received=repr(text))
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value
