"""How a network predicts: in float32 or bfloat16, or in int8 once it is calibrated."""

from __future__ import annotations

from typing import Any

from glassnet.compiler import INT8
from glassnet.errors import InputError
from glassnet.runtime import Predictor, needs_kernels, use_kernels, warn_emulated
from glassnet.runtime.int8 import Calibration, Int8Predictor, calibrate
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.training.known_images import KnowsImages


class Predicts(KnowsImages):
    """The compiled forms of prediction, made at their first use, and the calibration for int8, saved with the network."""

    _predictor: Predictor | None = None
    _in_int8: Predictor | None = None
    _calibration: Calibration | None = None

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_predictor": None, "_in_int8": None}

    @property
    def predictor(self) -> Predictor:
        """Prediction in float32."""
        if self._predictor is None:
            self._predictor = Predictor(self)
        return self._predictor

    def predictor_at(self, precision: str, where: str) -> Predictor:
        """Prediction with products of a precision; of "int8" after `calibrate`."""
        if precision != INT8:
            return self.predictor.at(precision, where)
        self._check_kernels(where)
        if self._calibration is None:
            raise InputError(
                tr("The network is not calibrated for int8."),
                where=where,
                expected=tr("a network that calibrate was called for after its training"),
                hint="net.calibrate(splits.validation.images)",
            )
        if self._in_int8 is None:
            self._in_int8 = Int8Predictor(self, self._calibration, self.predictor)
        return self._in_int8

    def _check_kernels(self, where: str) -> None:
        if not use_kernels(self):
            raise needs_kernels(INT8, self, where)

    @property
    def calibration(self) -> Calibration | None:
        """What `calibrate` has found."""
        return self._calibration

    def calibrate(self, images: Array) -> Calibration:
        """Prepare `predict(images, precision="int8")`; how its answers on these images compare with those of float32.

        Finds the range of the inputs of each product, and by how much the margin, the difference of the two largest outputs,
        may be off. Images of no larger margin are computed again in float32, so no class of these images differs. Both are
        saved with the network. The images: those of the validation set, 16 or more. `fit` makes the calibration void.
        Raises `InputError` for too few images, and for a network that the kernels can't run.
        """
        self._check_kernels("calibrate")
        warn_emulated(INT8, stacklevel=2)
        self._calibration, self._in_int8 = calibrate(self, self.rows(images), self.predictor), None
        return self._calibration

    def forget_images(self) -> None:
        """Forget what is known of the images trained on, and the calibration."""
        super().forget_images()
        self._calibration = self._in_int8 = None

    def _known(self) -> tuple[dict[str, Array], dict[str, Any]]:
        arrays, header = super()._known()
        return arrays, header if self._calibration is None else header | {"calibration": self._calibration.describe()}

    def _remember_calibration(self, header: dict[str, Any]) -> None:
        """As in the header of a model file, checked."""
        if "calibration" in header:
            self._calibration = Calibration.from_description(header["calibration"])
