"""What a picture of χ² is made of: the contours and profiles, and how they are drawn as curves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline, PchipInterpolator

from sklsq._typing import FloatArray
from sklsq.inference.contours import Chi2Contour, ContourLine, contour_of
from sklsq.inference.profile import ProfiledChi2

__all__ = ["error_of", "limits_of", "smooth_contour", "smooth_profile", "surface_of"]

_MOST = 8  # parameters in one picture
_TRACED = 12  # points of a profile in either direction
_BEYOND = 1.25  # of the highest level, to which a profile is followed
_REACH = 5.0  # ellipses that an axis extends to, where a contour goes further
_MARGIN = 0.06


def surface_of(
    profile: ProfiledChi2,
    params: Sequence[str] | None,
    levels: tuple[float, ...],
    joint: bool,
    n_points: int,
) -> dict[str, Any]:
    """Return contours, profiles, the rise of each level, and the unit of all rises."""
    fit = profile.fit
    if fit.exact:
        raise ValueError(
            "`sigma` must be given where the fit goes through all points: scaled by their scatter, "
            "errors are zero. Got none, or relative ones."
        )
    chosen = _chosen(profile, params)
    rises = {level: fit.quantile(level) ** 2 for level in levels}
    largest = np.sqrt(_BEYOND * max(rises.values()))
    profiles = {}
    for j in chosen:
        table = profile.trace(j, largest, _TRACED)
        profiles[fit.names[j]] = pd.DataFrame(
            {"value": table[fit.names[j]], "rise": table["rise"], "wald": table["wald"]}
        )
    contours = [
        contour_of(profile, pair, levels, joint, n_points) for pair in combinations(chosen, 2)
    ]
    unit = r"$\Delta\chi^2$" if fit.absolute else r"$\Delta\chi^2 / s^2$"
    return {"contours": contours, "profiles": profiles, "level_rises": rises, "unit": unit}


def _chosen(profile: ProfiledChi2, params: Sequence[str] | None) -> list[int]:
    """Return the numbers of the parameters to be shown."""
    fit = profile.fit
    vary = [name for name in fit.names if name not in profile.fixed]
    names = vary if params is None else list(params)
    if isinstance(params, str) or not names or len(set(names)) != len(names):
        raise ValueError(f"`params` must be different names of {', '.join(vary)}. Got {params!r}.")
    chosen = [fit.index(name) for name in names]
    if len(names) > _MOST:
        raise ValueError(
            f"`params` must name at most {_MOST} parameters, so that panels are legible. Got "
            f"{len(names)}; choose some, or take `CorrelationDisplay`."
        )
    for j in chosen:
        if not (np.isfinite(fit.std[j]) and fit.std[j] > 0.0):
            raise ValueError(
                f"`params` must name parameters with a standard error. Got {fit.names[j]!r}, which "
                f"is fixed, at a bound or not determined (error {fit.std[j]:g}); leave it out."
            )
    return chosen


def limits_of(
    name: str, contours: Sequence[Chi2Contour], profile: pd.DataFrame
) -> tuple[float, float]:
    """Return what an axis must show: contours, ellipses and profile, unless they run away."""
    shown: list[FloatArray] = [profile["value"].to_numpy()]
    ellipses: list[FloatArray] = [np.empty(0)]
    for contour in contours:
        if name in contour.names:
            k = contour.names.index(name)
            shown += [line.points[:, k] for line in contour.lines]
            ellipses += [line.ellipse[:, k] for line in contour.lines]
    sizes = np.concatenate(ellipses)
    values = np.concatenate([*shown, sizes])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    sizes = sizes[np.isfinite(sizes)]
    if sizes.size:
        middle, half = 0.5 * (sizes.min() + sizes.max()), 0.5 * float(np.ptp(sizes))
        low, high = max(low, middle - _REACH * half), min(high, middle + _REACH * half)
    pad = _MARGIN * (high - low) or abs(low) or 1.0
    return low - pad, high + pad


def smooth_contour(line: ContourLine) -> FloatArray:
    """Return points (k, 2) of a curve through those of a closed contour; others as they are."""
    points = np.vstack([line.points, line.points[:1]])
    if not line.closed:
        return points
    angles = np.append(line.angles, line.angles[0] + 2.0 * np.pi)
    if line.followed:  # goes to and fro in angle
        chords = np.linalg.norm(np.diff(points, axis=0) / np.ptp(points, axis=0), axis=1)
        angles = np.append(0.0, np.cumsum(chords))
    fine = np.union1d(np.linspace(angles[0], angles[-1], 361), angles)
    curve: FloatArray = CubicSpline(angles, points, bc_type="periodic")(fine)
    return curve


def smooth_profile(table: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return values and rises of a curve through the points of a profile."""
    value, rise = table["value"].to_numpy(), table["rise"].to_numpy()
    signs = np.sign(np.arange(len(value)) - int(np.argmin(rise)))
    fine = np.linspace(value[0], value[-1], 201)
    return fine, np.square(PchipInterpolator(value, signs * np.sqrt(rise))(fine))


def error_of(table: pd.DataFrame) -> float:
    """Return the standard error behind the parabola of a profile."""
    value, wald = table["value"].to_numpy(), table["wald"].to_numpy()
    far = int(np.argmax(wald))
    centre = value[int(np.argmin(wald))]
    return float(abs(value[far] - centre) / np.sqrt(wald[far]))
