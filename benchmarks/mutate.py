"""Generate random mutants: `python -m benchmarks.mutate COUNT SEED`. Prints entries of mutants.toml.

Functions of src/glassnet are drawn at random, a fraction `COMPILED` of them from kernels/ and compiler/. In each, one random
change is made: to an operator, comparison, number or condition, a function replaced by its counterpart (min, max), or a
keyword argument removed. Texts, errors, docstrings, type hints and options of the command line are not changed.
"""

from __future__ import annotations

import ast
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mutants import ROOT, SOURCE

COMPILED = 0.3
OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "//", ast.Pow: "*",
    ast.BitAnd: "|", ast.BitOr: "&", ast.LShift: ">>", ast.RShift: "<<",
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in", ast.And: "or", ast.Or: "and",
}  # fmt: skip
COUNTERPARTS = {
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "argmin": "argmax", "argmax": "argmin",
    "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "zeros": "ones", "ones": "zeros", "sum": "mean",
    "mean": "sum", "sin": "cos", "cos": "sin", "exp": "expm1", "log": "log1p", "sqrt": "abs",
    "zeros_like": "ones_like", "ones_like": "zeros_like", "sorted": "list", "startswith": "endswith",
}  # fmt: skip
TEXT_CALLS = {"tr", "mark", "print", "warn", "Option", "Argument", "JSONResponse", "add_argument"}
STYLE = {"color", "fontsize", "linewidth", "alpha", "zorder", "strict", "encoding", "meaning", "fmt", "label"}  # keywords
Position = tuple[int, int]  # line and column of a file, in bytes


@dataclass(frozen=True)
class Change:
    """A replacement `after` for the text from `start` to `end`, and its description."""

    start: Position
    end: Position
    after: str
    description: str


def changes(function: ast.FunctionDef, source: bytes) -> list[Change]:
    """All possible changes of a function, in source order."""
    return sorted(_changes(function, source), key=lambda change: (change.start, change.end, change.after))


def _changes(root: ast.FunctionDef, source: bytes) -> Iterator[Change]:
    lines = source.splitlines(keepends=True)

    def text(start: Position, end: Position) -> str:
        first, last = start[0] - 1, end[0] - 1
        if first == last:
            return lines[first][start[1] : end[1]].decode()
        return b"".join([lines[first][start[1] :], *lines[first + 1 : last], lines[last][: end[1]]]).decode()

    def between(left: ast.expr, right: ast.expr, operator: ast.AST) -> Iterator[Change]:
        """The change of an operator, found between its operands."""
        start, end = _end(left), _start(right)
        gap, name = text(start, end), _SIGNS[type(operator)]
        if gap.count(name) == 1 and "#" not in gap and type(operator) in OPERATORS:
            at = start[1] + len(gap[: gap.index(name)].encode())
            if "\n" not in gap:
                other = OPERATORS[type(operator)]
                yield Change((start[0], at), (start[0], at + len(name)), other, f"{name} becomes {other}")

    def visit(node: ast.AST) -> Iterator[Change]:
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert | ast.FunctionDef | ast.ClassDef) and node is not root:
            return
        if (isinstance(node, ast.Call) and _name(node.func) in TEXT_CALLS) or (
            isinstance(node, ast.keyword) and node.arg in STYLE
        ):
            return
        match node:
            case ast.FunctionDef():
                for child in (*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body):
                    yield from visit(child)
                return
            case ast.AnnAssign():
                if node.value is not None:
                    yield from visit(node.value)
                return
            case ast.BinOp():
                yield from between(node.left, node.right, node.op)
            case ast.BoolOp():
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield from between(left, right, node.op)
            case ast.Compare():
                for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
                    yield from between(left, right, operator)
            case ast.AugAssign() if type(node.op) in (ast.Add, ast.Sub, ast.Mult, ast.Div):
                sign, other = _SIGNS[type(node.op)], OPERATORS[type(node.op)]
                at = _end(node.target)
                found = at[1] + text(at, _start(node.value)).index(sign)
                yield Change((at[0], found), (at[0], found + 1), other, f"{sign}= becomes {other}=")
            case ast.UnaryOp() if isinstance(node.op, ast.Not | ast.USub):
                sign, (line, column) = "not" if isinstance(node.op, ast.Not) else "-", _start(node)
                yield Change((line, column), (line, column + len(sign)), "", f"without {sign}")
            case ast.Constant() if isinstance(node.value, bool):
                yield Change(_start(node), _end(node), str(not node.value), f"{node.value} becomes {not node.value}")
            case ast.Constant() if isinstance(node.value, int | float):
                value = node.value + 1 if isinstance(node.value, int) else 2 * node.value if node.value else 1.0
                yield Change(_start(node), _end(node), repr(value), f"{node.value!r} becomes {value!r}")
            case ast.If() | ast.IfExp():
                yield Change(
                    _start(node.test),
                    _end(node.test),
                    f"not ({text(_start(node.test), _end(node.test))})",
                    "condition reversed",
                )
            case ast.Call():
                name = _name(node.func)
                if name in COUNTERPARTS:
                    end = _end(node.func)
                    other = COUNTERPARTS[name]
                    yield Change((end[0], end[1] - len(name)), end, other, f"{name} becomes {other}")
                last = node.keywords[-1] if node.keywords else None
                if last and last.arg and last.arg not in STYLE and (node.args or len(node.keywords) > 1):
                    others = [*map(_end, node.args), *(_end(each.value) for each in node.keywords[:-1])]
                    yield Change(max(others), _end(last.value), "", f"without {last.arg}=")
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    yield from visit(root)


_SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in", ast.And: "and", ast.Or: "or",
}  # fmt: skip


def _start(node: ast.expr) -> Position:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> Position:
    return int(node.end_lineno or 0), int(node.end_col_offset or 0)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _snippet(source: bytes, change: Change) -> tuple[str, str]:
    """Whole lines before and after the change, with enough lines above to make them unique."""
    lines = source.splitlines(keepends=True)
    first, last = change.start[0] - 1, change.end[0] - 1
    new = lines[first][: change.start[1]] + change.after.encode() + lines[last][change.end[1] :]
    above = b""
    while source.count(above + b"".join(lines[first : last + 1])) > 1 or source.count(above + new):
        above = lines[first - 1 - above.count(b"\n")] + above
    return (above + b"".join(lines[first : last + 1])).decode(), (above + new).decode()


def _parses(source: bytes) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:  # an operand's parentheses are not part of its node
        return False
    return True


def functions(compiled: bool) -> Iterator[tuple[Path, ast.FunctionDef]]:
    """The functions in kernels/ and compiler/ if `compiled`, else all others, in the order of the files."""
    for path in sorted((ROOT / SOURCE).rglob("*.py")):
        inside = path.relative_to(ROOT / SOURCE)
        if (inside.parts[0] in ("kernels", "compiler")) == compiled:
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.FunctionDef):
                    yield path, node


def drawn(count: int, seed: int) -> Iterator[str]:
    """Entries of mutants.toml."""
    rng = random.Random(seed)
    for compiled, remaining in ((True, round(COMPILED * count)), (False, count - round(COMPILED * count))):
        candidates = list(functions(compiled))
        rng.shuffle(candidates)
        for path, function in candidates:
            if not remaining:
                break
            source = path.read_bytes()
            snippets = [(change.description, *_snippet(source, change)) for change in changes(function, source)]
            possible = [each for each in snippets if _parses(source.replace(each[1].encode(), each[2].encode()))]
            if not possible:
                continue
            remaining -= 1
            description, before, after = rng.choice(possible)
            file = path.relative_to(ROOT / SOURCE).as_posix()
            yield (
                f'[[mutant]]\nkind = "drawn"\nwhat = "{function.name}: {description}"\nfile = "{file}"\n'
                f"before = '''\n{before}'''\nafter = '''\n{after}'''\n"
            )


if __name__ == "__main__":
    print("\n".join(drawn(int(sys.argv[1]), int(sys.argv[2]))))
