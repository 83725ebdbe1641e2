"""The line of glassnet that computes something, found by reading the function itself."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from glassnet.analysis.trace.document import Source

ROOT = Path(__file__).parents[2]


@lru_cache(maxsize=256)
def line_of(function: Callable[..., Any], name: str | None = None, nth: int = -1) -> Source:
    """Where `function` gives `name` its value (or, without a name, returns): by default the last such line."""
    function = inspect.unwrap(function)
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines)))
    found = sorted(
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and (isinstance(node, ast.Return) if name is None else name in _assigned(node))
    )
    number, end = found[nth] if found else (1, 1)
    file = Path(inspect.getsourcefile(function) or "").resolve().relative_to(ROOT.resolve()).as_posix()
    text = " ".join(line.strip() for line in lines[number - 1 : end])
    return Source(file, first + number - 1, text, function.__name__)


def _assigned(node: ast.AST) -> set[str]:
    """The names that a statement gives values to, also those it changes in place or in part."""
    if isinstance(node, ast.Assign):
        targets: list[ast.expr] = list(node.targets)
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        targets = [node.target]
    else:
        return set()
    names = set()
    while targets:
        target = targets.pop()
        if isinstance(target, (ast.Tuple, ast.List)):
            targets += target.elts
        elif isinstance(target, (ast.Subscript, ast.Starred)):
            targets.append(target.value)
        elif isinstance(target, ast.Call):  # f(…)[...] += …
            targets.append(target.func)
        elif isinstance(target, ast.Name):
            names.add(target.id)
        elif isinstance(target, ast.Attribute):
            names.add(target.attr)
    return names
