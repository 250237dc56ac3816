"""Curves drawn from the ready-made models, on scales from 1e-6 to 1e6."""

import mpmath
import numpy as np
from scipy.optimize import least_squares

from sklsq import models

# Parameters on x from 0.02 to 1 with values of order 1, u(a, b) uniform and s a random sign; then
# how they scale with x and y.
DRAWS = {
    "Arrhenius": lambda u, s: [np.exp(e := u(1, 30)), 8.314 * e],
    "Asymptotic": lambda u, s: [s, s * u(-1, 0.3), np.log(u(1, 10))],
    "AsymptoticOffset": lambda u, s: [s, np.log(u(1, 10)), u(-0.2, 0.2)],
    "AsymptoticOrigin": lambda u, s: [s, np.log(u(1, 10))],
    "BiExponential": lambda u, s: [u(0.5, 1), (r := u(0.7, 3)) * u(6, 15), u(0.5, 1), r],
    "Constant": lambda u, s: [s],
    "DampedSine": lambda u, s: [1, u(0.3, 5), u(1.5, 12), u(-3, 3)],
    "Exponential": lambda u, s: [s, u(0.5, 20)],
    "FourParameterLogistic": lambda u, s: [u(-1, 0), u(0.5, 1), u(0.3, 0.7), u(0.03, 0.12)],
    "Gaussian": lambda u, s: [s, u(0.1, 0.9), u(0.02, 0.25)],
    "Gompertz": lambda u, s: [1, u(0.2, 0.7), s * u(0.03, 0.15)],
    "Hill": lambda u, s: [s, u(0.1, 0.5), u(0.7, 4)],
    "Langmuir": lambda u, s: [s, u(1, 20)],
    "Line": lambda u, s: [s, u(-2, 2)],
    "Logistic": lambda u, s: [1, u(0.2, 0.7), s * u(0.03, 0.15)],
    "Logistic4": lambda u, s: [u(-1, 0), u(0.5, 1), u(0.1, 0.5), u(1, 4)],
    "Logistic5": lambda u, s: [u(-1, 0), u(0.5, 1), u(0.15, 0.4), u(2, 4), u(0.5, 2)],
    "Lorentzian": lambda u, s: [s, u(0.1, 0.9), u(0.02, 0.2)],
    "MichaelisMenten": lambda u, s: [s, u(0.05, 1)],
    "PolynomialModel": lambda u, s: [s, u(-2, 2), u(-2, 2)],
    "PowerLaw": lambda u, s: [s, u(-3, 3)],
    "PseudoVoigt": lambda u, s: [s, u(0.2, 0.8), u(0.05, 0.3), u(0.2, 0.8)],
    "Sine": lambda u, s: [1, u(0.4, 15), u(-3, 3)],
    "SkewedGaussian": lambda u, s: [s, u(0.3, 0.7), u(0.05, 0.2), u(-4, 4)],
    "StretchedExponential": lambda u, s: [s, u(0.05, 0.8), u(0.4, 2)],
    "Voigt": lambda u, s: [s * 0.2, u(0.2, 0.8), u(0.02, 0.12), u(0.02, 0.12)],
    "Weibull": lambda u, s: [1, u(0.5, 1.5), -(p := u(0.8, 3)) * np.log(u(0.2, 0.6)), p],
}
NAMES = sorted(DRAWS)


def make(name):
    return models.PolynomialModel(2) if name == "PolynomialModel" else getattr(models, name)()


def draw(name, rng):
    """Parameters on the unit scale."""
    return np.array(DRAWS[name](rng.uniform, rng.choice([-1.0, 1.0])), float)


def abscissa(name, n_samples):
    low, high = (0.6, 1.2) if name == "Arrhenius" else (0.02, 1.0)
    return np.linspace(low, high, n_samples)


def curve(pairs, rng, n_samples=80, noise=0.05):
    """Unsorted x and noisy y of a sum of (model, name), on random scales; and the noise."""
    x = rng.permutation(abscissa(pairs[0][1], n_samples))
    f = sum(model.evaluate(x[:, None], draw(name, rng)[None])[0] for model, name in pairs)
    sigma = noise * (np.ptp(f) or 1.0)
    x_scale, y_scale = 10 ** rng.uniform(-6, 6, 2)
    y = y_scale * (f + rng.normal(0, sigma, n_samples))
    return (x * x_scale)[:, None], y, y_scale * sigma


