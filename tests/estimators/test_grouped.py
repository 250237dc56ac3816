"""One row a group: the same as fitting each by itself, and what failed is said, not raised."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import (
    DesignMatrixRegressor,
    LinearizedRegressor,
    NonlinearLSQ,
    SigmaClippedRegressor,
    WeightedLinearFit,
    fit_groups,
)
from sklsq.basis import Polynomial
from sklsq.datasets import load_dnase, load_puromycin
from sklsq.estimators import grouped

STATISTICS = ["chi2", "reduced_chi2", "dof", "converged", "status"]
LINE = WeightedLinearFit()
PEAK = NonlinearLSQ("p1 + p2*exp(-((x - p3)/p4)**2)")


def lines(n_groups=6, n=9, seed=0):
    """Straight lines, the groups shuffled row by row."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), n)
    t = rng.uniform(0.0, 10.0, n_groups * n)
    sigma = rng.uniform(0.5, 2.0, n_groups * n)
    y = group + 2.0 * t + sigma * rng.normal(size=n_groups * n)
    frame = pd.DataFrame({"site": group * 10, "t": t, "y": y, "s": sigma})
    return frame.sample(frac=1.0, random_state=0)


def peaks(n_groups=8, share=0.85, seed=0):
    """Peaks over one grid, of which every group lacks some points."""
    rng = np.random.default_rng(seed)
    grid, parts = np.linspace(0.0, 10.0, 41), []
    for k in range(n_groups):
        x = grid[rng.uniform(size=41) < share]
        sigma = rng.uniform(0.1, 0.4, x.size)
        y = (
            0.5
            + 10.0 * np.exp(-(((x - 4.0 - 0.2 * k) / 1.0) ** 2))
            + sigma * rng.normal(size=x.size)
        )
        parts.append(pd.DataFrame({"k": k, "x": x, "y": y, "s": sigma}))
    return pd.concat(parts, ignore_index=True)


def one_by_one(estimator, frame, by, x, y, sigma=None):
    """Fit every group by itself, as pandas hands them out."""
    rows = []
    for key, part in frame.groupby(by):
        given = None if sigma is None else part[sigma].to_numpy()
        fit = estimator.__class__(**estimator.get_params(deep=False))
        fit.fit(part[x if isinstance(x, list) else [x]], part[y].to_numpy(), sigma=given)
        row = dict(zip([by] if isinstance(by, str) else by, np.atleast_1d(key), strict=True))
        for name, value, std in zip(fit.param_names_, fit.params_, fit.params_std_, strict=True):
            row |= {name: value, f"{name}_std": std}
        rows.append(row | {"chi2": fit.chi2_, "reduced_chi2": fit.reduced_chi2_, "dof": fit.dof_})
    return pd.DataFrame(rows)


def assert_same(found, expected, rtol=1e-12):
    for column in expected.columns:
        np.testing.assert_allclose(
            found[column].astype(float), expected[column].astype(float), rtol=rtol, atol=1e-14
        )


