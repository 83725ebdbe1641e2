"""Findings, each with a name, its evidence, its cause and suggestions; and a diagnosis, which is a list of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from glassnet.support.i18n import Message, listing, tr
from glassnet.support.terminal import text_width
from glassnet.support.upwards import Shown

TOP = 3  # findings printed in full


@dataclass(frozen=True)
class Finding:
    """One problem: the `evidence`, with figures of this run, the `cause`, and suggestions in the order to try them."""

    name: str
    evidence: str
    cause: str
    try_next: tuple[str, ...]

    @property
    def title(self) -> Message:
        return tr(self.name)

    def __str__(self) -> str:
        parts = [*_wrapped(tr("seen:"), self.evidence), *self._shown(), *_wrapped(tr("why:"), self.cause)]
        for number, step in enumerate(self.try_next, 1):
            parts += _wrapped(tr("try:") if number == 1 else "", f"{number}. {step}")
        return "\n".join([self.title, *parts])

    def _shown(self) -> list[str]:
        """Lines printed below the evidence, of findings that have images."""
        return []


@dataclass(frozen=True)
class Diagnosis(Shown):
    """All `findings`, causes before their consequences; `top`: the first three; `healthy`: whether there are none.

    `remarks` are not problems, such as differences that are significant. `judged`: False where nothing was found, but the
    training is at chance level, below the baseline or too short to be called good; a remark says which.
    """

    findings: tuple[Finding, ...] = ()
    remarks: tuple[Message, ...] = field(default=(), compare=False)
    judged: bool = field(default=True, compare=False)

    @property
    def top(self) -> tuple[Finding, ...]:
        return self.findings[:TOP]

    @property
    def healthy(self) -> bool:
        return not self.findings

    @property
    def verdict(self) -> Message:
        """The sentence that is said where there are no findings."""
        return tr("Nothing wrong found.") if self.judged else tr("Inconclusive.")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(finding.name for finding in self.findings)

    def short(self) -> str:
        """A few lines for the end of a training: the first finding with its cause and first suggestion, others by name."""
        if self.healthy:
            verdict = tr("Diagnosis: nothing wrong found.") if self.judged else tr("Diagnosis: inconclusive.")
            return "\n".join([verdict, *self._notes()])
        first = self.findings[0]
        lines: list[str] = [tr("Diagnosis: {title}", title=first.title)]
        for word, text in ((tr("seen:"), first.evidence), (tr("why:"), first.cause), (tr("try:"), first.try_next[0])):
            lines += _wrapped(word, text)
        if len(self.top) > 1:
            lines.append("  " + tr("also: {titles}", titles=listing(finding.title for finding in self.top[1:])))
        return "\n".join(lines)

    def __str__(self) -> str:
        if self.healthy:
            return "\n".join([self.verdict, *self._notes()])
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
        text, text_width(), initial_indent=f"  {word:<6}", subsequent_indent=" " * 8,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
