"""One adapter per peer: `fit(problem) -> Answer`, from data and σ to parameters and errors.

Everything a user must do on the way is inside `fit` and is timed: building the design matrix,
dividing by σ, taking the square root of a covariance diagonal. `note` says what a peer does *not*
do; its Answer has None for the standard errors where it gives none. Errors are absolute where the
problem has σ, scaled by χ²/dof where it has not.

A factory (`make`) imports its package, so that a peer that is not installed is skipped with a
printed line and no import is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from answers import Answer
from exact import solve_exact, solve_exact_polynomial
from problems import LinearProblem, PolynomialProblem

Fit = Callable[[LinearProblem], Answer]


@dataclass(frozen=True)
class Peer:
    name: str
    make: Callable[[], Fit]
    note: str = ""


@cache
def prepare(peer: Peer) -> Fit | None:
    """The fit function of a peer; None, and a printed line, where its package is missing."""
    try:
        return peer.make()
    except ImportError as error:
        print(f"skipped {peer.name}: {error}")
        return None


def whitened(problem: LinearProblem) -> tuple[np.ndarray, np.ndarray]:
    """Design and y divided by σ."""
    if problem.sigma is None:
        return problem.design, problem.y
    return problem.design / problem.sigma[:, None], problem.y / problem.sigma


def variance_scale(
    problem: LinearProblem, A: np.ndarray, y: np.ndarray, params: np.ndarray
) -> float:
    """What the covariance is multiplied by: 1 with σ, χ²/dof without."""
    if problem.sigma is not None:
        return 1.0
    residual = y - A @ params
    return residual @ residual / (len(y) - len(params))


# --- exact arithmetic ----------------------------------------------------------------------------


def exact_solution() -> Fit:
    """Without σ only."""

    def fit(problem: LinearProblem) -> Answer:
        if isinstance(problem, PolynomialProblem):
            return solve_exact_polynomial(problem.x, problem.y, None, problem.degree)
        return solve_exact(problem.design, problem.y)

    return fit


# --- sklsq ---------------------------------------------------------------------------------------


def sklsq_line() -> Fit:
    from sklsq import WeightedLinearFit

    def fit(problem: LinearProblem) -> Answer:
        model = WeightedLinearFit().fit(problem.X, problem.y, sigma=problem.sigma)
        return Answer(model.params_, model.params_std_)

    return fit


def sklsq_design() -> Fit:
    from sklsq import DesignMatrixRegressor

    def fit(problem: LinearProblem) -> Answer:
        model = DesignMatrixRegressor().fit(problem.design, problem.y, sigma=problem.sigma)
        return Answer(model.coef_, model.coef_std_)

    return fit


def sklsq_polynomial() -> Fit:
    from sklsq import DesignMatrixRegressor
    from sklsq.basis import Polynomial

    def fit(problem: PolynomialProblem) -> Answer:
        model = DesignMatrixRegressor(Polynomial(problem.degree))
        model.fit(problem.X, problem.y, sigma=problem.sigma)
        return Answer(model.coef_, model.coef_std_)

    return fit


# --- numpy ---------------------------------------------------------------------------------------


def numpy_polyfit() -> Fit:
    def fit(problem: PolynomialProblem) -> Answer:
        if problem.sigma is None:
            params, covariance = np.polyfit(problem.x, problem.y, problem.degree, cov=True)
        else:
            params, covariance = np.polyfit(
                problem.x, problem.y, problem.degree, w=1 / problem.sigma, cov="unscaled"
            )
        return Answer(params[::-1], np.sqrt(np.diag(covariance))[::-1])

    return fit


def numpy_polynomial() -> Fit:
    from numpy.polynomial import Polynomial

    def fit(problem: PolynomialProblem) -> Answer:
        w = None if problem.sigma is None else 1 / problem.sigma
        return Answer(Polynomial.fit(problem.x, problem.y, problem.degree, w=w).convert().coef)

    return fit


def numpy_lstsq() -> Fit:
    def fit(problem: LinearProblem) -> Answer:
        A, y = whitened(problem)
        return Answer(np.linalg.lstsq(A, y, rcond=None)[0])

    return fit


def numpy_qr() -> Fit:
    def fit(problem: LinearProblem) -> Answer:
        A, y = whitened(problem)
        Q, R = np.linalg.qr(A)
        params = np.linalg.solve(R, Q.T @ y)
        variance = np.sum(np.linalg.inv(R) ** 2, axis=1)
        return Answer(params, np.sqrt(variance * variance_scale(problem, A, y, params)))

    return fit


def numpy_closed_form() -> Fit:
    """The textbook's straight line with centred sums."""

    def fit(problem: PolynomialProblem) -> Answer:
        x, y, w = problem.x, problem.y, 1 / problem.sigma**2
        sum_w = w.sum()
        mean_x, mean_y = w @ x / sum_w, w @ y / sum_w
        dx = x - mean_x
        sum_xx = w @ dx**2
        slope = w @ (dx * (y - mean_y)) / sum_xx
        std = np.sqrt([1 / sum_w + mean_x**2 / sum_xx, 1 / sum_xx])
        return Answer(np.array([mean_y - slope * mean_x, slope]), std)

    return fit


def floor_line() -> Fit:
    """Not a fit: reads x, y and σ once."""

    def fit(problem: PolynomialProblem) -> Answer:
        problem.x @ problem.y + problem.sigma @ problem.sigma
        return Answer(None)

    return fit


def floor_gram() -> Fit:
    """Not a fit: the weighted Gram matrix alone, which normal equations would start from."""

    def fit(problem: LinearProblem) -> Answer:
        A = problem.design / problem.sigma[:, None]
        A.T @ A
        return Answer(None)

    return fit


