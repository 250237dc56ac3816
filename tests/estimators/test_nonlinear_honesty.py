"""No start is sold as an answer: what did not converge says so, with the cause and a remedy."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sklsq import DegreesOfFreedomWarning, NonlinearLSQ, RankWarning

X = np.linspace(0.1, 5.0, 40)[:, None]
Y = 3.0 * np.exp(-0.8 * X[:, 0]) + 1.0 + 0.01 * np.random.default_rng(6).normal(size=40)
DECAY = "a*exp(-b*x) + c"


def assert_flagged(fit, cause):
    assert fit.converged_ is False
    assert cause in fit.status_
    assert cause in str(fit.summary())


def test_too_few_steps():
    fit = NonlinearLSQ(DECAY, [1.0, 3.0, 0.0], start="p0", max_iter=1)
    with pytest.warns(ConvergenceWarning, match="still falling after `max_iter` steps. Increase"):
        fit.fit(X, Y)
    assert_flagged(fit, "`max_iter`")


def test_no_value_at_the_start():
    fit = NonlinearLSQ("a*log(b*x) + c", [1.0, -1.0, 0.0], start="p0")
    with pytest.warns(ConvergenceWarning, match="not finite at the start. Choose another `p0`"):
        fit.fit(X, Y)
    assert_flagged(fit, "not finite at the start")
    assert np.isnan(fit.params_).all()  # the start is no answer


def test_no_value_at_the_start_but_elsewhere():
    fit = NonlinearLSQ("a*log(b*x + 1) + c", [1.0, -1.0, 0.0]).fit(X, Y)
    assert fit.converged_
    assert np.isfinite(fit.params_).all()


def test_no_value_anywhere():
    def nowhere(x, a, b):
        return a * x + b + np.nan

    fit = NonlinearLSQ(nowhere)
    with pytest.warns(ConvergenceWarning, match="not finite"):
        fit.fit(X, Y)
    assert not fit.converged_
    assert np.isnan(fit.params_).all()
    assert np.isnan(fit.params_std_).all()


def test_a_start_where_nothing_moves():
    fit = NonlinearLSQ("a*exp(-b*x)", [1.0, 1e5], start="p0")
    with (
        pytest.warns(RankWarning, match="fit equally well"),
        pytest.warns(ConvergenceWarning, match="no step along the derivatives"),
    ):
        fit.fit(X, Y)
    assert_flagged(fit, "no step along the derivatives")
    assert NonlinearLSQ("a*exp(-b*x)", [1.0, 1e5]).fit(X, Y).converged_


def test_derivatives_that_are_wrong():
    def line(x, a, b):
        return a + b * np.exp(-x)

    def wrong(x, a, b):
        return -np.column_stack([np.ones_like(x), np.exp(-x)])

    fit = NonlinearLSQ(line, [1.0, 1.0], start="p0", jac=wrong)
    with pytest.warns(ConvergenceWarning, match="derivatives"):
        fit.fit(X, Y)
    assert_flagged(fit, "`jac`")


class Broken(Exception):
    """Raised by a model of the user's."""


@pytest.mark.parametrize("p0", [None, [1.0, 1.0]])
@pytest.mark.parametrize("error", [Broken, KeyError, ZeroDivisionError, RuntimeError])
def test_exceptions_of_the_model_reach_the_user(p0, error):
    def broken(x, a, b):
        raise error("the instrument is off")

    with pytest.raises(error, match="the instrument is off"):
        NonlinearLSQ(broken, p0).fit(X, Y)


def test_exceptions_of_the_start_reach_the_user():
    def p0(X, y):
        raise Broken("no idea")

    with pytest.raises(Broken, match="no idea"):
        NonlinearLSQ(DECAY, p0).fit(X, Y)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda x, a: a * x[:, None], r"shape \(40,\). Got shape \(40, 1\)"),
        (lambda x, a: a, r"Got shape \(\)"),
        (lambda x, a: (a * x)[:-1], r"Got shape \(39,\)"),
        (lambda x, a: a * x + 1j, "must return real numbers"),
        (lambda x, a: np.array(["z"] * len(x)), "must return real numbers"),
    ],
    ids=["column", "number", "short", "complex", "text"],
)
@pytest.mark.parametrize("p0", [None, [1.0]])
def test_output_of_the_wrong_kind(model, message, p0):
    with pytest.raises(ValueError, match=message):
        NonlinearLSQ(model, p0).fit(X, Y)


