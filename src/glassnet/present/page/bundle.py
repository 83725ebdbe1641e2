"""What a page is given: a JSON header and arrays as a safetensors file, deflated, in base64. js/bundle.js opens it."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np

from glassnet.support.arrays import Array


def bundle(header: dict[str, Any], arrays: dict[str, Array]) -> str:
    """The text for `page_of`. Each array lies there byte by byte, first bytes first: so floats deflate to 8 % less."""
    from safetensors.numpy import save

    content = save({name: _planes(array) for name, array in arrays.items()}, {"page": json.dumps(header)})
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _planes(array: Array) -> Array:
    """The first byte of each number, then the second of each, and so on; in an array of the same type and shape."""
    size, flat = array.dtype.itemsize, np.ascontiguousarray(array)
    return np.ascontiguousarray(flat.view(np.uint8).reshape(-1, size).T).reshape(-1).view(array.dtype).reshape(array.shape)
