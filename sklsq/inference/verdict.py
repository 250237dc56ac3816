"""What a comparison of models says, in words.

Models whose AICc lies within 2 of the least are all well supported (K. P. Burnham and
D. R. Anderson, *Model Selection and Multimodel Inference*, 2nd ed., 2002, 2.6), and the least of
several bad models is still a bad one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["verdict"]

_TOO_CLOSE = 2.0
_UNLIKELY = 0.01


def verdict(frame: pd.DataFrame, known: bool) -> str:
    """Return in a sentence or three what a table of `compare_models` says.

    Parameters
    ----------
    frame : DataFrame
        Sorted, the best model first.
    known : bool
        Whether the errors of the data are known, so that χ² can be judged.
    """
    usable = frame[frame["AICc"].notna()]
    if not len(usable):
        return "No model could be fitted: see `status`."
    best = usable.iloc[0]
    name = usable.index[0]
    close = usable[(usable["delta"] < _TOO_CLOSE)]
    if not np.isfinite(best["AICc"]):
        sentences = [
            f"No ranking: {name} "
            + ("fits exactly." if best["AICc"] < 0 else "has too many parameters for the data.")
        ]
    elif len(usable) == 1:
        sentences = [f"Only {name} could be judged."]
    elif len(close) > 1:
        others = ", ".join(map(str, close.index[1:]))
        simplest = close["n_params"].idxmin()
        sentences = [
            f"{name} is ahead (weight {best['weight']:.2g}), but the data cannot tell it from "
            f"{others} (AICc within {_TOO_CLOSE:g}); the simplest of them is {simplest}."
        ]
    else:
        second = usable.iloc[1]
        sentences = [
            f"{name} is preferred (weight {best['weight']:.2g}); next is {usable.index[1]}, "
            f"AICc higher by {second['delta']:.1f}."
        ]
    if known and best["p_value"] < _UNLIKELY:
        sentences.append(
            f"Even {name} does not describe the data (p = {best['p_value']:.2g}): the model is not "
            "theirs, or sigma too small."
        )
    if known and best["p_value"] > 1.0 - _UNLIKELY:
        sentences.append(f"Its chi2 is too small (p = {best['p_value']:.4g}): sigma is too large.")
    failed = frame.index[frame["AICc"].isna()]
    if len(failed):
        sentences.append(f"Not compared: {', '.join(map(str, failed))} (see `status`).")
    return " ".join(sentences)
