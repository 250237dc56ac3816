"""10,000 curves of 100 points, a Gaussian on a constant each, from one common start: µs a curve.

`NonlinearLSQ(f, p0=p0).fit(X, Y, sigma=σ)` with a two-dimensional Y fits them all; the peers loop.
They are timed on the first curves only, since theirs is the same work for every curve; "relative"
is time for each curve. Their loop keeps parameters and standard errors. Evaluations are those of
the model with all its derivatives for sklsq, and of the model alone for curve_fit, whose
differences need four more for each Jacobian (with `jac`: Jacobians not counted).

"off by" is the largest distance of a parameter from Gauss-Newton in long double, in standard
errors, over the curves timed. Target: at least 25 times faster than the loop of curve_fit.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from harness import interleave, parser, ratios_beside, reporting, traced_peak
from nonlinear_problems import GAUSSIAN, many_curves, solve_curve
from report import Row, Target, duration, markdown, number
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Fits:
    """Parameters and standard errors (t, m); evaluations a curve; curves that failed."""

    params: np.ndarray
    std: np.ndarray
    evaluations: float
    failed: int


@dataclass(frozen=True)
class Curves:
    """x (n,), Y and σ (n, t), and the common start (m,)."""

    x: np.ndarray
    Y: np.ndarray
    sigma: np.ndarray
    p0: np.ndarray

    def first(self, t: int) -> Curves:
        return Curves(self.x, self.Y[:, :t].copy(), self.sigma[:, :t].copy(), self.p0)


def sklsq(curves: Curves, model=GAUSSIAN.function, n_jobs: int | None = None) -> Fits:
    from sklsq import NonlinearLSQ

    p0 = dict(zip(GAUSSIAN.names, curves.p0, strict=True))
    fit = NonlinearLSQ(model, p0=p0, n_jobs=n_jobs)
    fit.fit(curves.x[:, None], curves.Y, sigma=curves.sigma)
    order = [fit.param_names_.index(name) for name in GAUSSIAN.names]
    evaluations = 1 + np.mean(fit.n_iter_)
    failed = np.count_nonzero(~fit.converged_)
    return Fits(fit.params_[:, order], fit.params_std_[:, order], evaluations, failed)


def one_curve_fit(x, y, sigma, p0, jac) -> tuple[np.ndarray, np.ndarray, int]:
    from scipy.optimize import curve_fit

    params, covariance, details, _, _ = curve_fit(
        GAUSSIAN.function, x, y, p0=p0, sigma=sigma, absolute_sigma=True, jac=jac, full_output=True
    )
    return params, np.sqrt(np.diag(covariance)), details["nfev"]


def jacobian(x, *params):
    return np.column_stack(GAUSSIAN.derivatives(x, *params))


def attempt_curve_fit(x, y, sigma, p0, jac):
    try:
        return one_curve_fit(x, y, sigma, p0, jac)
    except RuntimeError:
        return np.full(len(p0), np.nan), np.full(len(p0), np.nan), 0


def curve_fit_loop(curves: Curves, jac=None) -> Fits:
    columns = zip(curves.Y.T, curves.sigma.T, strict=True)
    return gathered([attempt_curve_fit(curves.x, y, s, curves.p0, jac) for y, s in columns])


def curve_fit_joblib(curves: Curves) -> Fits:
    """Two processes, kept between rounds; batches of curves."""
    from joblib import Parallel, delayed

    job = delayed(attempt_curve_fit)
    columns = zip(curves.Y.T, curves.sigma.T, strict=True)
    jobs = (job(curves.x, y, s, curves.p0, None) for y, s in columns)
    return gathered(Parallel(n_jobs=2, batch_size=100)(jobs))


def lmfit_loop(curves: Curves) -> Fits:
    from lmfit import Model

    model, start = Model(GAUSSIAN.function), dict(zip(GAUSSIAN.names, curves.p0, strict=True))
    found = []
    for y, sigma in zip(curves.Y.T, curves.sigma.T, strict=True):
        result = model.fit(y, x=curves.x, weights=1 / sigma, scale_covar=False, **start)
        parameters = [result.params[name] for name in GAUSSIAN.names]
        std = np.array([parameter.stderr for parameter in parameters], dtype=float)
        found.append((np.array([p.value for p in parameters]), std, result.nfev))
    return gathered(found)


def gathered(found: list[tuple[np.ndarray, np.ndarray, int]]) -> Fits:
    params, std, evaluations = zip(*found, strict=True)
    failed = sum(not np.isfinite(p).all() for p in params)
    return Fits(np.array(params), np.array(std), float(np.mean(evaluations)), failed)


PEERS: dict[str, tuple[Callable[[Curves], Fits], int]] = {  # and the share of curves: 1 in so many
    "sklsq": (sklsq, 1),
    "sklsq formula": (partial(sklsq, model=GAUSSIAN.formula), 1),
    "sklsq n_jobs=2": (partial(sklsq, n_jobs=2), 1),
    "curve_fit loop": (curve_fit_loop, 10),
    "curve_fit loop with jac": (partial(curve_fit_loop, jac=jacobian), 10),
    "curve_fit joblib x2": (curve_fit_joblib, 5),
    "lmfit loop": (lmfit_loop, 100),
}


def reference(curves: Curves, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and standard errors (t, m) of the first curves, from the truth, in long double."""
    answers = [
        solve_curve(GAUSSIAN, curves.x, y, sigma, start)
        for y, sigma, start in zip(curves.Y.T, curves.sigma.T, truth, strict=False)
    ]
    return np.array([a.params for a in answers]), np.array([a.std for a in answers])