class TestValues:
    @pytest.mark.parametrize("sigma", ["s", None])
    def test_lines(self, sigma):
        frame = lines()
        found = fit_groups(LINE, frame, by="site", x="t", y="y", sigma=sigma)
        expected = one_by_one(LINE, frame, "site", "t", "y", sigma)
        assert list(found.columns) == [*expected.columns, "converged", "status"]
        assert_same(found, expected)
        assert found["converged"].dtype == bool
        assert found["converged"].all()
        assert (found["status"] == "Fitted.").all()

    def test_one_sigma_for_all(self):
        frame = lines().assign(s=0.7)
        pd.testing.assert_frame_equal(
            fit_groups(LINE, frame, by="site", x="t", y="y", sigma=0.7),
            fit_groups(LINE, frame, by="site", x="t", y="y", sigma="s"),
        )

    @pytest.mark.parametrize(
        "estimator",
        [
            DesignMatrixRegressor(Polynomial(2)),
            DesignMatrixRegressor(["1", "log(t)"]),
            NonlinearLSQ("a + b*t"),
        ],
        ids=str,
    )
    def test_other_estimators(self, estimator):
        frame = lines()
        found = fit_groups(estimator, frame, by="site", x="t", y="y", sigma="s")
        assert_same(found, one_by_one(estimator, frame, "site", "t", "y", "s"), rtol=1e-7)

    def test_several_features_and_keys(self):
        frame = lines(8, 12)
        frame["u"] = np.random.default_rng(1).normal(size=len(frame))
        frame["run"] = frame["site"] // 20
        found = fit_groups(LINE, frame, by=["run", "site"], x=["t", "u"], y="y")
        assert list(found.columns[:8]) == [
            "run", "site", "intercept", "intercept_std", "t", "t_std", "u", "u_std",
        ]  # fmt: skip
        assert_same(found, one_by_one(LINE, frame, ["run", "site"], ["t", "u"], "y"))

    def test_measured(self):
        frame = load_puromycin().frame
        model = NonlinearLSQ("v*concentration/(k + concentration)")
        found = fit_groups(model, frame, by="state", x="concentration", y="rate")
        expected = one_by_one(model, frame, "state", "concentration", "rate")
        assert list(found["state"]) == ["treated", "untreated"]
        assert_same(found, expected.drop(columns="state"), rtol=1e-7)

    def test_pipeline(self):
        frame = lines()
        pipeline = make_pipeline(StandardScaler(), WeightedLinearFit())
        found = fit_groups(pipeline, frame, by="site", x="t", y="y", sigma="s")
        plain = fit_groups(LINE, frame, by="site", x="t", y="y", sigma="s")
        np.testing.assert_allclose(found["chi2"], plain["chi2"], rtol=1e-10)
        assert "x_std" in found.columns

    def test_wrapped_estimators(self):
        frame = lines()
        row = frame.index[frame["site"] == 20][3]
        frame.loc[row, "y"] += 50.0
        found = fit_groups(SigmaClippedRegressor(LINE), frame, by="site", x="t", y="y", sigma="s")
        assert found["dof"].tolist() == [7, 7, 6, 7, 7, 7]
        assert found.loc[2, "status"].startswith("Converged")
        positive = frame.assign(y=np.exp(0.01 * frame["y"]))
        form = LinearizedRegressor(LINE, back_transform={"a": "exp(c0)", "tau": "1/c1"})
        found = fit_groups(form, positive, by="site", x="t", y="y")
        assert list(found.columns[1:5]) == ["a", "a_std", "tau", "tau_std"]
        first = positive[positive["site"] == 0]
        alone = form.fit(first[["t"]], first["y"])
        np.testing.assert_allclose(found.loc[0, ["a", "tau"]].astype(float), alone.params_)


class TestAtOnce:
    """The batched way is taken, and its answers are those of single fits."""

    @pytest.fixture
    def taken(self, monkeypatch):
        ways = []
        original = grouped._at_once

        def watched(*arguments):
            result = original(*arguments)
            ways.append(result is not None)
            return result

        monkeypatch.setattr(grouped, "_at_once", watched)
        return ways

    @pytest.mark.parametrize("sigma", ["s", None, 0.3])
    @pytest.mark.parametrize("share", [1.0, 0.85])
    def test_peaks(self, taken, share, sigma):
        frame = peaks(share=share)
        found = fit_groups(PEAK, frame, by="k", x="x", y="y", sigma=sigma)
        column = "s" if sigma is not None else None
        frame = frame if sigma == "s" else frame.assign(s=0.3)
        assert taken == [True]
        assert_same(found, one_by_one(PEAK, frame, "k", "x", "y", column), rtol=1e-6)

    def test_points_measured_twice(self, taken):
        frame = load_dnase().frame
        model = NonlinearLSQ("top/(1 + exp((mid - log(concentration))/scale))")
        found = fit_groups(model, frame, by="run", x="concentration", y="density")
        assert taken == [True]
        assert_same(found, one_by_one(model, frame, "run", "concentration", "density"), rtol=1e-6)

    def test_not_where_x_differs_from_group_to_group(self, taken):
        frame = lines(8)
        fit_groups(NonlinearLSQ("a + b*t"), frame, by="site", x="t", y="y", sigma="s")
        assert taken == [False]

    def test_not_with_a_start_that_depends_on_the_data(self, taken):
        model = NonlinearLSQ("a + b*x", p0=lambda X, y: [float(np.mean(y)), 0.0])
        fit_groups(model, peaks(2), by="k", x="x", y="y")
        assert taken == [False]

    def test_a_group_that_cannot_be_fitted_does_not_harm_the_others(self, taken):
        frame = peaks()
        frame.loc[frame.index[frame["k"] == 3][5], "y"] = np.nan
        with pytest.warns(ConvergenceWarning, match="1 of 8 groups have no answer.*k = 3: Not fit"):
            found = fit_groups(PEAK, frame, by="k", x="x", y="y", sigma="s")
        others = frame[frame["k"] != 3]
        expected = fit_groups(PEAK, others, by="k", x="x", y="y", sigma="s")
        assert taken == [True, True]
        assert_same(found.drop(index=3), expected.drop(columns="status"), rtol=1e-7)