def chi2_from(model, start, X, y, sigma):
    """Where Levenberg and Marquardt lead from a start."""

    def residual(p):
        return np.clip((model.evaluate(X, p[None])[0] - y) / sigma, -1e100, 1e100)

    def jacobian(p):
        return np.nan_to_num(model.linearise(X, p[None])[1][0].T / sigma)

    options = {"method": "lm", "xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12, "max_nfev": 1000}
    return 2 * least_squares(residual, start, jacobian, **options).cost


def mpmath_model(name):
    """The model in mpmath's functions, not from the formula."""
    m = mpmath
    return {
        "Voigt": lambda x, a, c, s, g: (
            a
            / (s * m.sqrt(2 * m.pi))
            * m.re(
                m.exp(-(((x - c + 1j * g) / (s * m.sqrt(2))) ** 2))
                * m.erfc(-1j * (x - c + 1j * g) / (s * m.sqrt(2)))
            )
        ),
        "Arrhenius": lambda x, a, e: a * m.exp(-e / (m.mpf("8.314462618") * x)),
        "Asymptotic": lambda x, a, r, k: a + (r - a) * m.exp(-m.exp(k) * x),
        "AsymptoticOffset": lambda x, a, k, c: a * (1 - m.exp(-m.exp(k) * (x - c))),
        "AsymptoticOrigin": lambda x, a, k: a * (1 - m.exp(-m.exp(k) * x)),
        "BiExponential": lambda x, a, k, b, q: a * m.exp(-k * x) + b * m.exp(-q * x),
        "Constant": lambda x, c: c,
        "DampedSine": lambda x, a, k, f, p: a * m.exp(-k * x) * m.sin(2 * m.pi * f * x + p),
        "Exponential": lambda x, a, k: a * m.exp(-k * x),
        "FourParameterLogistic": lambda x, a, b, c, s: a + (b - a) / (1 + m.exp((c - x) / s)),
        "Gaussian": lambda x, h, c, s: h * m.exp(-(((x - c) / s) ** 2) / 2),
        "Gompertz": lambda x, a, c, s: a * m.exp(-m.exp((c - x) / s)),
        "Hill": lambda x, v, k, n: v / (1 + (k / x) ** n),
        "Langmuir": lambda x, q, k: q * k * x / (1 + k * x),
        "Line": lambda x, a, b: a + b * x,
        "Logistic": lambda x, a, c, s: a / (1 + m.exp((c - x) / s)),
        "Logistic4": lambda x, b, t, c, h: b + (t - b) / (1 + (c / x) ** h),
        "Logistic5": lambda x, b, t, c, h, s: b + (t - b) / (1 + (c / x) ** h) ** s,
        "Lorentzian": lambda x, h, c, g: h / (1 + ((x - c) / g) ** 2),
        "MichaelisMenten": lambda x, v, k: v * x / (k + x),
        "PolynomialModel": lambda x, a, b, c: a + b * x + c * x**2,
        "PowerLaw": lambda x, a, e: a * x**e,
        "PseudoVoigt": lambda x, h, c, w, e: (
            h
            * (
                (1 - e) * m.exp(-4 * m.log(2) * ((x - c) / w) ** 2)
                + e / (1 + 4 * ((x - c) / w) ** 2)
            )
        ),
        "Sine": lambda x, a, f, p: a * m.sin(2 * m.pi * f * x + p),
        "SkewedGaussian": lambda x, h, c, s, k: (
            h * m.exp(-(((x - c) / s) ** 2) / 2) * (1 + m.erf(k * (x - c) / (s * m.sqrt(2))))
        ),
        "StretchedExponential": lambda x, a, t, b: a * m.exp(-((x / t) ** b)),
        "Weibull": lambda x, a, d, k, p: a - d * m.exp(-m.exp(k) * x**p),
    }[name]
