"""Starts that are given, and starts that are found."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklsq import NonlinearLSQ, RankWarning, models
from sklsq.estimators._searching import given_start, nothing_free, stalled_where_flat
from sklsq.solvers.nonlinear_problem import Minima, Outcome

X = np.linspace(0.0, 10.0, 80)[:, None]
NAMES = ("a", "b", "c")

BOUNDS = {"b": (0, 10), "e": (0, 10), "c": (0.1, 5), "f": (0.1, 5)}


def minima(R, cost=1.0, outcome=Outcome.CONVERGED, at_bound=False):
    k = len(R)
    return Minima(
        np.ones((1, k)),
        np.array([cost]),
        np.array([2.0 * cost]),
        np.ones(1, dtype=int),
        np.array([int(outcome)]),
        np.zeros(1),
        np.array(R, dtype=float)[None],
        np.full((1, k), at_bound),
    )


class TestGiven:
    def test_forms(self):
        assert given_start(None, NAMES) is None
        np.testing.assert_array_equal(given_start([1, 2, 3], NAMES), [1.0, 2.0, 3.0])
        np.testing.assert_array_equal(given_start({"c": 3}, NAMES), [np.nan, np.nan, 3.0])

    @pytest.mark.parametrize(
        ("p0", "message"),
        [
            ({"z": 1.0}, "must name parameters of the model: a, b, c. Got 'z'"),
            ({"a": np.nan}, "`p0` of 'a' must be a finite number"),
            ([1.0, 2.0], "one value for each of the 3 parameters a, b, c. Got 2"),
            ([1.0, 2.0, np.inf], "must hold finite numbers"),
        ],
        ids=str,
    )
    def test_refused(self, p0, message):
        with pytest.raises(ValueError, match=message):
            given_start(p0, NAMES)


class TestFlat:
    def test_no_parameter_moves_the_model(self):
        (outcome,) = stalled_where_flat(minima(np.zeros((2, 2)))).outcome
        assert outcome == Outcome.STALLED

    @pytest.mark.parametrize(
        "found",
        [
            minima(np.diag([1.0, 0.0])),
            minima(np.zeros((2, 2)), cost=0.0),
            minima(np.zeros((2, 2)), at_bound=True),
        ],
        ids=["one does", "nothing to improve", "all held"],
    )
    def test_others_stay(self, found):
        assert stalled_where_flat(found).converged.all()


def test_joined_and_parted():
    both = Minima.joined([minima(np.eye(2)), minima(2.0 * np.eye(2), cost=3.0)])
    np.testing.assert_array_equal(both.cost, [1.0, 3.0])
    assert both.R.shape == (2, 2, 2)
    np.testing.assert_array_equal(both.where(np.array([1])).cost, both.cost[1:])


def test_nothing_free():
    class Problem:
        def evaluate(self, free, which):
            return np.ones((len(which), 5))

        def cost_of(self, residuals):
            return 0.5 * (residuals**2).sum(axis=1)

    found = nothing_free(Problem(), 3)
    np.testing.assert_array_equal(found.chi2, [5.0] * 3)
    assert found.converged.all()


class TestStrategies:
    """Two peaks and a constant, from nothing."""

    model = "a*exp(-((x - b)/c)**2) + d*exp(-((x - e)/f)**2) + g"
    truth = np.array([5.0, 3.0, 0.7, 2.0, 6.5, 1.0, 0.3])
    y = (
        5.0 * np.exp(-(((X[:, 0] - 3.0) / 0.7) ** 2))
        + 2.0 * np.exp(-(((X[:, 0] - 6.5) / 1.0) ** 2))
        + 0.3
        + 0.05 * np.random.default_rng(8).normal(size=80)
    )

    @pytest.mark.parametrize(
        ("start", "bounded"),
        [
            ("auto", True),
            ("auto", False),
            ("multistart", True),
            ("multistart", False),
            ("anneal", True),
        ],
    )
    def test_finds_them(self, start, bounded):
        bounds = BOUNDS if bounded else None
        fit = NonlinearLSQ(self.model, start=start, bounds=bounds, random_state=1).fit(X, self.y)
        best = NonlinearLSQ(self.model, self.truth).fit(X, self.y)
        assert fit.chi2_ == pytest.approx(best.chi2_, rel=1e-6)

    def test_grid(self):
        options = {"start": "grid", "bounds": BOUNDS, "n_starts": 1296}
        fit = NonlinearLSQ(self.model, **options).fit(X, self.y)
        best = NonlinearLSQ(self.model, self.truth).fit(X, self.y)
        assert fit.chi2_ == pytest.approx(best.chi2_, rel=1e-6)

    @pytest.mark.parametrize("start", ["auto", "grid", "multistart", "anneal"])
    def test_repeatable(self, start):
        fits = [NonlinearLSQ("a*exp(-b*x)", start=start).fit(X, self.y) for _ in range(2)]
        np.testing.assert_array_equal(fits[0].params_, fits[1].params_)

    def test_exchanged_terms_tie(self):
        fit = NonlinearLSQ(self.model).fit(X, self.y)
        assert fit.starts_["tied"].sum() >= 1
        assert not fit.starts_["tied"][0]
        assert list(fit.starts_) == ["chi2", *fit.param_names_, "converged", "tied"]

    def test_part_of_a_start(self):
        fit = NonlinearLSQ(self.model, {"b": 3.0, "e": 6.5}).fit(X, self.y)
        np.testing.assert_allclose(np.abs(fit.params_), self.truth, atol=0.2)


def test_signs_that_do_not_matter_are_positive_alone_or_in_pairs():
    x = np.linspace(0.0, 10.0, 41)
    y = 0.5 + 10.0 * np.exp(-(((x - 4.5) / 1.0) ** 2))
    for seed in range(4):
        fit = NonlinearLSQ("p1 + area/(p4*sqrt(pi))*exp(-((x - p3)/p4)**2)", random_state=seed).fit(
            x[:, None], y, sigma=0.1
        )
        assert dict(zip(fit.param_names_, fit.params_, strict=True)) == pytest.approx(
            {"p1": 0.5, "area": 10.0 * np.sqrt(np.pi), "p4": 1.0, "p3": 4.5}, rel=1e-9
        )
        negative = NonlinearLSQ(
            "p1 + area/(p4*sqrt(pi))*exp(-((x - p3)/p4)**2)", p0=[0.0, -17.0, -1.2, 4.4]
        ).fit(x[:, None], y, sigma=0.1)
        correlation = fit.params_corr_ * np.sign(np.outer(negative.params_, negative.params_))
        np.testing.assert_allclose(negative.params_corr_, correlation, atol=1e-8)


class TestPoorMinima:
    """A start too far from the data ends in a minimum that explains nothing."""

    x = np.linspace(0.0, 10.0, 80)

    def peak(self, centre, seed=0):
        noise = 0.1 * np.random.default_rng(seed).normal(size=80)
        return 1.0 + 5.0 * np.exp(-((self.x - centre) ** 2)) + noise

    def test_one_curve(self):
        far = {"a": 1.0, "b": 5.0, "c": 60.0, "d": 0.5}
        model = "a + b*exp(-((x - c)/d)**2)"
        fit = NonlinearLSQ(model, far).fit(self.x[:, None], self.peak(4.0), sigma=0.1)
        assert fit.p_value_ > 1e-3
        assert fit.params_[2] == pytest.approx(4.0, abs=0.05)

    @pytest.mark.parametrize("sigma", [0.1, np.full((80, 6), 0.1)], ids=["alike", "each"])
    def test_some_of_many_curves(self, sigma):
        centres = [2.0, 8.0, 3.0, 6.0, 5.0, 7.0]
        Y = np.stack([self.peak(c, seed) for seed, c in enumerate(centres)], axis=1)
        near = {"a": 1.0, "b": 5.0, "c": 2.0, "d": 0.7}
        fit = NonlinearLSQ("a + b*exp(-((x - c)/d)**2)", near).fit(self.x[:, None], Y, sigma=sigma)
        np.testing.assert_allclose(fit.params_[:, 2], centres, atol=0.05)
        assert (fit.p_value_ > 1e-4).all()

    def test_start_p0_means_nothing_else(self):
        model = "a + b*exp(-((x - c)/d)**2)"
        fit = NonlinearLSQ(model, [1.0, 5.0, 9.5, 0.3], start="p0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit.fit(self.x[:, None], self.peak(3.0), sigma=0.1)
        assert fit.p_value_ < 1e-10

    def test_noise_alone_is_no_reason_to_move(self):
        y = np.random.default_rng(1).normal(size=80)
        start = [0.1, 0.0]
        alone = NonlinearLSQ("a*exp(-b*x)", start, start="p0").fit(self.x[:, None], y)
        usual = NonlinearLSQ("a*exp(-b*x)", start).fit(self.x[:, None], y)
        assert usual.chi2_ <= alone.chi2_ * (1.0 + 1e-12)


class TestPoorMinimaUnderARobustLoss:
    """They are compared with the best constant under that loss."""

    model = "b + h*exp(-((x - c)/w)**2)"
    x = np.linspace(0.0, 10.0, 50)
    sigma = np.where(np.arange(50) % 4, 0.3, 0.5)
    y = 0.5 + 10.0 * np.exp(-((x - 4.5) ** 2)) + sigma * np.random.default_rng(4).normal(size=50)

    @pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy"])
    @pytest.mark.parametrize(
        "options", [{}, {"tied": {"b": "h/20"}}, {"priors": {"h": (10.0, 5.0)}}], ids=str
    )
    @pytest.mark.parametrize("curves", [1, 3])
    def test_a_start_a_little_off(self, loss, options, curves):
        y = self.y if curves == 1 else np.outer(self.y, [1.0, 1.5, 2.0])
        near = NonlinearLSQ(self.model, [0.5, 10.0, 4.5, 1.0], loss=loss, start="p0", **options)
        off = NonlinearLSQ(self.model, [0.0, 1.0, 1.0, 1.0], loss=loss, **options)
        for fit in (near, off):
            fit.fit(self.x[:, None], y, sigma=0.4)
        np.testing.assert_allclose(off.params_, near.params_, rtol=1e-4)

    def test_correlated_errors(self):
        covariance = np.diag(self.sigma**2) + 0.01
        for loss in ("linear", "soft_l1"):
            fit = NonlinearLSQ(self.model, [0.0, 1.0, 1.0, 1.0], loss=loss)
            fit.fit(self.x[:, None], self.y, sigma=covariance)
            assert fit.params_[2] == pytest.approx(4.5, abs=0.1)

    def test_priors_do_not_hide_it(self):
        fit = NonlinearLSQ(self.model, [0.0, 1.0, 1.0, 1.0], priors={"h": (10.0, 5.0)})
        fit.fit(self.x[:, None], self.y, sigma=self.sigma)
        assert fit.params_[2] == pytest.approx(4.5, abs=0.1)


class TestConstantData:
    """Of a term that is not there, nothing but its absence is determined."""

    x = np.linspace(0.0, 10.0, 50)[:, None]

    @pytest.mark.parametrize("value", [0.1, 2.0, 3.7])
    @pytest.mark.parametrize("sigma", [None, 0.1])
    @pytest.mark.parametrize(
        ("term", "n_lost"),
        [("Gaussian", 2), ("Lorentzian", 2), ("Sine", 2), ("Exponential", 1), ("Logistic", 2)],
    )
    @pytest.mark.parametrize("offset", ["Constant", "Line"])
    def test_what_is_not_determined(self, value, sigma, term, n_lost, offset):
        fit = NonlinearLSQ(getattr(models, term)() + getattr(models, offset)())
        with pytest.warns(RankWarning, match="cannot tell some parameters apart"):
            fit.fit(self.x, np.full(50, value), sigma=sigma)
        assert fit.converged_
        assert fit.params_[0] == 0.0
        lost = np.isinf(fit.params_std_)
        np.testing.assert_array_equal(np.flatnonzero(lost), 1 + np.arange(n_lost))
        np.testing.assert_allclose(fit.predict(self.x), value, rtol=1e-13)

    @pytest.mark.parametrize("options", [{"loss": "huber"}, {"p0": [1.0, 0.5, 1.0]}], ids=str)
    @pytest.mark.parametrize("curves", [1, 2])
    def test_on_every_path(self, options, curves):
        y = np.full(50, 2.0) if curves == 1 else np.full((50, 2), 2.0)
        with pytest.warns(RankWarning, match=r"b \+ t"):
            fit = NonlinearLSQ("a*exp(-b*x) + c", **options).fit(self.x, y)
        assert np.isinf(np.atleast_2d(fit.params_std_)[:, 1]).all()

    @pytest.mark.parametrize("p0", [None, [8.0, 4.0, 1.2, 0.2]])
    def test_exact_data_of_a_sound_model(self, p0):
        y = 0.5 + 10.0 * np.exp(-0.5 * ((self.x[:, 0] - 4.5) / 0.7) ** 2)
        fit = NonlinearLSQ(models.Gaussian() + models.Constant(), p0).fit(self.x, y)
        np.testing.assert_allclose(fit.params_, [10.0, 4.5, 0.7, 0.5], rtol=1e-12)
        assert fit.converged_
