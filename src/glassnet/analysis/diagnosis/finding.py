"""What a diagnosis says: findings, each with a name, its evidence, its cause and what to try."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from glassnet.support.i18n import Message, listing, tr

TOP = 3  # findings told in full: more at once help nobody
WIDTH = 110


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `evidence`: figures of this run; `cause`: why, in plain words; `try_next`: in this order."""

    name: str
    evidence: str
    cause: str
    try_next: tuple[str, ...]

    @property
    def title(self) -> Message:
        return tr(self.name)

    def __str__(self) -> str:
        steps = [f"{number}. {step}" for number, step in enumerate(self.try_next, 1)]
        parts = [*_wrapped(tr("seen:"), self.evidence), *self._shown(), *_wrapped(tr("why:"), self.cause)]
        for number, step in enumerate(steps):
            parts += _wrapped(tr("try:") if number == 0 else "", step)
        return "\n".join([self.title, *parts])

    def _shown(self) -> list[str]:
        """Lines below what was seen, of findings that have more to show."""
        return []


@dataclass(frozen=True)
class Diagnosis:
    """All `findings`, causes before what follows from them; `top` are the first three at most; `healthy` if there are none.

    `remarks` are no alarm: what was compared with what, and how far a training is that still goes on.
    """

    findings: tuple[Finding, ...] = ()
    remarks: tuple[Message, ...] = field(default=(), compare=False)

    @property
    def top(self) -> tuple[Finding, ...]:
        return self.findings[:TOP]

    @property
    def healthy(self) -> bool:
        return not self.findings

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(finding.name for finding in self.findings)

    def short(self) -> str:
        """A few lines for the end of a training: the first finding with its reason and first step, the names of others."""
        if self.healthy:
            return "\n".join([tr("Diagnosis: nothing wrong found."), *self._notes()])
        first = self.findings[0]
        lines = [
            tr("Diagnosis: {title}", title=first.title),
            *_wrapped(tr("seen:"), first.evidence),
            *_wrapped(tr("why:"), first.cause),
        ]
        lines += _wrapped(tr("try:"), first.try_next[0])
        if len(self.top) > 1:
            lines.append("  " + tr("also: {titles}", titles=listing(finding.title for finding in self.top[1:])))
        return "\n".join(lines)

    def __str__(self) -> str:
        if self.healthy:
            return "\n".join([tr("Nothing wrong found."), *self._notes()])
        texts = [f"{number}. {finding}" for number, finding in enumerate(self.top, 1)]
        if rest := self.findings[TOP:]:
            texts.append(tr("Less likely, or a consequence: {titles}", titles=listing(finding.title for finding in rest)))
        return "\n\n".join([*texts, *filter(None, ["\n".join(self._notes())])])

    def _notes(self) -> list[str]:
        return [line for remark in self.remarks for line in _wrapped(tr("note:"), remark)]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)


def _wrapped(word: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"  {word:<6}", subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False
    )
