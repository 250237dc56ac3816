"""Adapters for curves y = f(x; parameters) with σ, from the same start; peers.py tells the rules.

Everyone is given the same function of x and the parameters. A peer "with derivatives" is also given
them, written by hand; the others find their own. Errors are absolute.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from answers import Answer
from nonlinear_problems import CurveProblem
from peers import Fit, Peer


def sklsq_function() -> Fit:
    """A function, of which sklsq takes the derivatives with dual numbers."""
    from sklsq import NonlinearLSQ

    def fit(problem: CurveProblem) -> Answer:
        model = NonlinearLSQ(problem.curve.function, p0=problem.p0)
        model.fit(problem.X, problem.y, sigma=problem.sigma)
        return Answer(model.params_, model.params_std_)

    return fit


def sklsq_formula() -> Fit:
    """The formula as text; its parameters come in the order of their names' appearance."""
    from sklsq import NonlinearLSQ

    def fit(problem: CurveProblem) -> Answer:
        p0 = dict(zip(problem.curve.names, problem.curve.p0, strict=True))
        model = NonlinearLSQ(problem.curve.formula, p0=p0)
        model.fit(problem.X, problem.y, sigma=problem.sigma)
        order = [model.param_names_.index(name) for name in problem.curve.names]
        return Answer(model.params_[order], model.params_std_[order])

    return fit


def scipy_curve_fit(*, derivatives: bool) -> Callable[[], Fit]:
    def make() -> Fit:
        from scipy.optimize import curve_fit

        def fit(problem: CurveProblem) -> Answer:
            params, covariance = curve_fit(
                problem.curve.function,
                problem.x,
                problem.y,
                p0=problem.p0,
                sigma=problem.sigma,
                absolute_sigma=True,
                jac=problem.jacobian if derivatives else None,
            )
            return Answer(params, np.sqrt(np.diag(covariance)))

        return fit

    return make


def lmfit_model() -> Fit:
    from lmfit import Model

    def fit(problem: CurveProblem) -> Answer:
        start = dict(zip(problem.curve.names, problem.curve.p0, strict=True))
        result = Model(problem.curve.function).fit(
            problem.y, x=problem.x, weights=1 / problem.sigma, scale_covar=False, **start
        )
        found = [result.params[name] for name in problem.curve.names]
        return Answer(
            np.array([parameter.value for parameter in found]),
            np.array([parameter.stderr for parameter in found], dtype=float),
        )

    return fit


def iminuit_migrad() -> Fit:
    """The documented way: cost function, MIGRAD, HESSE."""
    from iminuit import Minuit
    from iminuit.cost import LeastSquares

    def fit(problem: CurveProblem) -> Answer:
        cost = LeastSquares(problem.x, problem.y, problem.sigma, problem.curve.function)
        minuit = Minuit(cost, *problem.p0)
        minuit.migrad()
        minuit.hesse()
        return Answer(np.array(minuit.values), np.array(minuit.errors))

    return fit


def odrpack_ordinary() -> Fit:
    from odrpack import odr_fit

    def fit(problem: CurveProblem) -> Answer:
        function = problem.curve.function
        result = odr_fit(
            lambda x, p: function(x, *p),
            problem.x,
            problem.y,
            problem.p0,
            weight_y=1 / problem.sigma**2,
            task="OLS",
        )
        return Answer(result.beta, np.sqrt(np.diag(result.cov_beta)))

    return fit


def astropy_fitter(name: str) -> Callable[[], Fit]:
    def make() -> Fit:
        from astropy.modeling import custom_model, fitting

        def fit(problem: CurveProblem) -> Answer:
            function, names = problem.curve.function, problem.curve.names
            start = dict(zip(names, problem.curve.p0, strict=True))
            fitter = getattr(fitting, name)(calc_uncertainties=True)
            model = custom_model(_with_defaults(function, names))(**start)
            found = fitter(model, problem.x, problem.y, weights=1 / problem.sigma)
            return Answer(found.parameters, np.sqrt(np.diag(found.cov_matrix.cov_matrix)))

        return fit

    return make


def _with_defaults(function: Callable, names: list[str]) -> Callable:
    """The function with a default for every parameter, by which custom_model knows parameters."""
    given = ", ".join(f"{name}=1.0" for name in names)
    return eval(f"lambda x, {given}: function(x, {', '.join(names)})", {"function": function})


CURVE_FIT = Peer("curve_fit", scipy_curve_fit(derivatives=False))
FEW = [
    Peer("sklsq", sklsq_function),
    CURVE_FIT,
]
SINGLE = [
    *FEW,
    Peer("sklsq formula", sklsq_formula, "the model as text"),
    Peer("curve_fit with jac", scipy_curve_fit(derivatives=True), "derivatives by hand"),
    Peer("lmfit", lmfit_model),
    Peer("iminuit", iminuit_migrad),
    Peer("odrpack", odrpack_ordinary),
    Peer("astropy LevMar", astropy_fitter("LevMarLSQFitter")),
    Peer("astropy TRF", astropy_fitter("TRFLSQFitter")),
]