def distance(fits: Fits, params: np.ndarray, std: np.ndarray) -> tuple[float, float]:
    """Largest difference from the reference in σ: of parameters, and of σ in units of itself.

    A width may come out negative: its sign does not matter."""
    t = min(len(params), len(fits.params))
    found = fits.params[:t].copy()
    found[:, 2] = np.abs(found[:, 2])
    of_params = np.abs(found - params[:t]) / std[:t]
    of_std = np.abs(fits.std[:t] / std[:t] - 1)
    return float(np.nanmax(of_params)), float(np.nanmax(of_std))


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--curves", type=int, default=10_000)
    arguments.add_argument("--quick", action="store_true", help="1,000 curves")
    options = arguments.parse_args()
    n_curves = 1_000 if options.quick else options.curves
    x, Y, sigma, p0, truth = many_curves(n_curves)
    curves = Curves(x, Y, sigma, p0)
    exact = reference(curves.first(min(n_curves, 2_000)), truth)
    with (
        reporting(options) as report,
        warnings.catch_warnings(),
        threadpool_limits(options.blas_threads),
    ):
        warnings.simplefilter("ignore")
        calls, sizes, rows, body = {}, {}, [], []
        for name, (fit, share) in PEERS.items():
            if options.only is None or name in options.only:
                sizes[name] = max(n_curves // share, 10)
                calls[name] = partial(fit, curves.first(sizes[name]))
        fits = {name: call() for name, call in calls.items()}
        memory = {name: traced_peak(call) for name, call in calls.items()}
        samples = {
            name: [seconds / sizes[name] for seconds in taken]
            for name, taken in interleave(calls, options.rounds).items()
        }
        ratios = ratios_beside(samples)
        for name, found in fits.items():
            seconds = statistics.median(samples[name])
            rows.append(Row(f"{n_curves:,} curves", name, seconds, ratios[name], memory[name]))
            off, std_off = distance(found, *exact)
            body.append(
                [
                    name,
                    duration(seconds),
                    number(ratios[name], ".3g"),
                    f"{sizes[name]:,}",
                    number(found.evaluations, ".1f"),
                    number(off, ".0e"),
                    number(std_off, ".0e"),
                    str(found.failed),
                    number(memory[name], ".1f"),
                ]
            )
        header = ["", "a curve", "relative", "curves", "evaluations"]
        header += ["off by (σ)", "errors off by", "failed", "arrays MB"]
        print(f"\n### {n_curves:,} curves x {len(x)} points\n\n{markdown(header, body)}\n")
        report.rows += rows
        print(Target("curve_fit loop", "ratio", at_least=25).verdict(rows))


if __name__ == "__main__":
    main()
