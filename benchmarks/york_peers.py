"""Adapters for lines and planes with errors in every variable; peers.py tells the rules."""

from __future__ import annotations

import numpy as np
from answers import Answer
from peers import Fit, Peer
from problems import ErrorsInVariablesProblem


def sklsq_york() -> Fit:
    from sklsq import OrthogonalRegression

    def fit(problem: ErrorsInVariablesProblem) -> Answer:
        model = OrthogonalRegression("york")
        model.fit(problem.X, problem.y, sigma=problem.sigma, sigma_x=problem.sigma_x)
        return Answer(model.params_, model.params_std_)

    return fit


def odrpack() -> Fit:
    """odr_fit with both Jacobians, started from an unweighted line."""
    from odrpack import odr_fit

    def fit(problem: ErrorsInVariablesProblem) -> Answer:
        n_samples = len(problem.y)
        ones = np.ones((1, n_samples))
        start = np.linalg.lstsq(np.column_stack([ones[0], problem.X]), problem.y, rcond=None)[0]
        result = odr_fit(
            lambda x, p: p[0] + p[1:] @ np.atleast_2d(x),
            np.ascontiguousarray(problem.X.T),
            problem.y,
            start,
            weight_x=np.ascontiguousarray(1 / problem.sigma_x.T**2),
            weight_y=1 / problem.sigma**2,
            jac_beta=lambda x, p: np.concatenate([ones, np.atleast_2d(x)])[None],
            jac_x=lambda x, p: np.repeat(p[1:, None], n_samples, axis=1)[None],
        )
        return Answer(result.beta, np.sqrt(np.diag(result.cov_beta)))

    return fit


def york_fixed_point() -> Fit:
    """York et al. 2004, equations 13, iterated as printed on whole arrays to a relative change of
    1e-15.
    """

    def fit(problem: ErrorsInVariablesProblem) -> Answer:
        x, y = problem.X[:, 0], problem.y
        weight_x, weight_y = 1 / problem.sigma_x[:, 0] ** 2, 1 / problem.sigma**2
        slope, change = np.polyfit(x, y, 1)[0], 1.0
        while change > 1e-15:
            W = weight_x * weight_y / (weight_x + slope**2 * weight_y)
            sum_w = W.sum()
            mean_x, mean_y = W @ x / sum_w, W @ y / sum_w
            U, V = x - mean_x, y - mean_y
            beta = W * (U / weight_y + slope * V / weight_x)
            previous, slope = slope, (W * beta) @ V / ((W * beta) @ U)
            change = abs(slope / previous - 1)
        centre = W @ beta / sum_w
        variance = 1 / (W @ (beta - centre) ** 2)
        std = np.sqrt([1 / sum_w + (mean_x + centre) ** 2 * variance, variance])
        return Answer(np.array([mean_y - slope * mean_x, slope]), std)

    return fit


YORK = [
    Peer("sklsq", sklsq_york),
    Peer("odrpack", odrpack),
    Peer("York fixed point", york_fixed_point, "one feature only, hand-written"),
]
