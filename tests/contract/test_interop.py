"""Every export answers as the network does: each layer, each end, each shipped recipe's network."""

from __future__ import annotations

from typing import Any

import pytest

from glassnet.interop import numpy as numpy_form
from glassnet.interop.export import metadata_of, type_of
from glassnet.interop.operations import KINDS
from tests.interop import CASES_OF_LAYERS, assert_same, networks_of_recipes

each_network = pytest.mark.parametrize("make", [*CASES_OF_LAYERS, *networks_of_recipes()])


def described(network: Any, images: Any, file: str) -> dict[str, Any]:
    return {"file": file, **metadata_of(network), "input_type": type_of(images)}


def test_numpy_has_all_kinds() -> None:
    assert set(KINDS) <= set(numpy_form.FUNCTIONS)


@each_network
def test_numpy(make: Any) -> None:
    network, images = make()
    content = numpy_form.encode(network, described(network, images, "model.py"))
    assert_same(network, numpy_form.predictor(content), images)
