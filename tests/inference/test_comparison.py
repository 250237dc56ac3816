"""Comparison of models against statsmodels, lmfit, and what chance would do."""

import lmfit
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklsq import (
    DesignMatrixRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    WeightedLinearFit,
    compare_models,
    leave_one_out,
)
from sklsq.basis import Polynomial
from sklsq.datasets import load_pion_plus
from sklsq.inference.nesting import is_nested

ROUNDING = 1e-9
MODELS = {
    "constant": DesignMatrixRegressor(["1"]),
    "line": WeightedLinearFit(),
    "parabola": DesignMatrixRegressor(["1", "x", "x**2"]),
    "root": DesignMatrixRegressor(["1", "sqrt(x)"]),
}


def problem(n=20, seed=0):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.5, 5.0, n))[:, None]
    sigma = rng.uniform(0.2, 0.5, n)
    return x, 1.0 + 0.5 * x[:, 0] + sigma * rng.standard_normal(n), sigma


def design(x):
    return {
        "constant": x**0,
        "line": x ** np.arange(2),
        "parabola": x ** np.arange(3),
        "root": np.c_[x**0, np.sqrt(x)],
    }


# The criteria -----------------------------------------------------------------------------------


def test_statsmodels_has_the_same_criteria_but_for_constants():
    x, y, _ = problem()
    n = len(y)
    frame = compare_models(MODELS, x, y)
    for name, A in design(x).items():
        other, row = sm.OLS(y, A).fit(), frame.loc[name]
        constant = n * (np.log(2 * np.pi) + 1)  # and σ counts as a parameter here
        assert row["AIC"] == pytest.approx(other.aic - constant + 2, rel=ROUNDING)
        assert row["BIC"] == pytest.approx(other.bic - constant + np.log(n), rel=ROUNDING)
        assert row["chi2"] == pytest.approx(other.ssr, rel=ROUNDING)
        assert row["dof"] == other.df_resid
        k = A.shape[1] + 1
        corrected = row["AIC"] + 2 * k * (k + 1) / (n - k - 1)
        assert row["AICc"] == pytest.approx(corrected, rel=ROUNDING)
    assert frame["p_value"].isna().all()


def test_lmfit_has_the_same_criteria_but_for_constants():
    x, y, _ = problem()
    frame = compare_models({"decay": NonlinearLSQ("a*exp(k*x)"), **MODELS}, x, y)
    model = lmfit.models.ExpressionModel("a*exp(k*x)")
    other = model.fit(y, x=x[:, 0], a=1.0, k=0.2)
    row, n = frame.loc["decay"], len(y)
    assert row["AIC"] == pytest.approx(other.aic + 2, rel=1e-6)
    assert row["BIC"] == pytest.approx(other.bic + np.log(n), rel=1e-6)


def test_known_errors_leave_chi2_and_a_penalty():
    x, y, sigma = problem()
    frame = compare_models(MODELS, x, y, sigma=sigma)
    m = frame["n_params"].astype(float)
    np.testing.assert_allclose(frame["AIC"], frame["chi2"] + 2 * m)
    np.testing.assert_allclose(frame["AICc"], frame["AIC"])
    np.testing.assert_allclose(frame["BIC"], frame["chi2"] + np.log(20) * m)
    np.testing.assert_allclose(
        frame["p_value"], stats.chi2.sf(frame["chi2"], frame["dof"].astype(float))
    )
    np.testing.assert_allclose(frame["reduced_chi2"] * frame["dof"].astype(float), frame["chi2"])


def test_aic_of_known_errors_is_unbiased_for_few_data():
    rng = np.random.default_rng(5)
    x, n, repeats = np.linspace(1.0, 2.0, 6)[:, None], 6, 150
    models = {"parabola": MODELS["parabola"]}
    bias = np.empty(repeats)
    for i in range(repeats):
        y, new = x[:, 0] ** 2 + 0.1 * rng.standard_normal((2, n))
        row = compare_models(models, x, y, sigma=0.1, loo=False).iloc[0]
        values = DesignMatrixRegressor(["1", "x", "x**2"]).fit(x, y, sigma=0.1).predict(x)
        bias[i] = np.square((new - values) / 0.1).sum() - row["AICc"]
    assert abs(bias.mean()) / (bias.std() / np.sqrt(repeats)) < 4


