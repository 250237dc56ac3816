"""Fits without a start: the quick look finds what the full search finds, or finds nothing."""

import numpy as np
import pytest

from sklsq import NonlinearLSQ
from sklsq.estimators import _searching
from sklsq.estimators._quick_look import quick_look
from sklsq.models import FormulaModel, Gaussian, Line

X = np.linspace(0.0, 10.0, 100)[:, None]
x = X[:, 0]
ROUNDING = 1e-9

PEAK = "a + b*exp(-((x - c)/d)**2)"
DECAYS = "a*exp(-b*x) + c*exp(-d*x)"
SINE = "c + a*sin(w*x + p)"
# formula, how parameters are drawn, least share of data sets for which a quick look is enough
MODELS = {
    PEAK: (lambda u: [u(-5, 5), u(5, 50), u(1, 9), u(0.3, 2)], 0.95),
    DECAYS: (lambda u: [u(2, 5), u(1, 3), u(2, 5), u(0.1, 0.3)], 0.8),
    SINE: (lambda u: [u(-5, 5), u(5, 50), u(0.6, 12), u(-3, 3)], 0.95),
    "a*exp(-k*x) + c": (lambda u: [u(5, 50), u(0.2, 3), u(-5, 5)], 0.9),
    "L/(1 + exp(-k*(x - m)))": (lambda u: [u(5, 50), u(0.7, 4), u(2, 8)], 0.95),
    "V*x/(K + x)": (lambda u: [u(10, 50), u(0.3, 5)], 0.95),
    "V*x**n/(K**n + x**n)": (lambda u: [u(10, 50), u(1, 6), u(1, 4)], 0.9),
    "a*exp(-k*x)*sin(w*x + p)": (lambda u: [u(5, 20), u(0.1, 0.4), u(1, 8), u(-3, 3)], 0.9),
}


@pytest.fixture
def looks(monkeypatch):
    """What the quick looks of the fits found."""
    found = []

    def spy(*arguments):
        found.append(quick_look(*arguments))
        return found[-1]

    monkeypatch.setattr(_searching, "quick_look", spy)
    return found


@pytest.fixture
def full_search(monkeypatch):
    """Return a fit without quick look."""

    def fit(model, *data, **errors):
        with monkeypatch.context() as patch:
            patch.setattr(_searching, "quick_look", lambda *_: None)
            return NonlinearLSQ(model).fit(*data, **errors)

    return fit


def curve(formula, params):
    return FormulaModel(formula).evaluate(X, np.array([params]))[0]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:The data cannot tell")
@pytest.mark.parametrize("formula", MODELS)
def test_as_low_as_from_the_truth(formula, looks):
    draw, least = MODELS[formula]
    enough = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = np.array(draw(rng.uniform))
        sigma = rng.uniform(0.05, 0.5)
        y = curve(formula, truth) + sigma * rng.normal(size=100)
        errors = {"sigma": sigma} if seed % 2 else {}
        looks.clear()
        fit = NonlinearLSQ(formula).fit(X, y, **errors)
        enough.append(looks[0] is not None)
        from_truth = NonlinearLSQ(formula, truth, start="p0").fit(X, y, **errors)
        assert fit.chi2_ <= from_truth.chi2_ * (1.0 + ROUNDING)
        assert fit.converged_
    assert np.mean(enough) >= least


@pytest.mark.parametrize("formula", [PEAK, DECAYS, SINE])
@pytest.mark.parametrize("errors", [{}, {"sigma": 0.1}])
def test_the_answer_of_the_full_search(formula, errors, looks, full_search):
    truth = np.array(MODELS[formula][0](np.random.default_rng(3).uniform))
    y = curve(formula, truth) + 0.1 * np.random.default_rng(4).normal(size=100)
    fit, full = NonlinearLSQ(formula).fit(X, y, **errors), full_search(formula, X, y, **errors)
    assert looks[0] is not None
    assert fit.chi2_ <= full.chi2_ * (1.0 + ROUNDING)
    np.testing.assert_allclose(fit.predict(X), full.predict(X), atol=1e-6 * np.ptp(y))
    assert list(fit.starts_) == list(full.starts_)
    assert fit.starts_["chi2"][0] == pytest.approx(fit.chi2_)


def noise(scale=1.0, n=100, seed=0):
    return scale * np.random.default_rng(seed).normal(size=n)


peak = 1.0 + 5.0 * np.exp(-((x - 4.0) ** 2))
second = 0.8 * np.exp(-(((x - 8.0) / 0.3) ** 2))
sine = np.sin(3.0 * x)


