"""What a page is given: a JSON header and arrays as a safetensors file, deflated, in base64. js/bundle.js opens it."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np

from glassnet.support.arrays import Array


def bundle(header: dict[str, Any], arrays: dict[str, Array]) -> str:
    """The text for `page_of`."""
    from safetensors.numpy import save

    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"page": json.dumps(header)})
    return base64.b64encode(zlib.compress(content, 9)).decode()