def test_weights_and_order():
    x, y, sigma = problem()
    frame = compare_models(MODELS, x, y, sigma=sigma)
    assert frame["AICc"].is_monotonic_increasing
    assert frame["delta"].iloc[0] == 0.0
    likelihood = np.exp(-(frame["AICc"] - frame["AICc"].min()) / 2)
    np.testing.assert_allclose(frame["weight"], likelihood / likelihood.sum())
    shuffled = compare_models(dict(reversed(MODELS.items())), x, y, sigma=sigma)
    pd.testing.assert_frame_equal(frame, shuffled)
    assert frame.attrs == shuffled.attrs


def test_units_do_not_matter():
    x, y, sigma = problem()
    for given, scaled in ((None, None), (sigma, 1e6 * sigma)):
        frame = compare_models(MODELS, x, y, sigma=given)
        other = compare_models(MODELS, x, 1e6 * y, sigma=scaled)
        columns = ["delta", "weight", "p_extra"]
        np.testing.assert_allclose(frame[columns], other[columns], rtol=1e-6)


# What was left out ------------------------------------------------------------------------------


def test_leaving_out_is_leave_one_out_and_folds():
    x, y, sigma = problem()
    folds = KFold(5, shuffle=True, random_state=1)
    models = MODELS | {"nonlinear": NonlinearLSQ("a + b*x")}
    frame = compare_models(models, x, y, sigma=sigma, cv=folds)
    for name, model in models.items():
        left_out = leave_one_out(model, x, y, sigma=sigma)
        assert frame.loc[name, "loo_chi2"] == pytest.approx(left_out.attrs["loo_chi2"])
    A, total = design(x)["line"], 0.0
    for train, test in folds.split(x):
        fit = sm.WLS(y[train], A[train], weights=1 / sigma[train] ** 2).fit()
        total += np.square((y[test] - fit.predict(A[test])) / sigma[test]).sum()
    assert frame.loc["line", "cv_chi2"] == pytest.approx(total)
    assert frame.loc["nonlinear", "cv_chi2"] == pytest.approx(total, rel=1e-6)
    assert "loo_chi2" not in compare_models(models, x, y, loo=False)


# Tests ------------------------------------------------------------------------------------------


def test_the_f_test_of_statsmodels():
    x, y, _ = problem()
    frame = compare_models(MODELS, x, y)
    fits = {name: sm.OLS(y, A).fit() for name, A in design(x).items()}
    for larger, smaller in (("line", "constant"), ("parabola", "line"), ("root", "constant")):
        assert frame.loc[larger, "against"] == smaller
        _, p, _ = fits[larger].compare_f_test(fits[smaller])
        assert frame.loc[larger, "p_extra"] == pytest.approx(p, rel=1e-6)
    assert frame["against"].isna().sum() == 1


def test_known_errors_are_tested_by_chi2():
    x, y, sigma = problem()
    frame = compare_models(MODELS, x, y, sigma=sigma)
    fall = frame.loc["line", "chi2"] - frame.loc["parabola", "chi2"]
    assert frame.loc["parabola", "delta_chi2"] == pytest.approx(fall)
    assert frame.loc["parabola", "p_extra"] == pytest.approx(stats.chi2.sf(fall, 1))


@pytest.mark.parametrize("known", [True, False])
def test_a_useless_parameter_is_let_through_as_often_as_stated(known):
    n, alarms = 150, 0
    models = {name: MODELS[name] for name in ("line", "parabola")}
    for seed in range(n):
        x, y, sigma = problem(8, seed)
        frame = compare_models(models, x, y, sigma=sigma if known else None, loo=False)
        alarms += frame.loc["parabola", "p_extra"] < 0.1
    if known:
        assert abs(alarms - 0.1 * n) / np.sqrt(n * 0.1 * 0.9) < 4
    else:  # σ differs from point to point and the fit does not know: the level is rough
        assert 0.05 * n < alarms < 0.2 * n


