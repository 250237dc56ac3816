"""How far from the answer a fit may begin: random starts, no start at all, and NIST.

1. *Random starts*, the same 1,000 for everybody: the share that ends within 1 % of the smallest χ²
   known (a generous test, for those who stop early), and the time for one start, mean and median.
   "engine" is what the estimator calls, here with all starts as one batch; "projected" starts from
   the nonlinear parameters alone (variable projection).
2. *Wide boxes*: the same for the engine alone, rates drawn from far beyond the data, several seeds
   and data sets. There a term is over before the second point, or looks constant.
3. *No start*: the share of data sets, with parameters drawn at random, on which the smallest χ² is
   found; and that of seeds, of the search for starts, on one data set.
4. *Lanczos3*, three exponentials, from the starts of NIST: steps beside MINPACK's evaluations.
5. *NIST*: the nonlinear sets of the known answers, from the far start and from none: time and
   digits. Without a start the digits are those of the sorted sizes of the parameters, since terms
   may be exchanged; "best" says whether the sum of squares is NIST's to six digits. (ENSO is
   sampled at whole months: periods T and 1/(1 - 1/T) fit alike.)

Targets: projected double and triple exponentials 100 %; no start 100 %; NIST 10 digits throughout.
``--parts random,wide`` runs some of them only: random, wide, none, lanczos3, nist.
"""

from __future__ import annotations

import math
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from answers import correct_digits
from harness import interleave, names, parser, reporting
from nonlinear_problems import (
    GAUSSIAN,
    TWO_DECAYS,
    CurveProblem,
    curve_data,
    lanczos3,
    nist_nonlinear,
    solve_curve,
)
from report import EMPTY, duration, markdown
from threadpoolctl import threadpool_limits

NEAR_BEST = 1.01
CHUNK = 50  # starts of one method before it is the next one's turn
RATES = ((0.05, 20.0), (0.005, 200.0), (1.0, 100.0), (1e-4, 1e4))
DATA_SEEDS, START_SEEDS = (8, 21, 22), (0, 1, 2)
PARTS = ("random", "wide", "none", "lanczos3", "nist")
EXACT_DATA = "Lanczos1"  # its residuals are the rounding of its data