class TestDeclined:
    """Where a quick look is not enough, or not made for."""

    @pytest.mark.parametrize(
        ("model", "y", "errors"),
        [
            (PEAK, noise(), {}),
            (PEAK, noise(), {"sigma": 1.0}),
            (SINE, noise(), {"sigma": 1.0}),
            (PEAK, peak + second + noise(0.05), {}),
            (PEAK, peak + second + noise(0.05), {"sigma": 0.05}),
            (PEAK, peak + second + noise(0.05), {"sigma": 10.0}),
            (SINE, sine + 0.9 * np.sin(4.3 * x) + noise(0.05), {}),
            (PEAK, 0.5 * peak + noise(4.0), {}),
            (PEAK, peak + noise(0.1), {"sigma": 0.01}),
            (PEAK, peak + 0.05 * np.random.default_rng(0).standard_cauchy(100), {}),
            (Gaussian() + Gaussian() + Line(), peak + second + noise(0.05), {}),
            (lambda x, a, b, c: np.where(x < c, a, b), np.sign(x - 5.1) + noise(0.1), {}),
        ],
        ids=[
            "noise",
            "noise of known size",
            "noise, for a sine",
            "two peaks",
            "two peaks, errors known",
            "two peaks, errors far too large",
            "two sines",
            "a peak in the noise",
            "errors far too small",
            "outliers",
            "many parameters",
            "no formula",
        ],
    )
    @pytest.mark.filterwarnings("ignore")
    def test_data(self, model, y, errors, looks):
        NonlinearLSQ(model).fit(X, y, **errors)
        assert looks == [None]

    @pytest.mark.parametrize(
        "options",
        [
            {"bounds": {"c": (0.0, 10.0)}},
            {"tied": {"b": "2*a"}},
            {"priors": {"c": (4.0, 1.0)}},
            {"loss": "huber"},
            {"n_starts": 50},
            {"start": "multistart"},
        ],
        ids=lambda options: next(iter(options)),
    )
    @pytest.mark.filterwarnings("ignore")
    def test_options(self, options, looks):
        NonlinearLSQ(PEAK, **options).fit(X, peak + noise(0.1), sigma=0.1)
        assert not any(looks)

    def test_a_start_that_is_given(self, looks):
        NonlinearLSQ(PEAK, [1.0, 5.0, 4.0, 1.0]).fit(X, peak + noise(0.1))
        NonlinearLSQ(PEAK, {"c": 4.0}).fit(X, peak + noise(0.1))
        assert looks == []

    def test_covariance(self, looks):
        covariance = 0.01 * 0.5 ** np.abs(np.subtract.outer(np.arange(100), np.arange(100)))
        NonlinearLSQ(PEAK).fit(X, peak + noise(0.1), sigma=covariance)
        assert looks == [None]

    def test_many_curves(self, looks):
        Y = np.stack([peak + noise(0.1, seed=seed) for seed in range(3)], axis=1)
        assert NonlinearLSQ(PEAK).fit(X, Y, sigma=0.1).params_.shape == (3, 4)
        assert not any(looks)

    @pytest.mark.filterwarnings("ignore")
    def test_few_rows(self, looks):
        NonlinearLSQ(PEAK).fit(X[::10], (peak + noise(0.1))[::10])
        assert looks == [None]


class TestEnough:
    def test_exact_data(self, looks):
        fit = NonlinearLSQ(PEAK).fit(X, peak)
        assert looks[0] is not None
        np.testing.assert_allclose(np.abs(fit.params_), [1.0, 5.0, 4.0, 1.0], rtol=1e-8)

    def test_rows_in_any_order_and_twice(self, looks):
        y = peak + noise(0.1)
        order = np.random.default_rng(0).permutation(100)
        fit = NonlinearLSQ(PEAK).fit(X, y)
        shuffled = NonlinearLSQ(PEAK).fit(X[order], y[order])
        twice = NonlinearLSQ(PEAK).fit(np.repeat(X, 2, axis=0), np.repeat(y, 2) + noise(0.05, 200))
        assert looks[0] is not None
        assert looks[1] is not None
        np.testing.assert_allclose(shuffled.params_, fit.params_, rtol=1e-8)
        np.testing.assert_allclose(twice.params_, fit.params_, rtol=0.05)

    def test_held_parameters(self, looks):
        y = peak + noise(0.1)
        for held in ({"a": 1.0}, {"d": 1.0}, {"b": 5.0, "c": 4.0}):
            fit = NonlinearLSQ(PEAK, fixed=held).fit(X, y, sigma=0.1)
            assert looks.pop() is not None
            start = dict(zip("abcd", [1.0, 5.0, 4.0, 1.0], strict=True))
            start = {name: value for name, value in start.items() if name not in held}
            usual = NonlinearLSQ(PEAK, start | held, fixed=held).fit(X, y, sigma=0.1)
            np.testing.assert_allclose(fit.params_, usual.params_, rtol=1e-8)

    def test_several_features_of_known_errors(self, looks):
        features = np.random.default_rng(1).uniform(0.0, 3.0, (200, 2))
        y = 2.0 * np.exp(-1.5 * features[:, 0]) + 3.0 * features[:, 1] + noise(0.05, 200)
        fit = NonlinearLSQ("a*exp(-k*x0) + b*x1").fit(features, y, sigma=0.05)
        assert looks[0] is not None
        np.testing.assert_allclose(fit.params_, [2.0, 1.5, 3.0], rtol=0.1)
        NonlinearLSQ("a*exp(-k*x0) + b*x1").fit(features, y)
        assert looks[1] is None

    @pytest.mark.parametrize("n", [1_000, 20_000])
    def test_many_rows(self, n, looks):
        wide = np.linspace(0.0, 10.0, n)[:, None]
        y = 3.0 + 2.0 * np.sin(40.0 * wide[:, 0] + 1.0) + noise(0.2, n)
        fit = NonlinearLSQ(SINE).fit(wide, y)
        assert looks[0] is not None
        assert abs(fit.params_[2]) == pytest.approx(40.0, rel=1e-3)

    def test_ready_made_and_summed_models(self, looks):
        y = peak + 0.3 * x + noise(0.1)
        fit = NonlinearLSQ(Gaussian() + Line()).fit(X, y, sigma=0.1)
        assert looks[0] is not None
        assert fit.params_[1] == pytest.approx(4.0, abs=0.1)

    @pytest.mark.parametrize("seed", [None, 0, 7])
    def test_repeatable(self, seed):
        y = peak + noise(0.1)
        fits = [NonlinearLSQ(PEAK, random_state=seed).fit(X, y) for _ in range(2)]
        np.testing.assert_array_equal(fits[0].params_, fits[1].params_)