class TestKeys:
    """As `DataFrame.groupby`: sorted, without missing keys, observed categories only."""

    def test_sorted_with_missing_keys(self):
        frame = lines(3)
        frame["name"] = frame["site"].map({0: "b", 10: None, 20: "a"})
        found = fit_groups(LINE, frame, by="name", x="t", y="y")
        assert found["name"].tolist() == ["a", "b"]
        assert found.index.tolist() == [0, 1]

    def test_categories(self):
        frame = lines(3)
        kind = pd.CategoricalDtype(["zinc", "lead", "iron", "gold"], ordered=True)
        frame["metal"] = frame["site"].map({0: "iron", 10: "zinc", 20: "lead"}).astype(kind)
        found = fit_groups(LINE, frame, by="metal", x="t", y="y")
        assert found["metal"].tolist() == ["zinc", "lead", "iron"]
        assert found["metal"].dtype == kind

    def test_labels_need_not_be_strings(self):
        frame = lines(3).rename(columns={"site": 0, "t": 1, "y": 2})
        frame.columns = [str(c) if c == 1 else c for c in frame.columns]
        found = fit_groups(LINE, frame, by=0, x="1", y=2)
        assert found.columns[0] == 0

    def test_the_table_is_not_changed(self):
        frame = lines()
        copy = frame.copy()
        fit_groups(LINE, frame, by="site", x="t", y="y", sigma="s")
        pd.testing.assert_frame_equal(frame, copy)


class TestFailures:
    @pytest.mark.parametrize("estimator", [LINE, NonlinearLSQ("a + b*t")], ids=str)
    @pytest.mark.parametrize(
        ("column", "value", "reason"),
        [
            ("y", np.nan, "Not fitted: y must be finite. Got nan in the row 'r17'; leave"),
            ("t", np.inf, "Not fitted: t must be finite. Got inf in the row 'r17'; leave"),
            ("s", 0.0, "Not fitted: sigma must be positive and finite. Got 0 in the row 'r17'"),
        ],
    )
    def test_bad_values(self, estimator, column, value, reason):
        frame = lines().sort_values("site")
        frame.index = [f"r{k}" for k in range(len(frame))]
        frame.loc["r17", column] = value
        with pytest.warns(
            ConvergenceWarning, match=r"1 of 6 groups have no answer.*site = 10: Not"
        ):
            found = fit_groups(estimator, frame, by="site", x="t", y="y", sigma="s")
        assert found["converged"].tolist() == [True, False, True, True, True, True]
        assert found.loc[1, "status"].startswith(reason)
        assert found.loc[1].drop(["site", "status", "converged", "dof"]).isna().all()
        assert found.drop(index=1).notna().all(axis=None)

    def test_too_few_points(self):
        frame = lines(3)
        frame = pd.concat([frame[frame["site"] < 20], frame[frame["site"] == 20].iloc[:1]])
        with pytest.warns(ConvergenceWarning, match="1 of 3 groups have no answer"):
            found = fit_groups(LINE, frame, by="site", x="t", y="y", sigma="s")
        assert not found.loc[2, "converged"]
        assert (
            "do not determine intercept, t. There are no degrees of freedom"
            in (found.loc[2, "status"])
        )
        assert np.isinf(found.loc[2, "t_std"])

    def test_no_degrees_of_freedom_is_no_failure(self):
        frame = pd.DataFrame({"g": [0, 0], "t": [0.0, 1.0], "y": [1.0, 3.0]})
        found = fit_groups(LINE, frame, by="g", x="t", y="y", sigma=0.1)
        assert found.loc[0, "converged"]
        assert found.loc[0, "status"] == "Fitted. There are no degrees of freedom."

    def test_what_an_estimator_refuses(self):
        frame = lines(3)
        frame.loc[frame["site"] == 10, "y"] -= 100.0
        with pytest.warns(ConvergenceWarning, match="1 of 3 groups"):
            found = fit_groups(LinearizedRegressor(LINE), frame.assign(y=frame["y"] + 30.0),
                               by="site", x="t", y="y")  # fmt: skip
        assert found.loc[1, "status"].startswith("Not fitted: `y` must be positive for log. Got")

    def test_first_group_fails(self):
        frame = lines(3)
        frame.loc[frame["site"] == 0, "y"] = np.nan
        with pytest.warns(ConvergenceWarning, match="site = 0"):
            found = fit_groups(LINE, frame, by="site", x="t", y="y")
        assert found["t"].notna().tolist() == [False, True, True]

    def test_all_fail(self):
        frame = lines(2).assign(y=np.nan)
        with pytest.warns(ConvergenceWarning, match="2 of 2 groups have no answer"):
            found = fit_groups(LINE, frame, by="site", x="t", y="y")
        assert list(found.columns) == ["site", *STATISTICS]

    def test_bounds_are_told(self):
        frame = peaks(2)
        model = NonlinearLSQ("p1 + p2*exp(-((x - p3)/p4)**2)", bounds={"p1": (1.0, None)})
        found = fit_groups(model, frame, by="k", x="x", y="y", sigma="s")
        assert found["status"].str.endswith("At a bound: p1.").all()
        assert found["p1_std"].isna().all()


