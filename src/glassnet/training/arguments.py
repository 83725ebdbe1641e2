"""What people give to `fit` and its like, checked before anything begins."""

from __future__ import annotations

from glassnet.data import Dataset
from glassnet.data.augmentation import Augmentation
from glassnet.errors import InputError
from glassnet.nn.optimizers import Optimizer, ScipyMinimize
from glassnet.support.arrays import Array
from glassnet.support.checks import whole_number
from glassnet.support.i18n import tr


def as_dataset(value: Dataset | tuple[Array, Array], where: str) -> Dataset:
    """A Dataset from itself or from (images, labels)."""
    if isinstance(value, Dataset):
        return value
    if isinstance(value, tuple) and len(value) == 2:
        return Dataset(*value)
    raise InputError(
        tr("This is no data set."), where=where, expected=tr("a Dataset, or (images, labels)"), received=type(value).__name__
    )


def check_seed(seed: int) -> int:
    return whole_number(seed, tr("A seed is a whole number of at least 0."), "seed", "0, 1, 2 …", least=0)


def check_whole(value: object, name: str, least: int, where: str) -> None:
    """Refuse an argument that is not a whole number of at least `least`."""
    if least == 1:
        what = tr("{name} must be a whole number above 0.", name=name)
    else:
        what = tr("{name} must be a whole number of at least {least}.", name=name, least=least)
    whole_number(value, what, f"{where}({name})", tr("{least} or more", least=least), least)


def check_fit(
    epochs: int,
    batch_size: int,
    plain_epochs: int,
    keep: str,
    average: float | None,
    augmentation: Augmentation | None,
    optimizer: Optimizer | ScipyMinimize,
) -> None:
    """Refuse what `Network.fit` can't do with these arguments of it."""
    for name, value, least in (("epochs", epochs, 1), ("batch_size", batch_size, 1), ("plain_epochs", plain_epochs, 0)):
        check_whole(value, name, least, "fit")
    if keep not in ("last", "best"):
        raise InputError("Unknown choice.", where="fit(keep)", expected="'last' | 'best'", received=repr(keep))
    if average is not None and not (isinstance(average, float) and 0 < average < 1):
        raise InputError(
            tr("The moving average needs a share of the past."),
            where="fit(average)",
            expected=tr("a number between 0 and 1, such as 0.999"),
            received=average,
        )
    if isinstance(optimizer, ScipyMinimize):
        if average is not None:
            raise InputError(
                tr("ScipyMinimize takes no small steps to average over."),
                where="fit(average)",
                expected=tr("None, or another optimizer"),
                received=average,
            )
        if augmentation is not None:
            raise InputError(
                tr("ScipyMinimize needs the same images in every step."),
                where="fit(augmentation)",
                expected=tr("no augmentation, or another optimizer"),
                received=augmentation,
            )