@dataclass(frozen=True)
class Contest:
    """A problem, the box that starts are drawn from, and the parameters that enter linearly.

    `box` has (lowest, highest) for each parameter; those in `scales` are drawn by their logarithm.
    """

    problem: CurveProblem
    box: tuple[tuple[float, float], ...]
    scales: tuple[int, ...]
    linear: tuple[int, ...]
    best: float

    def draw(self, n_starts: int, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return drawn(self.box, self.scales, n_starts, rng)

    def chi2(self, params: np.ndarray) -> np.ndarray:
        """χ² (B,) of points (B, m), infinite where there is none."""
        with np.errstate(all="ignore"):
            residuals = self.residuals(params)
            chi2 = np.einsum("bi,bi->b", residuals, residuals)
        return np.where(np.isfinite(chi2), chi2, np.inf)

    def residuals(self, params: np.ndarray, _=None) -> np.ndarray:
        p = self.problem
        return (p.y - p.curve.function(p.x, *params.T[:, :, None])) / p.sigma

    def linearise(self, params: np.ndarray, _=None) -> tuple[np.ndarray, np.ndarray]:
        p = self.problem
        slopes = p.curve.derivatives(p.x, *params.T[:, :, None])
        J = np.stack([np.broadcast_to(s, (len(params), len(p.x))) for s in slopes], axis=1)
        return self.residuals(params), J / p.sigma


def drawn(box, scales, n: int, rng) -> np.ndarray:
    low, high = np.array(box).T
    uniform = rng.uniform(size=(n, len(box)))
    points = low + (high - low) * uniform
    for j in scales:
        points[:, j] = low[j] * (high[j] / low[j]) ** uniform[:, j]
    return points


def contests() -> list[Contest]:
    peak, usual = curve_data(GAUSSIAN, 100), (0.05, 20.0)
    box = ((0.3, 10.0), (0.0, 10.0), (0.1, 10.0), (-1.0, 2.0))
    of_peak = Contest(peak, box, (0, 2), (0, 3), least_chi2(peak))
    return [of_peak, pair_of_decays(8, usual), lanczos_contest(usual)]


def least_chi2(problem: CurveProblem, truth=None) -> float:
    """χ² at the minimum next to the truth."""
    truth = problem.curve.truth if truth is None else truth
    params = solve_curve(problem.curve, problem.x, problem.y, problem.sigma, truth).params
    residuals = (problem.y - problem.curve.function(problem.x, *params)) / problem.sigma
    return float(residuals @ residuals)


# --- 1. random starts ----------------------------------------------------------------------------


def one_by_one(fit: Callable[[CurveProblem, np.ndarray], np.ndarray]):
    """A method that is called for every start; a start that raises is lost."""

    def run(contest: Contest, starts: np.ndarray) -> np.ndarray:
        found = np.full(starts.shape, np.nan)
        for row, start in zip(found, starts, strict=True):
            try:
                row[:] = fit(contest.problem, start)
            except (RuntimeError, ValueError):
                continue
        return found

    return run


@one_by_one
def sklsq_given(problem: CurveProblem, p0: np.ndarray) -> np.ndarray:
    from sklsq import NonlinearLSQ

    fit = NonlinearLSQ(problem.curve.function, p0=p0, start="p0")
    return fit.fit(problem.X, problem.y, sigma=problem.sigma).params_


@one_by_one
def sklsq_default(problem: CurveProblem, p0: np.ndarray) -> np.ndarray:
    from sklsq import NonlinearLSQ

    fit = NonlinearLSQ(problem.curve.function, p0=p0)
    return fit.fit(problem.X, problem.y, sigma=problem.sigma).params_


def curve_fit(method: str, *, derivatives: bool):
    from scipy.optimize import curve_fit as scipy_curve_fit

    @one_by_one
    def fit(problem: CurveProblem, p0: np.ndarray) -> np.ndarray:
        jac = problem.jacobian if derivatives else None
        return scipy_curve_fit(
            problem.curve.function,
            problem.x,
            problem.y,
            p0,
            problem.sigma,
            absolute_sigma=True,
            method=method,
            jac=jac,
        )[0]

    return fit


def sklsq_batch(contest: Contest, starts: np.ndarray, *, projected: bool) -> np.ndarray:
    return engine_minima(contest, starts, projected).params


def engine_minima(contest: Contest, starts: np.ndarray, projected: bool):
    """All starts at once, by the engine below the estimator."""
    from sklsq.solvers.levenberg_marquardt import minimise
    from sklsq.solvers.nonlinear_problem import NonlinearProblem
    from sklsq.solvers.variable_projection import minimise_separable

    n_rows, m = len(contest.problem.x), starts.shape[1]
    problem = NonlinearProblem(contest.residuals, contest.linearise, m, n_rows)
    curves = np.zeros(len(starts), dtype=int)
    if not projected:
        return minimise(problem, starts, curves=curves)
    linear = np.isin(np.arange(m), contest.linear)
    return minimise_separable(problem, starts, linear, curves=curves)


METHODS = {
    'sklsq start="p0"': sklsq_given,
    "sklsq": sklsq_default,
    "sklsq engine, batch": partial(sklsq_batch, projected=False),
    "sklsq engine, projected": partial(sklsq_batch, projected=True),
    "curve_fit lm": curve_fit("lm", derivatives=False),
    "curve_fit lm with jac": curve_fit("lm", derivatives=True),
    "curve_fit trf": curve_fit("trf", derivatives=False),
}
TOGETHER = ("sklsq engine, batch", "sklsq engine, projected")
ONE_IN = {"sklsq": 10, "curve_fit trf": 5}  # of the starts, for those that take their time


def random_starts(contest: Contest, n_starts: int) -> None:
    """In turns of `CHUNK` starts; the first of each method, untimed, is its warm-up."""
    starts = contest.draw(n_starts)
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    reached, tried = dict.fromkeys(METHODS, 0), dict.fromkeys(METHODS, 0)
    for method in METHODS.values():
        method(contest, starts[:2])
    for begin in range(0, n_starts, CHUNK):
        for name, method in METHODS.items():
            parts = list(starts[begin : begin + CHUNK : ONE_IN.get(name, 1), None])
            if name in TOGETHER:
                parts = [] if begin else [starts]
            for part in parts:
                clock = time.perf_counter()
                found = method(contest, part)
                seconds[name].append((time.perf_counter() - clock) / len(part))
                tried[name] += len(part)
                reached[name] += np.count_nonzero(contest.chi2(found) <= NEAR_BEST * contest.best)
    body = [
        [
            name,
            f"{100 * reached[name] / tried[name]:.1f} %",
            duration(statistics.mean(seconds[name])),
            EMPTY if name in TOGETHER else duration(statistics.median(seconds[name])),
            f"{tried[name]:,}",
        ]
        for name in METHODS
    ]
    print(f"\n### {n_starts:,} random starts: {contest.problem.curve.name}\n")
    print(markdown(["", "reach the best", "mean time", "median", "starts"], body))


# --- 2. wide boxes -------------------------------------------------------------------------------


def wide_boxes(n_starts: int) -> None:
    """Shares and evaluations of the engine, over seeds of the starts and of the data."""
    body = []
    for low, high in RATES:
        for name, some in (
            ("double exponential", [pair_of_decays(seed, (low, high)) for seed in DATA_SEEDS]),
            ("Lanczos3", [lanczos_contest((low, high))]),
        ):
            shares, steps = {}, {}
            for projected in (False, True):
                ends = [
                    (contest, engine_minima(contest, contest.draw(n_starts, seed), projected))
                    for contest in some
                    for seed in START_SEEDS
                ]
                reached = [c.chi2(m.params) <= NEAR_BEST * c.best for c, m in ends]
                shares[projected] = 100 * np.mean(reached)
                steps[projected] = np.mean([m.n_iter.mean() for _, m in ends])
            body.append(
                [
                    f"{name}, rates {low:g} to {high:g}",
                    *(f"{shares[p]:.2f} %, {steps[p]:.0f}" for p in (False, True)),
                    f"{n_starts * len(some) * len(START_SEEDS):,}",
                ]
            )
    print("\n### wide boxes: share that reaches the best, steps\n")
    print(markdown(["", "engine, batch", "engine, projected", "starts"], body))


def pair_of_decays(seed: int, rate: tuple[float, float]) -> Contest:
    problem = curve_data(TWO_DECAYS, 100, seed=seed)
    return Contest(problem, ((0.0, 4.0), rate) * 2, (1, 3), (0, 2), least_chi2(problem))


def lanczos_contest(rate: tuple[float, float]) -> Contest:
    problem = lanczos3()
    return Contest(problem, ((0.0, 4.0), rate) * 3, (1, 3, 5), (0, 2, 4), least_chi2(problem))


# --- 3. no start ---------------------------------------------------------------------------------


def no_start(contest: Contest, n_seeds: int, truths: np.ndarray | None) -> None:
    """Seeds on the one data set; and data sets with other parameters, where `truths` are given."""
    name = contest.problem.curve.name
    body = [cold_row("sklsq, seeds", [(contest, seed) for seed in range(n_seeds)], cold_sklsq)]
    if truths is not None:
        others = [(other_data(contest, t, seed), 0) for seed, t in enumerate(truths)]
        body.append(cold_row("sklsq, data sets", others, cold_sklsq))
        body.append(cold_row("curve_fit, data sets", others, cold_curve_fit))
    print(f"\n### no start: {name}\n")
    print(markdown(["", "find the best", "a fit", "tries"], body))


def cold_row(name: str, tries: list[tuple[Contest, int]], fit) -> list[str]:
    found, seconds = 0, []
    for contest, seed in tries:
        clock = time.perf_counter()
        params = fit(contest.problem, seed)
        seconds.append(time.perf_counter() - clock)
        found += int(contest.chi2(params[None])[0] <= NEAR_BEST * contest.best)
    share = f"{100 * found / len(tries):.1f} %"
    return [name, share, duration(statistics.median(seconds)), str(len(tries))]


def cold_sklsq(problem: CurveProblem, seed: int) -> np.ndarray:
    from sklsq import NonlinearLSQ

    fit = NonlinearLSQ(problem.curve.function, random_state=seed)
    return fit.fit(problem.X, problem.y, sigma=problem.sigma).params_


def cold_curve_fit(problem: CurveProblem, _: int) -> np.ndarray:
    """scipy begins with ones."""
    ones = np.ones(len(problem.curve.names))
    contest = Contest(problem, (), (), (), math.nan)
    return curve_fit("lm", derivatives=False)(contest, ones[None])[0]


def other_data(contest: Contest, truth: np.ndarray, seed: int) -> Contest:
    curve = replace(contest.problem.curve, truth=tuple(truth))
    problem = curve_data(curve, 100, seed=1_000 + seed)
    return replace(contest, problem=problem, best=least_chi2(problem))


def peaks(n: int) -> np.ndarray:
    """Peaks that stand out of the noise and lie within the data."""
    rng = np.random.default_rng(11)
    return drawn(((0.5, 50.0), (1.0, 9.0), (0.2, 2.0), (-5.0, 5.0)), (0, 2), n, rng)


def pairs_of_decays(n: int) -> np.ndarray:
    """Two rates, the second 3 to 10 times the first."""
    rng = np.random.default_rng(12)
    points = drawn(((0.5, 5.0), (3.0, 10.0), (0.5, 5.0), (0.2, 1.0)), (1, 3), n, rng)
    points[:, 1] *= points[:, 3]
    return points


# --- 4. Lanczos3 ---------------------------------------------------------------------------------


def triple_exponential() -> None:
    from scipy.optimize import leastsq

    from sklsq import NonlinearLSQ

    record = next(record for record in nist_nonlinear() if record["name"] == "Lanczos3")
    problem, certified = lanczos3(), np.array(record["reference"]["coef"])
    body = []
    for which, start in zip(("far", "near"), record["starts"], strict=True):
        fit = NonlinearLSQ(problem.curve.function, p0=start, start="p0")
        fit.fit(problem.X, problem.y)
        digits = correct_digits(fit.params_, certified)
        body.append(["sklsq", which, f"{fit.n_iter_} + 1", f"{fit.n_iter_} + 1", f"{digits:.1f}"])
        for name, tolerance in (("MINPACK lmder", 1.49012e-8), ("MINPACK lmder, 1e-15", 1e-15)):
            params, _, details, *_ = leastsq(
                lambda p: problem.curve.function(problem.x, *p) - problem.y,
                start,
                Dfun=lambda p: problem.jacobian(problem.x, *p),
                full_output=True,
                ftol=tolerance,
                xtol=tolerance,
                maxfev=5_000,
            )
            counts = [str(details["nfev"]), str(details["njev"])]
            body.append([name, which, *counts, f"{correct_digits(params, certified):.1f}"])
    print("\n### Lanczos3 from the starts of NIST\n")
    print(markdown(["", "start", "functions", "Jacobians", "digits"], body))


# --- 5. NIST -------------------------------------------------------------------------------------


def nist(rounds: int) -> None:
    """Digits: the worst parameter, and the sum of squares; terms may be exchanged without start."""
    body, worst = [], {}
    for record in nist_nonlinear():
        fits = {"far": nist_sklsq(record, "far"), "scipy": nist_scipy(record)}
        fits["none"] = nist_sklsq(record, None)
        certified = record["reference"]
        coef, rss = np.array(certified["coef"]), certified["rss"]
        found = {name: attempt(fit) for name, fit in fits.items()}
        taken = interleave({name: partial(attempt, fit) for name, fit in fits.items()}, rounds)
        digits = {name: correct_digits(params, coef) for name, params in found.items()}
        digits["none"] = correct_digits(in_order(found["none"]), in_order(coef))
        for name, value in digits.items():
            worst.setdefault(name, []).append((value, record["name"]))
        chi2 = sum_of_squares(record, found["none"])
        body.append(
            [
                record["name"],
                *(
                    cell
                    for name in ("far", "scipy", "none")
                    for cell in (duration(statistics.median(taken[name])), f"{digits[name]:.1f}")
                ),
                "yes" if chi2 <= rss * (1 + 1e-6) or record["name"] == EXACT_DATA else "no",
            ]
        )
    header = ["", "far start", "digits", "curve_fit far", "digits", "no start", "digits", "best"]
    print(f"\n### NIST nonlinear, {len(body)} sets\n\n{markdown(header, body)}\n")
    for name, values in worst.items():
        print(f"worst {name}: " + ", ".join(f"{v:.1f} {n}" for v, n in sorted(values)[:4]))


def in_order(params: np.ndarray) -> np.ndarray:
    return np.sort(np.abs(params))


def sum_of_squares(record: dict, params: np.ndarray) -> float:
    residuals = record["y_values"] - record["function"](*record["X"].values(), *params)
    return float(residuals @ residuals)


def attempt(fit: Callable[[], np.ndarray]) -> np.ndarray:
    try:
        return fit()
    except RuntimeError:
        return np.array([np.nan])


def nist_sklsq(record: dict, start: str | None) -> Callable[[], np.ndarray]:
    from sklsq import NonlinearLSQ

    X, y = pd.DataFrame(record["X"]), record["y_values"]
    p0 = None if start is None else dict(zip(record["params"], record["starts"][0], strict=True))
    how = {} if start is None else {"start": "p0", "max_iter": 2_000}

    def fit() -> np.ndarray:
        model = NonlinearLSQ(record["expr"], p0, **how).fit(X, y)
        named = dict(zip(model.param_names_, model.params_, strict=True))
        return np.array([named[name] for name in record["params"]])

    return fit


def nist_scipy(record: dict) -> Callable[[], np.ndarray]:
    from scipy.optimize import curve_fit as scipy_curve_fit

    names, y, p0 = record["predictors"], record["y_values"], record["starts"][0]
    X, function = np.array(list(record["X"].values())), record["function"]
    model = (lambda X, *p: function(*X, *p)) if len(names) > 1 else function
    return lambda: scipy_curve_fit(model, X if len(names) > 1 else X[0], y, p0, maxfev=20_000)[0]


def main() -> None:
    arguments = parser(__doc__, rounds=3, peers=False)
    arguments.add_argument("--starts", type=int, default=1_000)
    arguments.add_argument("--seeds", type=int, default=100, help="and as many data sets")
    arguments.add_argument("--quick", action="store_true", help="100 starts, 10 seeds")
    arguments.add_argument("--parts", type=names, default=PARTS, help="of: " + ",".join(PARTS))
    options = arguments.parse_args()
    n_starts, n_seeds = (100, 10) if options.quick else (options.starts, options.seeds)
    truths = (peaks(n_seeds), pairs_of_decays(n_seeds), None)
    with (
        reporting(options),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        threadpool_limits(options.blas_threads),
    ):
        warnings.simplefilter("ignore")
        every = contests()
        if "random" in options.parts:
            for contest in every:
                random_starts(contest, n_starts)
        if "wide" in options.parts:
            wide_boxes(n_starts)
        if "none" in options.parts:
            for contest, others in zip(every, truths, strict=True):
                no_start(contest, n_seeds, others)
        if "lanczos3" in options.parts:
            triple_exponential()
        if "nist" in options.parts:
            nist(options.rounds)


if __name__ == "__main__":
    main()
