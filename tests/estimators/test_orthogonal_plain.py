"""The short way of plain arrays through York's line: the same fit, and the same complaints."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklsq import OrthogonalRegression
from sklsq.estimators import orthogonal
from sklsq.estimators._york_line import CentredLine, plain_points
from sklsq.solvers.york import ordinary_line
from sklsq.solvers.york_descent import Task
from tests.estimators.simulated import measured
from tests.solvers.test_york_small import KINDS, drawn

AGREE = 1e-14  # two ways of rounding
ERRORS_AGREE = 1e-12  # the long way ends at a relative change of the slope of 1e-13
PUBLISHED = [
    "params_",
    "coef_",
    "intercept_",
    "dof_",
    "rank_",
    "param_names_",
    "absolute_sigma_",
    "n_features_in_",
    "converged_",
    "status_",
    "unidentified_",
]
WITH_ERRORS = [
    "params_cov_",
    "params_std_",
    "coef_cov_",
    "coef_std_",
    "intercept_std_",
    "chi2_",
    "reduced_chi2_",
    "p_value_",
]

NEW = np.linspace(-3.0, 8.0, 7)[:, None]


def fit(X, y, errors, **options):
    return OrthogonalRegression(**options).fit(X, y, **errors)


def fit_the_long_way(X, y, errors, **options):
    return OrthogonalRegression(**options).fit(X.tolist(), y.tolist(), **errors)


@pytest.fixture
def only_the_short_way(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("took the long way")

    monkeypatch.setattr(OrthogonalRegression, "_check_fit_data", fail)


def assert_same(short, long, rtol=AGREE):
    for name in PUBLISHED + WITH_ERRORS:
        a, b = getattr(short, name), getattr(long, name)
        assert np.shape(a) == np.shape(b), name
        if isinstance(b, str | list | bool):
            assert a == b, name
            continue
        tolerance = rtol if name in PUBLISHED else ERRORS_AGREE
        np.testing.assert_allclose(a, b, rtol=tolerance, err_msg=name)


@pytest.mark.parametrize("absolute_sigma", ["auto", True, False])
@pytest.mark.parametrize("correlation", [False, True])
@pytest.mark.parametrize("n", [3, 20, 1000, 20_000])
def test_same_fit(n, correlation, absolute_sigma):
    data = measured(n, correlation=correlation)
    errors = data.correlated if correlation else data.errors
    short = fit(data.X, data.y, errors, absolute_sigma=absolute_sigma)
    long = fit_the_long_way(data.X, data.y, errors, absolute_sigma=absolute_sigma)
    assert_same(short, long)
    for definition in ("adjusted", "observed", "hessian", "propagated"):
        np.testing.assert_allclose(
            short.params_covariance(definition),
            long.params_covariance(definition),
            rtol=ERRORS_AGREE,
        )


@pytest.mark.parametrize("kind", KINDS)
def test_same_line_of_any_points(kind):
    for seed in range(24):
        x, y, sigma_x, sigma_y, rho = drawn(seed, kind)
        if not (sigma_y >= 1e-9 * sigma_x).all():
            continue
        errors = {"sigma": sigma_y, "sigma_x": sigma_x, "corr_xy": rho}
        short = fit(x[:, None], y, errors)
        long = fit_the_long_way(x[:, None], y, errors)
        np.testing.assert_allclose(short.coef_, long.coef_, rtol=AGREE)
        np.testing.assert_allclose(short.params_std_, long.params_std_, rtol=ERRORS_AGREE)
        # at the points; at x = 0, far from them, the intercept is a difference of large numbers
        size = np.abs(y).max() + np.abs(x * short.coef_).max()
        there = short.predict(x[:, None]), long.predict(x[:, None])
        np.testing.assert_allclose(*there, rtol=AGREE, atol=8 * np.finfo(float).eps * size)
        moved = 8.0 * np.spacing(np.abs(x).max()) * np.abs(short.coef_[0])
        assert short.intercept_ == pytest.approx(long.intercept_, rel=AGREE, abs=moved)


def test_everything_is_published_and_nothing_left_over():
    data = measured()
    short = fit(data.X, data.y, data.errors)
    long = fit_the_long_way(data.X, data.y, data.errors)
    assert set(vars(short)) == set(vars(long))
    for name, value in vars(long).items():
        if name.endswith("_") and not name.startswith("_"):
            assert np.ndim(getattr(short, name)) == np.ndim(value), name


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("n", [20, 1000, 20_000])
@pytest.mark.parametrize("method", ["auto", "york"])
@pytest.mark.usefixtures("only_the_short_way")
def test_plain_arrays_need_no_conversion(method, n, column):
    data = measured(n)
    errors = {"sigma": data.sigma, "sigma_x": data.sigma_x if column else data.sigma_x[:, 0]}
    assert fit(data.X, data.y, errors, method=method).converged_


@pytest.mark.usefixtures("only_the_short_way")
def test_several_minima_are_searched_without_conversion():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 1)), rng.normal(size=40)
    errors = {"sigma": rng.uniform(0.1, 1.0, 40), "sigma_x": rng.uniform(0.1, 1.0, 40)}
    slopes = np.tan(np.linspace(-1.57, 1.57, 4001))
    line = fit(X, y, errors)
    W = 1.0 / (errors["sigma"] ** 2 + slopes[:, None] ** 2 * errors["sigma_x"] ** 2)
    e = y - slopes[:, None] * X[:, 0]
    e -= ((W * e).sum(axis=1) / W.sum(axis=1))[:, None]
    assert line.chi2_ <= (W * e**2).sum(axis=1).min()


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.usefixtures("only_the_short_way")
def test_columns_of_wider_arrays_are_not_modified(wide):
    data = measured()
    columns = [data.X, data.y[:, None], data.sigma[:, None], data.sigma_x, data.corr_xy[:, None]]
    table = np.hstack(columns) if wide else np.asfortranarray(np.hstack(columns))
    table.flags.writeable = False
    errors = {"sigma": table[:, 2], "sigma_x": table[:, 3:4], "corr_xy": table[:, 4]}
    line = fit(table[:, :1], table[:, 1], errors)
    np.testing.assert_allclose(line.params_, fit(*data[:2], data.errors).params_, rtol=AGREE)


class TestTakesTheLongWay:
    """Wherever something has to be converted, decided or complained about."""

    @pytest.mark.parametrize(
        "options",
        [
            {"fit_intercept": False},
            {"intrinsic_scatter": True},
            {"method": "deming"},
            {"max_iter": 1},
            {"tol": 1},
            {"max_iter": np.int64(50)},
            {"error_ratio": 2},
        ],
    )
    def test_options(self, monkeypatch, options):
        data = measured()
        errors = {} if options.get("method") == "deming" else data.errors
        assert self.calls(monkeypatch, data.X, data.y, errors, **options) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"X": "frame"},
            {"X": "list"},
            {"X": "two columns"},
            {"y": "column"},
            {"y": "float32"},
            {"sigma": "float"},
            {"sigma": "float32"},
            {"sigma": "matrix"},
            {"sigma_x": "float"},
            {"sigma_x": "row"},
            {"sigma_x": "frame"},
            {"corr_xy": "float"},
            {"sample_weight": "1/sigma2"},
        ],
        ids=str,
    )
    def test_arguments(self, monkeypatch, change):
        data = measured(30)
        forms = {
            "frame": lambda v: pd.DataFrame(v, columns=["speed"]),
            "list": lambda v: v.tolist(),
            "two columns": lambda v: np.column_stack([v, v**2]),
            "column": lambda v: v[:, None],
            "float32": lambda v: v.astype(np.float32),
            "float": lambda v: 0.3,
            "matrix": lambda v: v[:, None],
            "row": lambda v: v[:1],
            "1/sigma2": lambda v: data.sigma**-2.0,
        }
        given = {"X": data.X, "y": data.y, **data.errors}
        ((name, form),) = change.items()
        given[name] = forms[form](given.get(name))
        if form == "1/sigma2":
            del given["sigma"]
        if form == "two columns":
            given["sigma_x"] = np.column_stack([data.sigma_x, data.sigma_x])
        if form == "matrix":
            given["y"] = data.y[:, None]
        X, y = given.pop("X"), given.pop("y")
        assert self.calls(monkeypatch, X, y, given) == 1

    def calls(self, monkeypatch, X, y, errors, **options):
        count, original = [], OrthogonalRegression._check_fit_data

        def counted(self, *arguments, **keywords):
            count.append(self)
            return original(self, *arguments, **keywords)

        monkeypatch.setattr(OrthogonalRegression, "_check_fit_data", counted)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit(X, y, errors, **options)
        return len(count)

    @pytest.mark.parametrize("n", [1, 2])
    def test_no_degrees_of_freedom(self, monkeypatch, n):
        data = measured(n)
        assert self.calls(monkeypatch, data.X, data.y, data.errors) == 1


class TestComplaints:
    """Bad input is told as if there were no short way."""

    @pytest.mark.parametrize("n", [20, 20_000])
    @pytest.mark.parametrize("name", ["X", "y", "sigma", "sigma_x", "corr_xy"])
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0, 1.0, 0.0])
    def test_same_sentences(self, n, name, value):
        data = measured(n)
        given = {"X": data.X, "y": data.y, **data.correlated}
        given = {key: column.copy() for key, column in given.items()}
        given[name][7] = value
        told = [self.told(f, dict(given)) for f in (fit, fit_the_long_way)]
        assert told[0] == told[1]
        fine = {"X": abs(value) < 2.0, "y": abs(value) < 2.0}
        fine |= {"sigma": value == 1.0, "sigma_x": 0.0 <= value < 2.0, "corr_xy": value == 0.0}
        assert (told[0] is None) == fine[name]

    def told(self, how, given):
        X, y = given.pop("X"), given.pop("y")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                how(X, y, given)
            except ValueError as error:
                return str(error)
        return None

    @pytest.mark.parametrize("name", ["X", "y", "sigma", "sigma_x", "corr_xy"])
    def test_lengths(self, name):
        data = measured()
        given = {"X": data.X, "y": data.y, **data.correlated}
        given[name] = given[name][:-1]
        told = [self.told(f, dict(given)) for f in (fit, fit_the_long_way)]
        assert told[0] == told[1] is not None

    @pytest.mark.parametrize(
        "options",
        [
            {"max_iter": 0},
            {"tol": -1.0},
            {"tol": np.nan},
            {"error_ratio": 0.0},
            {"absolute_sigma": "yes"},
            {"method": "York"},
        ],
        ids=str,
    )
    def test_options(self, options):
        data = measured()
        with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be"):
            fit(data.X, data.y, data.errors, **options)

    def test_a_failed_fit_is_forgotten(self):
        data = measured()
        model = fit(data.X, data.y, data.errors)
        with pytest.raises(ValueError, match="Input y contains NaN"):
            model.fit(data.X, data.y * np.nan, **data.errors)
        with pytest.raises(AttributeError, match="_sigma_given"):
            _ = model._sigma_given


class TestAfterwards:
    def test_refits_leave_no_trace(self):
        data, plane = measured(), measured(p=2)
        fresh = fit(data.X, data.y, data.errors)
        model = OrthogonalRegression()
        model.fit(pd.DataFrame(plane.X, columns=["a", "b"]), plane.y, **plane.errors)
        model.fit(data.X, data.y, **data.errors)
        assert not hasattr(model, "feature_names_in_")
        assert_same(model, fresh, rtol=0)
        model.fit(plane.X, plane.y, **plane.errors)
        expected = fit(plane.X, plane.y, plane.errors)
        np.testing.assert_array_equal(model.params_cov_, expected.params_cov_)
        np.testing.assert_array_equal(
            model.params_covariance("hessian"), expected.params_covariance("hessian")
        )

    @pytest.mark.parametrize(
        "use",
        [
            lambda model, data: model.predict(NEW, return_std=True),
            lambda model, data: model.predict(NEW, return_cov=True)[1],
            lambda model, data: model.predict(NEW, return_std=True, sigma_x=0.2),
            lambda model, data: model.predict_interval(NEW),
            lambda model, data: model.score(data.X, data.y, **data.correlated),
            lambda model, data: model.adjusted_points(data.X, data.y, **data.correlated)[1],
            lambda model, data: model.summary().to_frame().to_numpy(dtype=float),
        ],
    )
    def test_use(self, use):
        data = measured(correlation=True)
        short = fit(data.X, data.y, data.correlated)
        long = fit_the_long_way(data.X, data.y, data.correlated)
        np.testing.assert_allclose(use(short, data), use(long, data), rtol=1e-11, atol=1e-13)

    def test_pickle_and_clone(self):
        data = measured()
        model = fit(data.X, data.y, data.errors)
        again = pickle.loads(pickle.dumps(model))
        assert_same(again, model, rtol=0)
        np.testing.assert_array_equal(
            again.params_covariance("propagated"), model.params_covariance("propagated")
        )
        assert_same(clone(model).fit(data.X, data.y, **data.errors), model, rtol=0)


def test_points_of_plain_arrays():
    data = measured(correlation=True)
    points = plain_points(data.X, data.y, data.sigma, data.sigma_x, data.corr_xy)
    np.testing.assert_array_equal(points.sigma_x, data.sigma_x[:, 0])
    assert points.corr_xy is data.corr_xy
    independent = plain_points(data.X, data.y, data.sigma, data.sigma_x, 0.0 * data.y)
    assert independent.corr_xy is None


@pytest.mark.parametrize("xx", [0.0, -1.0, 1e-310, np.inf, np.nan])
def test_no_line_without_its_errors(xx):
    data, task = measured(), Task(True, 1e-13, 100)
    points = plain_points(data.X, data.y, data.sigma, data.sigma_x, None)
    found = ordinary_line(points, task)
    assert CentredLine.of(found, 20) is not None
    at = found.sums._replace(sums=found.sums.sums._replace(x=0.0, z=0.0, xz=0.0, zz=0.0, xx=xx))
    assert CentredLine.of(found._replace(sums=at), 20) is None


def test_errors_out_of_range(monkeypatch):
    """What the short way cannot put into numbers, the long way puts into words."""
    data = measured()
    monkeypatch.setattr(orthogonal.CentredLine, "of", lambda *_: None)
    assert_same(fit(data.X, data.y, data.errors), fit_the_long_way(data.X, data.y, data.errors))
