"""What a fitted `NetworkClassifier` knows of its training."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from glassnet.analysis.diagnosis import Diagnosis, diagnose
from glassnet.data import Splits
from glassnet.network import Network
from glassnet.support.i18n import tr
from glassnet.training import History


class Results:
    """The attributes that follow from the network, its history and the samples."""

    network_: Network
    history_: History
    _trained_on: Splits | None  # not pickled
    _diagnosis: Diagnosis | None

    @property
    def diagnosis_(self) -> Diagnosis:
        """What is wrong with the training, causes first."""
        check_is_fitted(self, "history_")
        if self._diagnosis is None:
            if self._trained_on is None:
                raise NotFittedError(tr("The diagnosis needs the training samples, which a pickle does not hold: fit again."))
            self._diagnosis = diagnose(self.history_, self.network_, self._trained_on)
        return self._diagnosis

    @property
    def n_iter_(self) -> int:
        """Epochs of the training."""
        return len(self.history_)

    @property
    def n_outputs_(self) -> int:
        """Outputs of the network."""
        return self.network_.outputs

    @property
    def loss_curve_(self) -> list[float]:
        """Mean training loss of each epoch."""
        return self.history_.train_cost

    @property
    def loss_(self) -> float:
        """Mean training loss of the last epoch; NaN where no epoch was complete."""
        return self.loss_curve_[-1] if self.loss_curve_ else float("nan")

    @property
    def validation_scores_(self) -> list[float] | None:
        """Accuracy on the validation samples after each epoch, if there are any."""
        scores = self.history_.validation_accuracy
        return None if None in scores else scores

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]  # BaseEstimator's
        return state | {"_trained_on": None} if "_trained_on" in state else state
