"""The hostile inputs of the robustness records, from JSON to the real object."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

__all__ = ["decode"]

SPECIAL = ("nan", "inf", "-inf")


def decode(argument: Any) -> Any:
    """Turn an argument as stored into the array, frame, sparse matrix... it stands for.

    >>> decode({"dtype": "float64", "container": "ndarray", "data": [1.0, "nan"]})
    array([ 1., nan])
    """
    if not isinstance(argument, dict) or "data" not in argument:
        return argument
    values = _numbers(argument["data"])
    container = argument.get("container", "ndarray")
    if container == "list":
        return values
    array = np.array(values, dtype=argument["dtype"])
    if "shape" in argument:
        array = array.reshape(argument["shape"])
    return CONTAINERS[container](array, argument)


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, dict):
        return complex(value["re"], value["im"])
    return float(value) if value in SPECIAL else value


def _pandas(array, argument):
    return (
        pd.DataFrame(array, columns=argument.get("columns")) if array.ndim > 1 else pd.Series(array)
    )


def _read_only(array, _):
    array.flags.writeable = False
    return array


def _strided(array, _):
    """Every other row of a larger array, with -7 between them."""
    larger = np.full((2 * len(array), *array.shape[1:]), -7, dtype=array.dtype)
    larger[::2] = array
    return larger[::2]


CONTAINERS = {
    "ndarray": lambda array, _: array,
    "pandas": _pandas,
    "sparse_csr": lambda array, _: sparse.csr_matrix(array),
    "masked": lambda array, argument: np.ma.array(array, mask=argument["mask"]),
    "fortran": lambda array, _: np.asfortranarray(array),
    "readonly": _read_only,
    "strided": _strided,
}