def test_nesting_is_seen_in_the_columns():
    x, y, sigma = problem()
    fits = {name: model.fit(x, y) for name, model in MODELS.items()}
    centred = DesignMatrixRegressor(["1", "(x - 3)**2", "4*x"]).fit(x, y)
    assert is_nested(fits["line"], centred, x, sigma)
    assert is_nested(centred, fits["parabola"], x)
    assert is_nested(fits["line"], DesignMatrixRegressor(Polynomial(9)).fit(x, y), x)
    assert not is_nested(fits["root"], fits["parabola"], x)
    assert not is_nested(fits["parabola"], fits["line"], x)
    assert not is_nested(fits["line"], NonlinearLSQ("a + b*x + c*x**2").fit(x, y), x)


def test_nonlinear_models_are_nested_if_the_user_says_so():
    x, y, _ = problem()
    models = {
        "line": NonlinearLSQ("a + b*x"),
        "power": NonlinearLSQ("a + b*x**c", p0=[1.0, 0.5, 1.0]),
    }
    found = compare_models(models, x, y, sigma=0.35)
    assert found["against"].isna().all()
    said = compare_models(models, x, y, sigma=0.35, nested=True)
    fall = said.loc["line", "chi2"] - said.loc["power", "chi2"]
    assert said.loc["power", "p_extra"] == pytest.approx(stats.chi2.sf(fall, 1))
    assert compare_models(MODELS, x, y, nested=False)["p_extra"].isna().all()
    pairs = compare_models(MODELS | models, x, y, sigma=0.35, nested={"power": "constant"})
    assert pairs["against"].dropna().to_dict() == {"power": "constant"}


def test_a_larger_model_that_fits_worse_is_no_test():
    x, y, _ = problem()
    models = {
        "line": WeightedLinearFit(),
        "wave": NonlinearLSQ("a*sin(9*x) + b*cos(9*x) + c*sin(8*x)"),
    }
    frame = compare_models(models, x, y, nested=True)
    assert frame.loc["wave", "chi2"] > frame.loc["line", "chi2"]
    assert np.isnan(frame.loc["wave", "p_extra"])


# What cannot be compared ------------------------------------------------------------------------


def test_models_that_fail_are_flagged_rows():
    x, y, _ = problem()
    models = MODELS | {
        "impossible": NonlinearLSQ("a*log(-x)"),
        "wide": NonlinearLSQ("a*x0 + b*x1"),
        "perpendicular": OrthogonalRegression(),
        "robust": NonlinearLSQ("a + b*x", loss="cauchy", f_scale=0.1),
        "foreign": LinearRegression(),
    }
    models = dict(reversed(models.items()))
    frame = compare_models(models, x, y, sigma=0.3, cv=3)
    flagged = frame.loc[["impossible", "wide", "perpendicular", "robust", "foreign"]]
    assert flagged[["chi2", "AICc", "weight", "loo_chi2", "cv_chi2"]].isna().all(axis=None)
    assert "Not converged" in frame.loc["impossible", "status"]
    assert frame.loc["wide", "status"].startswith("ValueError: ")
    assert "not minimise the chi2 of all y alone" in frame.loc["perpendicular", "status"]
    assert "unexpected keyword argument 'sigma'" in frame.loc["foreign", "status"]
    without = compare_models([LinearRegression()], x, y)
    assert without["status"].str.startswith("It does not publish chi2_ and dof_").all()
    assert (frame.loc[list(MODELS), "status"] == "ok").all()
    assert frame.index[:4].isin(MODELS).all()
    assert list(frame)[-6:] == [
        "loo_chi2", "cv_chi2", "against", "delta_chi2", "p_extra", "status",
    ]  # fmt: skip
    assert "Not compared: " in frame.attrs["verdict"]
    nothing = compare_models({"impossible": models["impossible"]}, x, y)
    assert nothing.attrs["verdict"] == "No model could be fitted: see `status`."


