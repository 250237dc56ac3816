"""What is known of parameters: bounds, fixed, tied, priors; and parameters the data do not tell."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from sklsq import BoundWarning, NonlinearLSQ, RankWarning, WeightedLinearFit

DECAY = "a*exp(-b*x) + c"


def data(n=50, seed=2):
    rng = np.random.default_rng(seed)
    x = np.linspace(0.0, 5.0, n)
    sigma = rng.uniform(0.02, 0.1, n)
    return x[:, None], 3.0 * np.exp(-0.8 * x) + 1.0 + sigma * rng.normal(size=n), sigma


X, Y, SIGMA = data()


def fit(model=DECAY, **options):
    return NonlinearLSQ(model, **options).fit(X, Y, sigma=SIGMA)


def residuals(p):
    return (Y - p[0] * np.exp(-p[1] * X[:, 0]) - p[2]) / SIGMA


class TestBounds:
    @pytest.mark.parametrize(
        "bounds",
        [{"b": (1.0, 2.0)}, {"c": (None, 0.9)}, {"a": (3.2, np.inf), "b": (0, 5)}],
        ids=str,
    )
    @pytest.mark.parametrize("p0", [None, [2.0, 1.5, 0.5]])
    def test_minimum_of_scipy(self, bounds, p0):
        box = np.array([[-np.inf] * 3, [np.inf] * 3])
        for name, (low, high) in bounds.items():
            ends = [-np.inf if low is None else low, np.inf if high is None else high]
            box[:, "abc".index(name)] = ends
        start = np.clip([3.3, 1.2, 0.8], box[0] + 1e-3, box[1] - 1e-3)
        expected = least_squares(residuals, start, bounds=box, xtol=1e-15, ftol=1e-15, gtol=1e-13)
        with pytest.warns(BoundWarning, match="At a bound"):
            found = fit(bounds=bounds, p0=p0)
        assert found.chi2_ <= 2.0 * expected.cost * (1.0 + 1e-9)
        np.testing.assert_allclose(found.params_, expected.x, rtol=1e-5)
        assert ((box[0] <= found.params_) & (found.params_ <= box[1])).all()

    def test_errors_at_a_bound_are_those_with_the_parameter_held(self):
        with pytest.warns(BoundWarning, match=r"error of its own: b\. The other errors"):
            found = fit(bounds={"b": (1.0, 2.0)})
        held = fit(fixed={"b": 1.0})
        np.testing.assert_allclose(found.params_, held.params_, rtol=1e-8)
        assert np.isnan(found.params_std_[1])
        np.testing.assert_allclose(found.params_std_[[0, 2]], held.params_std_[[0, 2]], rtol=1e-6)
        np.testing.assert_array_equal(found.at_bound_, [False, True, False])
        assert found.dof_ == len(Y) - 3  # free all the same
        assert np.isfinite(found.predict(X, return_std=True)[1]).all()
        assert "At a bound" in str(found.summary())

    def test_a_tied_parameter_follows_into_the_bound(self):
        with pytest.warns(BoundWarning, match=r"own: c\."):
            found = fit(tied={"a": "3*c"}, bounds={"c": (1.2, 2.0)})
        np.testing.assert_array_equal(np.isnan(found.params_std_), [True, False, True])
        np.testing.assert_array_equal(found.at_bound_, [False, False, True])
        np.testing.assert_allclose(found.params_[[0, 2]], [3.6, 1.2])

    def test_bounds_that_do_not_bind(self):
        free = fit()
        pair = fit(bounds=([0, 0, 0], [10, 10, 10]))
        wide = fit(bounds={"a": (0, 10), "b": (0, 10), "c": (None, 10)})
        for found in (pair, wide):
            np.testing.assert_allclose(found.params_, free.params_, rtol=1e-8)
            np.testing.assert_allclose(found.params_cov_, free.params_cov_, rtol=1e-6)
            assert not found.at_bound_.any()

    def test_start_outside(self):
        found = fit(bounds={"b": (0.1, 3.0)}, p0=[1.0, 30.0, 0.0])
        np.testing.assert_allclose(found.params_, fit().params_, rtol=1e-8)

    @pytest.mark.parametrize("start", ["grid", "multistart", "anneal"])
    def test_explicit_searches(self, start):
        found = fit(start=start, bounds={"b": (0.01, 5.0)})
        np.testing.assert_allclose(found.params_, fit().params_, rtol=1e-8)
        again = fit(start=start, bounds={"b": (0.01, 5.0)})
        np.testing.assert_array_equal(found.params_, again.params_)


class TestFixed:
    def test_is_the_smaller_problem(self):
        found, smaller = fit(fixed={"c": 1.0}), fit("a*exp(-b*x) + 1.0")
        np.testing.assert_allclose(found.params_[:2], smaller.params_, rtol=1e-9)
        np.testing.assert_allclose(found.params_cov_[:2, :2], smaller.params_cov_, rtol=1e-7)
        assert found.params_[2] == 1.0
        assert not found.params_cov_[2].any()
        assert found.dof_ == len(Y) - 2
        for one, other in zip(
            found.predict(X, return_std=True), smaller.predict(X, return_std=True), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-7)

    def test_all(self):
        truth = {"a": 3.0, "b": 0.8, "c": 1.0}
        found = fit(fixed=truth)
        np.testing.assert_array_equal(found.params_, list(truth.values()))
        assert found.chi2_ == pytest.approx(np.sum(residuals([3.0, 0.8, 1.0]) ** 2))
        assert found.dof_ == len(Y)
        np.testing.assert_array_equal(found.predict(X, return_std=True)[1], 0.0)

    def test_with_a_start(self):
        found = fit(fixed={"c": 1.0}, p0={"a": 2.0, "b": 1.0})
        np.testing.assert_allclose(found.params_, fit(fixed={"c": 1.0}).params_, rtol=1e-9)


class TestTied:
    def test_is_the_smaller_problem(self):
        found, smaller = fit(tied={"a": "3*c"}), fit("3*c*exp(-b*x) + c")
        named = dict(zip(found.param_names_, found.params_, strict=True))
        expected = dict(zip(smaller.param_names_, smaller.params_, strict=True))
        assert named["b"] == pytest.approx(expected["b"], rel=1e-8)
        assert named["c"] == pytest.approx(expected["c"], rel=1e-8)
        assert named["a"] == pytest.approx(3.0 * named["c"], rel=1e-12)
        std = dict(zip(found.param_names_, found.params_std_, strict=True))
        assert std["a"] == pytest.approx(3.0 * std["c"], rel=1e-9)
        assert found.params_corr_[0, 2] == pytest.approx(1.0)
        assert found.dof_ == len(Y) - 2
        assert found.chi2_ == pytest.approx(smaller.chi2_, rel=1e-10)

    def test_nonlinear_and_chained(self):
        found = fit(tied={"a": "exp(c)", "c": "b + 0.2"})
        b = found.params_[1]
        np.testing.assert_allclose(found.params_, [np.exp(b + 0.2), b, b + 0.2], rtol=1e-12)
        slope = np.array([np.exp(b + 0.2), 1.0, 1.0])
        np.testing.assert_allclose(found.params_std_, slope * found.params_std_[1], rtol=1e-9)

    def test_together_with_fixed_and_bounds(self):
        found = fit(tied={"a": "3*c"}, fixed={"c": 1.0}, bounds={"b": (0.0, 10.0)})
        np.testing.assert_allclose(found.params_, fit(fixed={"a": 3.0, "c": 1.0}).params_)
        assert found.params_std_[0] == found.params_std_[2] == 0.0


class TestPriors:
    def augmented(self, **options):
        """The same with one more row for each prior, written out."""
        extra = {"b": (0.7, 0.01), "c": (1.1, 0.02)}
        rows = np.eye(3)[1:]
        features = np.zeros((len(Y) + 2, 4))
        features[: len(Y), 0], features[: len(Y), 3] = X[:, 0], 1.0
        features[len(Y) :, 1:3] = rows[:, 1:]
        y = np.append(Y, [mean for mean, _ in extra.values()])
        sigma = np.append(SIGMA, [std for _, std in extra.values()])
        explicit = NonlinearLSQ("x3*(a*exp(-b*x0) + c) + x1*b + x2*c", **options)
        return extra, explicit.fit(features, y, sigma=sigma)

    def test_are_further_rows(self):
        priors, explicit = self.augmented()
        found = fit(priors=priors)
        np.testing.assert_allclose(found.params_, explicit.params_, rtol=1e-9)
        np.testing.assert_allclose(found.params_cov_, explicit.params_cov_, rtol=1e-7)
        assert found.chi2_ == pytest.approx(explicit.chi2_, rel=1e-10)
        assert found.dof_ == explicit.dof_ == len(Y) + 2 - 3
        assert found.p_value_ == pytest.approx(explicit.p_value_)

    def test_of_a_straight_line(self):
        found = fit("a + b*x", priors={"b": (0.0, 1e-9)})
        mean = np.average(Y, weights=SIGMA**-2)
        np.testing.assert_allclose(found.params_, [mean, 0.0], atol=1e-6)
        loose = fit("a + b*x", priors={"b": (0.0, 1e9)})
        line = WeightedLinearFit().fit(X, Y, sigma=SIGMA)
        np.testing.assert_allclose(loose.params_, line.params_, rtol=1e-9)
        np.testing.assert_allclose(loose.params_cov_, line.params_cov_, rtol=1e-7)

    def test_of_a_tied_parameter(self):
        found = fit(tied={"a": "3*c"}, priors={"a": (3.3, 1e-6)})
        assert found.params_[0] == pytest.approx(3.3, abs=1e-4)
        assert found.params_[2] == pytest.approx(1.1, abs=1e-4)

    def test_identify_what_the_data_do_not(self):
        found = fit("(a + d)*exp(-b*x) + c", priors={"d": (1.0, 0.1)})
        named = dict(zip(found.param_names_, found.params_, strict=True))
        assert named["d"] == pytest.approx(1.0, abs=1e-6)
        assert np.isfinite(found.params_std_).all()
        assert found.rank_ == 4

    def test_combined_with_everything(self):
        options = {"tied": {"a": "3*c"}, "priors": {"c": (1.0, 0.01)}, "bounds": {"b": (0, 9)}}
        found = fit(**options)
        free = fit(tied=options["tied"], priors=options["priors"])
        np.testing.assert_allclose(found.params_, free.params_, rtol=1e-8)
        np.testing.assert_allclose(found.params_std_, free.params_std_, rtol=1e-6)


class TestUnidentified:
    def test_two_parameters_named(self):
        with pytest.warns(RankWarning, match=r"small t in .*a.*d.*fit equally well"):
            found = fit("(a + d)*exp(-b*x) + c")
        std = dict(zip(found.param_names_, found.params_std_, strict=True))
        assert np.isinf(std["a"])
        assert np.isinf(std["d"])
        assert np.isfinite([std["b"], std["c"]]).all()
        assert found.rank_ == 3
        assert found.dof_ == len(Y) - 3
        assert found.unidentified_.shape == (1, 4)
        assert found.chi2_ == pytest.approx(fit().chi2_, rel=1e-9)
        assert "fit equally well" in str(found.summary())

    def test_the_curve_is_determined_all_the_same(self):
        with pytest.warns(RankWarning, match="fit equally well"):
            found = fit("(a + d)*exp(-b*x) + c")
        mean, std = found.predict(X, return_std=True)
        expected = fit().predict(X, return_std=True)
        np.testing.assert_allclose(mean, expected[0], rtol=1e-8)
        np.testing.assert_allclose(std, expected[1], rtol=1e-5)

    def test_dead_parameter(self):
        with pytest.warns(RankWarning, match=r"\(d \+ t\)"):
            found = fit("a*exp(-b*x) + c + 0*d")
        assert np.isinf(found.params_std_[3])
        assert np.isfinite(found.params_std_[:3]).all()

    def test_infinite_only_where_undetermined(self):
        """A step beyond the last point: its height is unknown there, and there alone."""
        with pytest.warns(RankWarning, match="d"):
            found = NonlinearLSQ(_hinge).fit(X, Y, sigma=SIGMA)
        std = found.predict(np.array([[1.0], [4.9], [6.0]]), return_std=True)[1]
        np.testing.assert_array_equal(np.isinf(std), [False, False, True])

    def test_fewer_points_than_parameters(self):
        with pytest.warns(RankWarning, match="fit equally well"), pytest.warns(match="freedom"):
            found = NonlinearLSQ("a + b*x + c*x**2").fit(X[:2], Y[:2])
        np.testing.assert_allclose(found.predict(X[:2]), Y[:2], rtol=1e-6)
        assert np.isnan(found.reduced_chi2_)


def _hinge(x, a, b, d):
    return a + b * x + d * np.maximum(x - 5.0, 0.0)