# --- scipy, scikit-learn, statsmodels, lmfit -----------------------------------------------------


def scipy_gelsy() -> Fit:
    from scipy.linalg import lstsq

    def fit(problem: LinearProblem) -> Answer:
        A, y = whitened(problem)
        return Answer(lstsq(A, y, lapack_driver="gelsy")[0])

    return fit


def scipy_curve_fit() -> Fit:
    from scipy.optimize import curve_fit

    def line(x, a, b):
        return a + b * x

    def fit(problem: PolynomialProblem) -> Answer:
        absolute = problem.sigma is not None
        params, covariance = curve_fit(
            line, problem.x, problem.y, sigma=problem.sigma, absolute_sigma=absolute
        )
        return Answer(params, np.sqrt(np.diag(covariance)))

    return fit


def scipy_linregress() -> Fit:
    from scipy.stats import linregress

    def fit(problem: PolynomialProblem) -> Answer:
        result = linregress(problem.x, problem.y)
        return Answer(
            np.array([result.intercept, result.slope]),
            np.array([result.intercept_stderr, result.stderr]),
        )

    return fit


def sklearn_with_intercept() -> Fit:
    """For a straight line or a polynomial: the intercept is scikit-learn's."""
    from sklearn.linear_model import LinearRegression

    def fit(problem: PolynomialProblem) -> Answer:
        w = None if problem.sigma is None else 1 / problem.sigma**2
        X = problem.X if problem.degree == 1 else problem.design[:, 1:]
        model = LinearRegression().fit(X, problem.y, sample_weight=w)
        return Answer(np.concatenate([[model.intercept_], model.coef_]))

    return fit


def sklearn_design() -> Fit:
    from sklearn.linear_model import LinearRegression

    def fit(problem: LinearProblem) -> Answer:
        w = None if problem.sigma is None else 1 / problem.sigma**2
        model = LinearRegression(fit_intercept=False).fit(
            problem.design, problem.y, sample_weight=w
        )
        return Answer(model.coef_)

    return fit


def statsmodels_wls(method: str) -> Callable[[], Fit]:
    def make() -> Fit:
        from statsmodels.api import WLS

        def fit(problem: LinearProblem) -> Answer:
            w = 1.0 if problem.sigma is None else 1 / problem.sigma**2
            result = WLS(problem.y, problem.design, weights=w).fit(method=method)
            if problem.sigma is None:
                return Answer(result.params, result.bse)
            return Answer(result.params, np.sqrt(np.diag(result.normalized_cov_params)))

        return fit

    return make


def lmfit_line() -> Fit:
    from lmfit.models import LinearModel

    def fit(problem: PolynomialProblem) -> Answer:
        result = LinearModel().fit(
            problem.y,
            x=problem.x,
            weights=1 / problem.sigma,
            slope=1.0,
            intercept=0.0,
            scale_covar=False,
        )
        names = ("intercept", "slope")
        return Answer(
            np.array([result.params[name].value for name in names]),
            np.array([result.params[name].stderr for name in names], dtype=float),
        )

    return fit


# --- who takes part where ------------------------------------------------------------------------

NO_ERRORS = "no standard errors"
SKLSQ_LINE = Peer("sklsq", sklsq_line)
SKLSQ_DESIGN = Peer("sklsq", sklsq_design)
SKLSQ_POLYNOMIAL = Peer("sklsq", sklsq_polynomial)
POLYFIT = Peer("np.polyfit", numpy_polyfit)
POLYNOMIAL_FIT = Peer("Polynomial.fit", numpy_polynomial, NO_ERRORS)
CLOSED_FORM = Peer("numpy closed form", numpy_closed_form, "hand-written")
FLOOR_LINE = Peer("floor: read once", floor_line, "not a fit")
FLOOR_GRAM = Peer("floor: (A/σ)'(A/σ)", floor_gram, "not a fit")
CURVE_FIT = Peer("curve_fit", scipy_curve_fit)
LINREGRESS = Peer("linregress", scipy_linregress, "unweighted: another estimate")
LMFIT = Peer("lmfit", lmfit_line)
SKLEARN_INTERCEPT = Peer("LinearRegression", sklearn_with_intercept, NO_ERRORS)
SKLEARN_DESIGN = Peer("LinearRegression", sklearn_design, NO_ERRORS)
NUMPY_QR = Peer("np.linalg.qr", numpy_qr)
STATSMODELS = [
    Peer("statsmodels pinv", statsmodels_wls("pinv")),
    Peer("statsmodels qr", statsmodels_wls("qr")),
]
MATRIX_PEERS = [
    NUMPY_QR,
    Peer("np.linalg.lstsq", numpy_lstsq, NO_ERRORS),
    Peer("scipy gelsy", scipy_gelsy, NO_ERRORS),
    *STATSMODELS,
]
LINE = [
    SKLSQ_LINE,
    POLYFIT,
    POLYNOMIAL_FIT,
    SKLEARN_INTERCEPT,
    CURVE_FIT,
    STATSMODELS[0],
    LMFIT,
    LINREGRESS,
    CLOSED_FORM,
    FLOOR_LINE,
]
DESIGN = [SKLSQ_DESIGN, *MATRIX_PEERS, SKLEARN_DESIGN, FLOOR_GRAM]
POLYNOMIAL = [SKLSQ_POLYNOMIAL, POLYFIT, POLYNOMIAL_FIT, *MATRIX_PEERS, SKLEARN_INTERCEPT]