def test_warnings_of_a_fit_are_its_status():
    x, y, _ = problem()
    models = {"twice": DesignMatrixRegressor(["1", "x", "2*x"]), "line": WeightedLinearFit()}
    frame = compare_models(models, x, y, sigma=0.35)
    assert "determine only 2 of 3" in frame.loc["twice", "status"]
    assert frame.loc["twice", "n_params"] == 2
    assert frame.loc["twice", "AICc"] == pytest.approx(frame.loc["line", "AICc"])


def test_an_exact_fit_and_too_many_parameters():
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    y = np.array([0.0, 1.0, 0.5, 2.0])
    models = {f"degree {d}": DesignMatrixRegressor([f"x**{j}" for j in range(d + 1)])
              for d in (1, 2)}  # fmt: skip
    frame = compare_models(models, x, y)
    assert frame["AICc"].tolist() == [np.inf, np.inf]
    assert "has too many parameters for the data" in frame.attrs["verdict"]


def test_a_pipeline_takes_part():
    x, y, sigma = problem()
    models = {
        "plain": WeightedLinearFit(),
        "scaled": make_pipeline(StandardScaler(), WeightedLinearFit()),
    }
    frame = compare_models(models, x, y, sigma=sigma, cv=4)
    columns = ["chi2", "AICc", "loo_chi2", "cv_chi2", "weight"]
    np.testing.assert_allclose(frame.loc["plain", columns].astype(float),
                               frame.loc["scaled", columns].astype(float))  # fmt: skip


# What it says -----------------------------------------------------------------------------------


def test_the_pions_are_no_line():
    data = load_pion_plus()
    models = {
        "line": WeightedLinearFit(),
        "parabola": DesignMatrixRegressor(["1", "inverse_energy", "inverse_energy**2"]),
    }
    frame = compare_models(models, data.X, data.y_values, sigma=data.sigma_values)
    assert frame.index.tolist() == ["parabola", "line"]
    assert frame.loc["parabola", "p_extra"] < 1e-4
    assert frame.attrs["verdict"] == (
        "parabola is preferred (weight 1); next is line, AICc higher by 16.7."
    )


def test_the_verdict_knows_doubt():
    x, y, sigma = problem()
    close = compare_models(MODELS, x, y, sigma=sigma)
    assert "the data cannot tell it from" in close.attrs["verdict"]
    poor = compare_models(MODELS, x, y, sigma=sigma / 5)
    assert "does not describe the data (p = " in poor.attrs["verdict"]
    generous = compare_models(MODELS, x, y, sigma=5 * sigma)
    assert "sigma is too large" in generous.attrs["verdict"]
    assert compare_models([WeightedLinearFit()], x, y).attrs["verdict"].startswith("Only Weigh")


def test_lists_of_models():
    x, y, _ = problem()
    frame = compare_models([WeightedLinearFit(), DesignMatrixRegressor(["1"])], x, y)
    assert set(frame.index) == {"WeightedLinearFit()", "DesignMatrixRegressor(basis=['1'])"}
    pairs = compare_models(list(MODELS.items()), x, y)
    pd.testing.assert_frame_equal(pairs, compare_models(MODELS, x, y))


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        ([], ValueError, "`models` must hold at least one model"),
        (3, TypeError, "`models` must be a dict or list of estimators. Got 3"),
        ({"a": 3}, TypeError, "`models` must be estimators. Got 3 as 'a'"),
        ([WeightedLinearFit()] * 2, ValueError, "`models` must have different names"),
        (
            {"a": WeightedLinearFit(), "b": WeightedLinearFit(absolute_sigma=False)},
            ValueError,
            "`models` must agree on whether errors are absolute",
        ),
    ],
)
def test_bad_models_are_refused(models, error, message):
    x, y, _ = problem()
    with pytest.raises(error, match=message):
        compare_models(models, x, y, sigma=0.3)


