"""Answers of large problems in numpy's long double (64-bit mantissa on x86), sums in short blocks.

Good to about 19 - 2 log10(cond) digits, enough for well-conditioned problems whose exact solution
in whole numbers would take minutes. ``python benchmarks/long_double.py`` compares the two.
"""

from __future__ import annotations

import numpy as np
from answers import Answer, correct_digits

LONG = np.longdouble


def has_long_double() -> bool:
    """True where long double is wider than double (it is not on Windows and Apple silicon)."""
    return bool(np.finfo(LONG).eps < np.finfo(np.float64).eps / 1000)


def line_long_double(
    x: np.ndarray, y: np.ndarray, sigma: np.ndarray, block: int = 1_000_000
) -> Answer:
    """Straight line with σ from sums about the weighted mean, [intercept, slope]."""
    parts = [slice(start, start + block) for start in range(0, len(x), block)]

    def total(term) -> np.longdouble:
        return sum(np.sum(term(*(a[rows].astype(LONG) for a in (x, y, sigma)))) for rows in parts)

    sum_w = total(lambda x, y, s: 1 / s**2)
    mean_x = total(lambda x, y, s: x / s**2) / sum_w
    mean_y = total(lambda x, y, s: y / s**2) / sum_w
    sum_xx = total(lambda x, y, s: ((x - mean_x) / s) ** 2)
    slope = total(lambda x, y, s: (x - mean_x) * (y - mean_y) / s**2) / sum_xx
    variance = [1 / sum_w + mean_x**2 / sum_xx, 1 / sum_xx]
    return _to_double([mean_y - slope * mean_x, slope], np.sqrt(variance))


def solve_long_double(
    design: np.ndarray, y: np.ndarray, sigma: np.ndarray, block: int = 1024
) -> Answer:
    """Weighted least squares from Cholesky of the Gram matrix, refined once by its residuals."""

    def sum_over_blocks(product) -> np.ndarray:
        blocks = []
        for start in range(0, len(y), block):
            rows = slice(start, start + block)
            scale = sigma[rows].astype(LONG)
            blocks.append(product(design[rows] / scale[:, None], y[rows] / scale))
        return np.sum(np.moveaxis(blocks, 0, -1).copy(), axis=-1)

    covariance = _inverse_of_symmetric(sum_over_blocks(lambda A, b: A.T @ A))
    params = covariance @ sum_over_blocks(lambda A, b: A.T @ b)
    params += covariance @ sum_over_blocks(lambda A, b: A.T @ (b - A @ params))
    return _to_double(params, np.sqrt(np.diag(covariance)))


def _cholesky(gram: np.ndarray) -> np.ndarray:
    lower, rest = np.zeros_like(gram), gram.copy()
    for k in range(len(gram)):
        lower[k:, k] = rest[k:, k] / np.sqrt(rest[k, k])
        rest[k:, k:] -= np.outer(lower[k:, k], lower[k:, k])
    return lower


def _inverse_of_lower(lower: np.ndarray) -> np.ndarray:
    inverse = np.zeros_like(lower)
    for k in range(len(lower)):
        inverse[k] = -(lower[k, :k] @ inverse[:k]) / lower[k, k]
        inverse[k, k] = 1 / lower[k, k]
    return inverse


def york_long_double(
    X: np.ndarray,
    y: np.ndarray,
    sigma: np.ndarray,
    sigma_x: np.ndarray,
    start: np.ndarray,
    *,
    max_iter: int = 50,
) -> Answer:
    """Errors in every variable: Newton on χ²(c, b) = Σ r²/v to the last digit.

    r = y - c - x·b is the residual, v = σy² + Σ b_j² σx_j² its variance. With g = r/v the
    adjusted point is x̂ = x + g b σx², the gradient of χ²/2 is -Σ g [1, x̂] and its second
    derivative Σ z z'/v - g² diag(0, σx²), z = [1, x + 2 g b σx²]. Errors after York 2004: the
    inverse of Σ [1, x̂][1, x̂]'/v.
    """
    X, y, sigma, sigma_x = (np.asarray(a, dtype=LONG) for a in (X, y, sigma, sigma_x))
    params = np.asarray(start, dtype=LONG)
    for _ in range(max_iter):
        gradient, hessian, information = _york_sums(X, y, sigma, sigma_x, params)
        step = _inverse_of_symmetric(hessian) @ gradient
        params = params - step
        if np.all(np.abs(step) <= 1e-18 * np.abs(params)):
            break
    return _to_double(params, np.sqrt(np.diag(_inverse_of_symmetric(information))))


def _york_sums(X, y, sigma, sigma_x, params, *, block: int = 65_536):
    size, slopes = len(params), params[1:]
    gradient, hessian = np.zeros(size, LONG), np.zeros((size, size), LONG)
    information = np.zeros((size, size), LONG)
    for begin in range(0, len(y), block):
        rows = slice(begin, begin + block)
        variance_x = sigma_x[rows] ** 2
        variance = sigma[rows] ** 2 + variance_x @ slopes**2
        g = (y[rows] - params[0] - X[rows] @ slopes) / variance
        shift = g[:, None] * slopes * variance_x
        ones = np.ones((len(g), 1), LONG)
        adjusted, z = np.hstack([ones, X[rows] + shift]), np.hstack([ones, X[rows] + 2 * shift])
        gradient -= np.sum(g[:, None] * adjusted, axis=0)
        information += adjusted.T @ (adjusted / variance[:, None])
        hessian += z.T @ (z / variance[:, None])
        hessian[1:, 1:] -= np.diag(np.sum(g[:, None] ** 2 * variance_x, axis=0))
    return gradient, hessian, information


def _inverse_of_symmetric(matrix: np.ndarray) -> np.ndarray:
    inverse = _inverse_of_lower(_cholesky(matrix))
    return inverse.T @ inverse


def _to_double(params, std) -> Answer:
    return Answer(np.array(params, dtype=float), np.array(std, dtype=float))


def _self_check() -> None:
    from exact import solve_exact, solve_exact_polynomial

    rng = np.random.default_rng(0)
    x, sigma = rng.uniform(0, 10, 5000), rng.uniform(0.5, 2, 5000)
    y = 1 + 2 * x + sigma * rng.standard_normal(5000)
    powers = np.vander(x.astype(LONG), 3, increasing=True)
    pairs = {
        "line": (
            line_long_double(x, y, sigma),
            solve_exact(np.vander(x, 2, increasing=True), y, sigma),
        ),
        "design": (
            solve_long_double(powers[:, :2], y, sigma),
            solve_exact(powers[:, :2], y, sigma),
        ),
        "polynomial": (solve_exact_polynomial(x, y, sigma, 2), solve_long_double(powers, y, sigma)),
    }
    for name, (one, other) in pairs.items():
        digits = (
            correct_digits(a, b) for a, b in ((one.params, other.params), (one.std, other.std))
        )
        agreement = "/".join(f"{value:.1f}" for value in digits)
        print(f"{name:12s} long double and integers agree to {agreement} digits")


if __name__ == "__main__":
    _self_check()
