"""Formulas such as ``"a + b*exp(-((x - c)/d)**2)"``: a small language with exact derivatives.

The rooms: `functions` (what may be called, with derivatives), `grammar` (text to tape, the
whitelist), `tape` (what a formula is), `differentiate`, `text` (tape to text), `compiler` (tapes to
one fast function), `formula` (what a user holds).
"""

from sklsq.expression.formula import Expression, compile_fit, compile_many, parse

__all__ = ["Expression", "compile_fit", "compile_many", "parse"]
