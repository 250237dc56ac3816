"""The functions a formula may call, each with its derivative.

A function is allowed because its derivative stands in `DERIVATIVES`, written in the formula
language itself with ``u`` for the argument. Forms are chosen for their floating-point behaviour:
``1 - tanh(u)**2`` cannot overflow as ``1/cosh(u)**2`` does and reuses the model's own ``tanh``;
``(1 - u)*(1 + u)`` keeps the digits near 1 which ``1 - u**2`` loses.

Source: NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov, sections 4.7, 4.20,
4.24, 4.34, 4.38 and 7.10.
"""

import importlib
from typing import Any

import numpy as np

DERIVATIVES = {
    "abs": "sign(u)",
    "arccos": "-1/sqrt((1 - u)*(1 + u))",
    "arccosh": "1/(sqrt(u - 1)*sqrt(u + 1))",
    "arcsin": "1/sqrt((1 - u)*(1 + u))",
    "arcsinh": "1/sqrt(1 + u**2)",
    "arctan": "1/(1 + u**2)",
    "arctanh": "1/((1 - u)*(1 + u))",
    "cbrt": "1/(3*cbrt(u)**2)",
    "cos": "-sin(u)",
    "cosh": "sinh(u)",
    "erf": "2/sqrt(pi)*exp(-u**2)",
    "erfc": "-2/sqrt(pi)*exp(-u**2)",
    "exp": "exp(u)",
    "exp2": "log(2)*exp2(u)",
    "expm1": "exp(u)",
    "log": "1/u",
    "log10": "1/(log(10)*u)",
    "log1p": "1/(1 + u)",
    "log2": "1/(log(2)*u)",
    "reciprocal": "-1/u**2",
    "sign": "0",
    "sin": "cos(u)",
    "sinh": "cosh(u)",
    "sqrt": "0.5/sqrt(u)",
    "square": "2*u",
    "tan": "1 + tan(u)**2",
    "tanh": "1 - tanh(u)**2",
}

ALIASES = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atanh": "arctanh",
    "ln": "log",
}

ALLOWED = tuple(sorted([*DERIVATIVES, *ALIASES]))


def ufunc(function: str) -> Any:
    """Return the ufunc that computes a listed function; scipy is imported only for erf and erfc."""
    if function in ("erf", "erfc"):
        return getattr(importlib.import_module("scipy.special"), function)
    return getattr(np, function)
