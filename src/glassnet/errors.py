"""The exceptions: each states what is wrong, where, what was expected, what was received, and what to do next."""

from __future__ import annotations

import contextlib
import errno
import pickle
from collections.abc import Iterator
from typing import Any, TypeVar

from glassnet.support.i18n import mark, tr

FULL = (errno.ENOSPC, errno.EDQUOT)
MAKE_ROOM = mark("make room on the disk")
Raised = TypeVar("Raised", bound="GlassnetError")


class GlassnetError(Exception):
    """What is wrong, and, where known: `where`, `expected`, `received`, `hint` (what to do next).

    `str(error)` is the whole message, a line for each part:

        The learning rate must be positive.
          where:    SGD(learning_rate)
          expected: a number above 0
          received: -3.0
          try:      SGD(0.1)
    """

    def __init__(
        self, what: str, *, where: object = None, expected: object = None, received: object = None, hint: str | None = None
    ) -> None:
        self.what, self.where, self.expected, self.received, self.hint = what, where, expected, received, hint
        labels = tr("where:"), tr("expected:"), tr("received:"), tr("try:")
        parts = zip(labels, (where, expected, received, hint), strict=True)
        width = max(map(len, labels))
        super().__init__("\n".join([what, *(f"  {name:<{width}} {part}" for name, part in parts if part is not None)]))

    def at(self, where: object, kind: type[Raised]) -> Raised:
        """The same error with another `where`, as an error of `kind`."""
        return kind(self.what, where=where, expected=self.expected, received=self.received, hint=self.hint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle for other processes; a part that can't be pickled, such as a function, is converted to text."""
        parts = {name: _portable(getattr(self, name)) for name in ("where", "expected", "received")}
        return type(self), self.args, vars(self) | parts


def _portable(part: object) -> object:
    try:
        pickle.dumps(part)
    except Exception:  # whatever its own pickling may raise
        return str(part)
    return part


class InputError(GlassnetError, ValueError):
    """An argument, an image or an array that can't be used as it is."""


class UnknownAttributeError(GlassnetError, AttributeError):
    """A name that an object or the package does not have."""


class ShapeError(InputError):
    """Arrays or layers whose shapes do not fit together."""


class TooLargeError(InputError):
    """An image with more pixels than are opened safely."""


class DataError(GlassnetError, ValueError):
    """A data set that is missing, unreadable or inconsistent."""


class MixedSizesError(DataError):
    """Images of several sizes, and none to bring them to."""


class DataWarning(UserWarning):
    """A data set that can be used, but not all of it: images were left out."""


class RecipeError(GlassnetError, ValueError):
    """A recipe that is unknown, malformed or asks for something impossible."""


class ModelFileError(GlassnetError, ValueError):
    """A model or checkpoint file that can't be read, or does not hold what its header says."""


class ModelFileWarning(UserWarning):
    """A model or checkpoint file that can be used, but not checked: it was saved before files had checksums."""


class TrainingWarning(UserWarning):
    """Training ended early, because the loss was no longer finite."""


class PrecisionWarning(TrainingWarning):
    """A training whose precision the processor does not have, so that it is slower."""


class TrackerWarning(TrainingWarning):
    """A tracker, such as `MLflow`, failed; the training goes on without it."""


class RunError(GlassnetError, ValueError):
    """A run folder that is not one, or can't be written or resumed."""


class WriteError(RunError):
    """A file that can't be written: there is no room (`full`), no permission, or no such folder."""

    full = False

    @classmethod
    def of(cls, error: OSError, where: object, what: str | None = None) -> WriteError:
        hint = tr(MAKE_ROOM) if is_full(error) else tr("choose a folder that exists and that you may write to")
        made = cls(what or tr("The file can't be written."), where=where, received=spell(error), hint=hint)
        made.full = is_full(error)
        return made


@contextlib.contextmanager
def writing(where: object, what: str | None = None) -> Iterator[None]:
    """Raise `WriteError` for the `OSError` of what is written within."""
    try:
        yield
    except OSError as error:
        raise WriteError.of(error, where, what) from None


class RankError(GlassnetError):
    """A rank of a training on several processes that died, hangs or failed."""


class UnfinishedError(RunError):
    """A training that is done and whose model is safe, though not all that belongs to it could be written."""


def is_full(error: BaseException) -> bool:
    """Whether there was no room left to write."""
    return getattr(error, "full", False) or (isinstance(error, OSError) and error.errno in FULL)


def reason(error: BaseException) -> str:
    """The system's or the library's own words for an error, in one line."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]


def spell(error: BaseException) -> str:
    """What an error is about, in one line."""
    if isinstance(error, GlassnetError):
        return str(error.received or error.what)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}".splitlines()[0]