class TestSpeed:
    def test_a_thousand_lines_are_faster_than_a_loop_of_pandas(self):
        """Three times as fast as NumPy's own line inside `groupby.apply`; here: faster at all."""
        frame = lines(1000)

        def polyfit(part):
            coef, _ = np.polyfit(part["t"], part["y"], 1, w=1.0 / part["s"], cov="unscaled")
            return pd.Series(coef)

        def seconds(function):
            start = time.perf_counter()
            function()
            return time.perf_counter() - start

        ours = min(
            seconds(lambda: fit_groups(LINE, frame, by="site", x="t", y="y", sigma="s"))
            for _ in range(2)
        )
        loop = min(
            seconds(lambda: frame.groupby("site")[["t", "y", "s"]].apply(polyfit)) for _ in range(2)
        )
        assert ours < loop


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"by": "place"}, "`by` must name columns of the table: site, t, y, s. Got 'place'"),
            ({"x": ["t", "u"]}, "`x` must name columns of the table: site, t, y, s. Got 'u'"),
            ({"y": "z"}, "`y` must name columns of the table"),
            ({"sigma": "err"}, "`sigma` must name columns of the table"),
            ({"x": []}, "`x` must name at least one column"),
            ({"by": ["site", "site"]}, "`by` must name a column once. Got 'site' twice"),
            ({"x": "name"}, "`x` must name a column of numbers. Got 'name'"),
            ({"sigma": -1.0}, "`sigma` must be positive and finite. Got -1"),
        ],
    )
    def test_columns(self, changes, message):
        frame = lines()
        if changes.get("x") == "name":
            frame["name"] = "a"
        arguments = {"by": "site", "x": "t", "y": "y"} | changes
        with pytest.raises(ValueError, match=message):
            fit_groups(LINE, frame, **arguments)

    def test_columns_are_checked_before_anything_is_fitted(self):
        with pytest.raises(ValueError, match="`sigma` must name columns"):
            fit_groups("no estimator", lines(), by="site", x="t", y="y", sigma="err")

    def test_no_frame(self):
        with pytest.raises(TypeError, match=r"`frame` must be a pandas DataFrame\. Got dict"):
            fit_groups(LINE, {"a": [1.0]}, by="a", x="a", y="a")

    def test_no_rows(self):
        with pytest.raises(ValueError, match=r"`frame` must have rows with a key\. Got none"):
            fit_groups(LINE, lines().iloc[:0], by="site", x="t", y="y")

    def test_estimator_without_errors(self):
        with pytest.raises(TypeError, match="`estimator` must publish parameters with errors"):
            fit_groups(LinearRegression(), lines(), by="site", x="t", y="y")

    def test_names_that_collide(self):
        frame = lines().rename(columns={"site": "dof"})
        with pytest.raises(ValueError, match="must not be named like another column of the result"):
            fit_groups(LINE, frame, by="dof", x="t", y="y")

    def test_no_warning_of_single_fits_comes_through(self):
        frame = lines(4, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit_groups(LINE, frame, by="site", x="t", y="y")