def test_bad_data_are_refused():
    x, y, sigma = problem()
    with pytest.raises(ValueError, match=r"`y` must be one-dimensional\. Got shape"):
        compare_models(MODELS, x, np.c_[y, y])
    with pytest.raises(ValueError, match=r"`nested` must name models: .* Got 'cubic'"):
        compare_models(MODELS, x, y, nested={"cubic": "line"})
    with pytest.raises(TypeError, match="`nested` must be a dict of names, a bool or None"):
        compare_models(MODELS, x, y, nested="line")
    with pytest.raises(ValueError, match=r"`sigma` must be a number or have shape \(20,\)"):
        compare_models(MODELS, x, y, sigma=sigma[:5])
    with pytest.raises(ValueError, match="`sigma` must be a number or one value per row"):
        compare_models(MODELS, x, y, sigma=np.diag(sigma))


@pytest.mark.parametrize("unit", [1.0, 1e8, 1e-8])
def test_exact_fits_are_compared(unit):
    """Data without errors, whose χ² is that of rounding, are data all the same."""
    x = np.linspace(0.0, 10.0, 30)[:, None]
    y = unit * (1.0 + 2.0 * x[:, 0])
    models = {"line": WeightedLinearFit(), "parabola": DesignMatrixRegressor(["1", "x", "x**2"])}
    known = compare_models(models, x, y, sigma=0.3 * unit)
    assert (known["status"] == "ok").all()
    assert list(known.index) == ["line", "parabola"]
    assert known["AICc"].tolist() == pytest.approx([4.0, 6.0])
    assert known.loc["parabola", "p_extra"] == pytest.approx(1.0)
    unknown = compare_models(models, x, y)
    assert unknown["AICc"].tolist() == [-np.inf, -np.inf]
    assert unknown.index[0] == "line"
    assert np.isnan(unknown.loc["parabola", "p_extra"])
    assert "fits exactly" in unknown.attrs["verdict"]


def test_as_many_parameters_as_points():
    x, y = np.array([[0.0], [1.0], [3.0]]), np.array([1.0, 2.1, 3.4])
    models = {"line": WeightedLinearFit(), "parabola": DesignMatrixRegressor(["1", "x", "x**2"])}
    frame = compare_models(models, x, y, sigma=0.1)
    assert frame.loc["parabola", "chi2"] == pytest.approx(0.0, abs=1e-20)
    assert frame.loc["parabola", "delta_chi2"] == pytest.approx(frame.loc["line", "chi2"])


def test_nested_the_wrong_way_round():
    x, y, sigma = problem()
    models = {"line": WeightedLinearFit(), "parabola": DesignMatrixRegressor(["1", "x", "x**2"])}
    with pytest.raises(ValueError, match="`nested` must lead from the larger model to the smaller"):
        compare_models(models, x, y, sigma=sigma, nested={"line": "parabola"})


def test_data_that_no_model_could_take_are_an_error():
    x, y, sigma = problem()
    with pytest.raises(ValueError, match=r"`y` must be finite. Got nan in row 2"):
        compare_models([WeightedLinearFit()], x, np.where(np.arange(len(y)) == 2, np.nan, y))
    frame = pd.DataFrame({"x": np.ravel(x)})
    with pytest.raises(ValueError, match="`sigma` must have the same index as `X`"):
        compare_models([WeightedLinearFit()], frame, y, sigma=pd.Series(sigma)[::-1])


def test_a_search_is_left_out_of_like_its_best_estimator():
    x, y, sigma = problem()
    search = GridSearchCV(DesignMatrixRegressor(["1", "x"]), {"rcond": [None]}, cv=3)
    frame = compare_models({"search": search, "line": WeightedLinearFit()}, x, y, sigma=sigma)
    assert frame.loc["search", "loo_chi2"] == pytest.approx(frame.loc["line", "loo_chi2"])
