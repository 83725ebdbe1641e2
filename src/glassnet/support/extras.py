"""Packages that come with an extra of glassnet, asked for before they are used."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from glassnet.errors import InputError
from glassnet.support.i18n import tr


def require_extra(extra: str, packages: Sequence[str], what: str, where: str) -> None:
    """Raise `InputError`, which says `what` needs them, if one of the packages is not installed."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            what,
            where=where,
            expected=", ".join(packages),
            received=tr("no {names}", names=", ".join(missing)),
            hint=f'pip install "glassnet[{extra}]"',
        )
