"""Leave-one-out against statsmodels, scikit-learn, and refits."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from sklsq import (
    DesignMatrixRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    RankWarning,
    WeightedLinearFit,
    leave_one_out,
)
from sklsq.basis import Polynomial
from sklsq.datasets import load_filip, load_gaussian_peak, load_pearson_york, load_pion_plus
from sklsq.inference.fitted_values import last_step
from sklsq.inference.part_of_rows import check_targets, fit_quietly, take

ROUNDING = 1e-10
ITERATED = 1e-7  # minima of nonlinear fits agree to the square root of what χ² resolves
GAUSSIAN = "p1 + p2*exp(-((x - p3)/p4)**2)"


def scattered(n=20, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 6.0, (n, 1))
    sigma = rng.uniform(0.1, 0.4, n)
    return x, 1.0 + 2.0 * x[:, 0] + sigma * rng.standard_normal(n), sigma


def by_hand(estimator, x, y, sigma):
    """One fit after the other: predictions, pulls and parameters."""
    n = len(y)
    prediction, pull, params = np.empty(n), np.empty(n), []
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        errors = {} if sigma is None else {"sigma": sigma[rest]}
        fit = clone(estimator).fit(x[rest], y[rest], **errors)
        mean, std = fit.predict(x[[i]], return_std=True)
        own = 1.0 if sigma is None else sigma[i]
        scale = 1.0 if fit.absolute_sigma_ else fit.reduced_chi2_
        prediction[i] = mean[0]
        pull[i] = (y[i] - mean[0]) / np.sqrt(std[0] ** 2 + scale * own**2)
        params.append(fit.params_)
    return prediction, pull, np.array(params)


@pytest.mark.parametrize("weighted", [True, False])
def test_statsmodels_has_the_same_influence(weighted):
    x, y, sigma = scattered()
    A = sm.add_constant(x)
    root = 1.0 / sigma if weighted else np.ones_like(y)
    influence = sm.OLS(y * root, A * root[:, None]).fit().get_influence()
    fit = WeightedLinearFit(absolute_sigma=False)
    frame = leave_one_out(fit, x, y, sigma=sigma if weighted else None)
    np.testing.assert_allclose(frame["residual"] * root, influence.resid_press, rtol=ROUNDING)
    np.testing.assert_allclose(frame["pull"], influence.resid_studentized_external, rtol=ROUNDING)
    np.testing.assert_allclose(frame["leverage"], influence.hat_matrix_diag, rtol=ROUNDING)
    np.testing.assert_allclose(frame["cooks_distance"], influence.cooks_distance[0], rtol=ROUNDING)
    np.testing.assert_allclose(
        frame[["dfbetas intercept", "dfbetas x"]], influence.dfbetas, rtol=1e-8, atol=ROUNDING
    )
    assert frame.attrs["loo_chi2"] == pytest.approx((influence.resid_press**2).sum())


def test_scikit_learn_has_the_same_predictions():
    x, y, _ = scattered()
    frame = leave_one_out(WeightedLinearFit(), x, y)
    others = cross_val_predict(LinearRegression(), x, y, cv=LeaveOneOut())
    np.testing.assert_allclose(frame["prediction"], others, rtol=ROUNDING)
    np.testing.assert_allclose(frame["y"] - frame["prediction"], frame["residual"])
    plain = leave_one_out(LinearRegression(), x, y)
    np.testing.assert_allclose(plain["prediction"], others, rtol=ROUNDING)
    assert plain["pull"].isna().all()


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(
    "estimator",
    [
        WeightedLinearFit(),
        WeightedLinearFit(fit_intercept=False),
        DesignMatrixRegressor(["1", "sqrt(x)"]),
        DesignMatrixRegressor(Polynomial(3)),
        DesignMatrixRegressor(SplineTransformer(n_knots=3, extrapolation="linear")),
        WeightedLinearFit(absolute_sigma=True),
    ],
    ids=lambda estimator: repr(estimator)[:40],
)
@pytest.mark.filterwarnings("ignore:.*asked for values outside the data")
def test_the_formula_is_the_refit(estimator, weighted):
    x, y, sigma = scattered()
    given = sigma if weighted else None
    frame = leave_one_out(estimator, x, y, sigma=given)
    prediction, pull, params = by_hand(estimator, x, y, given)
    np.testing.assert_allclose(frame["prediction"], prediction, rtol=1e-8)
    np.testing.assert_allclose(frame["pull"], pull, rtol=1e-7)
    full = clone(estimator).fit(x, y, **({"sigma": sigma} if weighted else {}))
    if full.absolute_sigma_:
        changes = (full.params_ - params) / full.params_std_
        names = [f"dfbetas {name}" for name in full.param_names_]
        np.testing.assert_allclose(frame[names], changes, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("weighted", [True, False])
def test_the_batch_of_a_nonlinear_fit_is_the_loop(weighted):
    data = load_gaussian_peak()
    x, y = data.X.to_numpy(), data.y_values.to_numpy()
    sigma = np.linspace(0.2, 0.3, len(y)) if weighted else None
    model = NonlinearLSQ(GAUSSIAN, p0=[1.0, 8.0, 5.0, 2.0])
    frame = leave_one_out(model, x, y, sigma=sigma)
    prediction, pull, params = by_hand(model, x, y, sigma)
    np.testing.assert_allclose(frame["prediction"], prediction, rtol=ITERATED)
    np.testing.assert_allclose(frame["pull"], pull, rtol=1e-5, atol=1e-6)
    full = clone(model).fit(x, y, **({} if sigma is None else {"sigma": sigma}))
    if weighted:
        changes = (full.params_ - params) / full.params_std_
        names = [f"dfbetas {name}" for name in full.param_names_]
        np.testing.assert_allclose(frame[names], changes, atol=1e-5)


def test_a_linear_formula_and_a_nonlinear_batch_agree():
    x, y, sigma = scattered()
    for given in (sigma, 0.3, None):
        linear = leave_one_out(WeightedLinearFit(), x, y, sigma=given)
        batch = leave_one_out(NonlinearLSQ("intercept + slope*x"), x, y, sigma=given)
        batch.columns = linear.columns
        np.testing.assert_allclose(batch, linear, rtol=1e-6, atol=1e-8)
        assert batch.attrs["loo_chi2"] == pytest.approx(linear.attrs["loo_chi2"])


def test_fixed_tied_and_known_beforehand():
    data = load_gaussian_peak()
    model = NonlinearLSQ(
        GAUSSIAN, fixed={"p1": 0.5}, tied={"p4": "p2/10"}, priors={"p3": (4.5, 0.01)}
    )
    frame = leave_one_out(model, data.X, data.y_values, sigma=0.25)
    assert np.isfinite(frame).all(axis=None)
    assert (frame["dfbetas p1"] == 0.0).all()
    np.testing.assert_allclose(frame["dfbetas p4"], frame["dfbetas p2"], atol=1e-8)


def test_errors_in_both_coordinates():
    data = load_pearson_york()
    errors = {"sigma": data.sigma_values, "sigma_x": data.sigma_x_values}
    frame = leave_one_out(OrthogonalRegression(), data.X, data.y_values, **errors)
    line = OrthogonalRegression().fit(data.X, data.y_values, **errors)
    assert frame.attrs["chi2"] == pytest.approx(line.chi2_, rel=1e-9)
    assert frame.attrs["loo_chi2"] > line.chi2_
    rest = np.delete(np.arange(10), 4)
    without = OrthogonalRegression().fit(
        data.X.iloc[rest],
        data.y_values.iloc[rest],
        **{name: value.iloc[rest] for name, value in errors.items()},
    )
    (mean,), (std,) = without.predict(data.X.iloc[[4]], return_std=True)
    assert frame["prediction"][4] == pytest.approx(mean, rel=ROUNDING)
    spread = np.sqrt(std**2 + errors["sigma"][4] ** 2 + (line.coef_[0] * errors["sigma_x"][4]) ** 2)
    assert frame["pull"][4] == pytest.approx((data.y_values[4] - mean) / spread, rel=ROUNDING)


def test_a_pipeline_is_fitted_anew_to_the_others():
    data = load_pion_plus()
    plain = leave_one_out(WeightedLinearFit(), data.X, data.y_values, sigma=data.sigma_values)
    pipe = make_pipeline(StandardScaler(), WeightedLinearFit())
    scaled = leave_one_out(pipe, data.X, data.y_values, sigma=data.sigma_values)
    np.testing.assert_allclose(scaled, plain[scaled.columns], rtol=1e-8)
    assert not [name for name in scaled if name.startswith("dfbetas")]


def test_filip_keeps_its_digits():
    data = load_filip()
    frame = leave_one_out(DesignMatrixRegressor(Polynomial(10)), data.X, data.y_values)
    assert frame["leverage"].sum() == pytest.approx(11.0, rel=1e-9)
    x = data.X.to_numpy()[:, 0]
    u = 2 * (x - x.min()) / np.ptp(x) - 1
    Q, _ = np.linalg.qr(np.polynomial.chebyshev.chebvander(u, 10))
    y = data.y_values.to_numpy()
    press = (y - Q @ (Q.T @ y)) / (1 - np.square(Q).sum(axis=1))
    np.testing.assert_allclose(frame["residual"], press, rtol=1e-6, atol=1e-12)


def test_pulls_are_standard_normal_where_errors_are_known():
    rng = np.random.default_rng(8)
    inside = n = 0
    for seed in range(60):
        x, _, sigma = scattered(seed=seed)
        y = 1.0 + 2.0 * x[:, 0] + sigma * rng.standard_normal(20)
        pull = leave_one_out(WeightedLinearFit(), x, y, sigma=sigma)["pull"]
        inside, n = inside + (pull.abs() < 1.0).sum(), n + 20
    assert abs(inside - 0.6827 * n) / np.sqrt(n * 0.6827 * 0.3173) < 4  # nearly independent


def test_a_lonely_point_is_named():
    x = np.array([[0.0], [0.0], [0.0], [1.0]])
    y = np.array([1.0, 1.2, 0.9, 5.0])
    for estimator in (WeightedLinearFit(), NonlinearLSQ("a + b*x", p0=[1.0, 1.0], start="p0")):
        with pytest.warns(RankWarning, match=r"Without row 3 \(1 of 4\) the other points"):
            frame = leave_one_out(estimator, x, y, sigma=0.1)
        assert frame["prediction"].isna().tolist() == [False, False, False, True]
        assert frame["leverage"][3] == pytest.approx(1.0)
        assert np.isnan(frame.attrs["loo_chi2"])
        assert frame["prediction"][0] == pytest.approx(1.05)


@pytest.mark.filterwarnings("ignore:There are no degrees of freedom left")
def test_without_spare_points_scaled_pulls_are_nan():
    x, y = np.array([[0.0], [1.0], [3.0]]), np.array([0.0, 1.0, 2.0])
    for estimator in (WeightedLinearFit(), NonlinearLSQ("a + b*x")):
        frame = leave_one_out(estimator, x, y)
        assert frame["pull"].isna().all()
        np.testing.assert_allclose(frame["prediction"], [0.5, 2 / 3, 3.0])


def test_rows_keep_their_labels_and_inputs_their_values():
    data = load_pion_plus()
    X, sigma = data.X.set_axis(list("abcdefghij")), data.sigma_values.set_axis(list("abcdefghij"))
    y = data.y_values.set_axis(X.index)
    estimator = WeightedLinearFit()
    before = X.copy()
    frame = leave_one_out(estimator, X, y, sigma=sigma)
    assert frame.index.tolist() == list("abcdefghij")
    pd.testing.assert_frame_equal(X, before)
    assert not hasattr(estimator, "params_")


def test_bad_input_is_refused():
    x, y, sigma = scattered()
    with pytest.raises(ValueError, match=r"`y` must be one-dimensional\. Got shape"):
        leave_one_out(WeightedLinearFit(), x, np.c_[y, y])
    with pytest.raises(ValueError, match="`sigma` must be a number or one value per row"):
        leave_one_out(WeightedLinearFit(), x, y, sigma=np.diag(sigma**2))
    with pytest.raises(ValueError, match="`sigma` must be positive"):
        leave_one_out(WeightedLinearFit(), x, y, sigma=-1.0)
    with pytest.raises(ValueError, match="`y` must have one value for each of the 20 rows of X"):
        leave_one_out(WeightedLinearFit(), x, y[:5])


def test_parts_of_rows():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    assert take(frame, [0, 2], 3)["x"].tolist() == [1.0, 3.0]
    assert take([1.0, 2.0, 3.0], [1], 3).tolist() == [2.0]
    assert take(0.5, [1], 3) == 0.5
    assert take([[0.5]], [1], 3) == [[0.5]]
    assert check_targets([[1], [2]], pd.Series([1, 2]), {"sigma": None}).tolist() == [1.0, 2.0]
    fit = fit_quietly(WeightedLinearFit(), frame, np.array([1.0, 2.0, 5.0]), {}, [0, 1])
    assert last_step(fit).coef_ == pytest.approx([1.0])


def test_refits_of_a_pipeline_begin_at_the_full_fit():
    x = np.linspace(0.0, 10.0, 25)
    y = 3.0 * np.exp(-(((x - 4.5) / 1.2) ** 2)) + 0.1 * np.random.default_rng(1).normal(size=25)
    starts = []

    class Watched(NonlinearLSQ):
        def fit(self, X, y, sample_weight=None, *, sigma=None):
            starts.append(self.p0)
            return super().fit(X, y, sample_weight, sigma=sigma)

    far = {"h": 1.0, "c": 40.0, "w": 1.0}
    model = make_pipeline(StandardScaler(), Watched("h*exp(-((x0 - c)/w)**2)", p0=far))
    model.fit(x[:, None], y)
    starts.clear()
    found = leave_one_out(model, x[:, None], y)
    assert len(starts) >= 25
    assert all(start["c"] != 40.0 for start in starts[-25:])
    assert np.isfinite(found.prediction).all()