class TestManyCurves:
    """A curve that fails is a flagged row."""

    @pytest.mark.parametrize("p0", [None, [3.0, 0.8, 1.0]])
    def test_missing_altogether(self, p0):
        Y_ = np.column_stack([Y, np.full(40, np.nan), 2.0 * Y])
        fit = NonlinearLSQ(DECAY, p0)
        with pytest.warns(ConvergenceWarning, match="1: Not fitted: the curve has no points"):
            with pytest.warns(DegreesOfFreedomWarning, match="no degrees of freedom"):
                fit.fit(X, Y_)
        np.testing.assert_array_equal(fit.converged_, [True, False, True])
        np.testing.assert_array_equal(np.isnan(fit.params_), [[False] * 3, [True] * 3, [False] * 3])
        assert np.isnan(fit.params_std_[1]).all()
        assert np.isnan(fit.chi2_[1])
        alone = NonlinearLSQ(DECAY, p0).fit(X, Y)
        np.testing.assert_allclose(fit.params_[0], alone.params_, rtol=1e-7)

    def test_overflow(self):
        Y_ = np.column_stack([Y, 1e200 * (-1.0) ** np.arange(40), 2.0 * Y])
        fit = NonlinearLSQ(DECAY)
        with pytest.warns(ConvergenceWarning, match="1 of 3 curves, the first of them 1"):
            fit.fit(X, Y_)
        np.testing.assert_array_equal(fit.converged_, [True, False, True])
        assert np.isnan(fit.params_[1]).all()

    def test_too_few_steps_for_some(self):
        start = [3.0, 0.8, 1.0]
        Y_ = np.column_stack([Y, 1000.0 * np.sin(5.0 * X[:, 0])])
        fit = NonlinearLSQ(DECAY, start, start="p0", max_iter=6)
        with pytest.warns(ConvergenceWarning, match="1 of 2 curves, the first of them 1: Not"):
            fit.fit(X, Y_)
        np.testing.assert_array_equal(fit.converged_, [True, False])
        assert fit.status_[0].startswith("Converged")
        assert fit.status_[1].startswith("Not converged")

    def test_a_curve_without_values_of_the_model(self):
        """Its start, from a function of the data, is the same for all: none converges silently."""
        fit = NonlinearLSQ("a*log(b*x) + c", [1.0, -1.0, 0.0], start="p0")
        with pytest.warns(ConvergenceWarning, match="3 of 3 curves"):
            fit.fit(X, np.column_stack([Y, 2.0 * Y, 3.0 * Y]))
        assert np.isnan(fit.params_).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "random"}, "`start` must be one of auto, p0, grid"),
        ({"loss": "l2"}, "`loss` must be one of linear"),
        ({"f_scale": 0.0}, "`f_scale` must be positive"),
        ({"f_scale": "1"}, "`f_scale` must be positive"),
        ({"xtol": "a"}, "`xtol` must be a number not below zero"),
        ({"ftol": -1.0}, "`ftol` must be a number not below zero"),
        ({"gtol": np.nan}, "`gtol` must be a number not below zero"),
        ({"p0": "start"}, "`p0` must"),
        ({"p0": {"a": "one"}}, "`p0` of 'a' must be a finite number. Got 'one'"),
        ({"n_starts": 0}, "`n_starts` must be a positive integer"),
        ({"max_iter": 1.5}, "`max_iter` must be a positive integer"),
        ({"fixed": {"q": 1.0}}, "`fixed` must name parameters of the model: a, b, c. Got 'q'"),
        ({"bounds": {"a": (2.0, 1.0)}}, "`bounds` of 'a' must have lower < upper"),
        ({"priors": {"a": (2.0, 0.0)}}, "`priors` of 'a' must have a positive standard deviation"),
        ({"tied": {"a": "b", "b": "a"}}, "`tied` must not go round in a circle"),
        ({"tied": {"a": "b.c"}}, "b.c"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        NonlinearLSQ(DECAY, **options).fit(X, Y)


@pytest.mark.parametrize("unit", [1e-160, 1e-200, 1e160])
def test_squares_that_are_no_numbers(unit):
    """χ² would be zero, and any parameters a perfect fit; or infinite."""
    message = "`y` must be of a size whose squares are numbers.*Give y in another unit"
    with pytest.raises(ValueError, match=message):
        NonlinearLSQ(DECAY).fit(X, unit * Y)
    assert NonlinearLSQ("a + b*x").fit(X, np.zeros(40)).chi2_ == 0.0


@pytest.mark.parametrize("unit", [1e-140, 1e140])
def test_any_other_unit_is_the_same_fit(unit):
    fit, other = NonlinearLSQ(DECAY).fit(X, Y), NonlinearLSQ(DECAY).fit(X, unit * Y)
    np.testing.assert_allclose(other.params_, fit.params_ * [unit, 1.0, unit], rtol=1e-7)
    np.testing.assert_allclose(other.params_std_, fit.params_std_ * [unit, 1.0, unit], rtol=1e-5)
