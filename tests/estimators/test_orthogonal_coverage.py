"""Intervals of lines with errors in x hold the truth as often as they say."""

import numpy as np
import pytest

from sklsq import OrthogonalRegression

DATA_SETS = 800
CHANCE = 4.0  # standard deviations of the binomial law
LEVELS = (0.6827, 0.95)
INTERCEPT, SLOPE = 1.0, 1.5
N = 25


def share_is_right(inside, level):
    inside = np.asarray(inside)
    chance = CHANCE * np.sqrt(level * (1.0 - level) / len(inside))
    np.testing.assert_allclose(inside.mean(axis=0), level, rtol=0, atol=chance)


def held(interval, value):
    return (interval[..., 0] <= value) & (value <= interval[..., 1])


def known_parameters(model, level):
    """Whether the intervals hold intercept, the curve at zero, and slope, by its error."""
    (low, high), (value, std) = (
        model.predict_interval([[0.0]], level=level)[0],
        (model.intercept_, model.intercept_std_),
    )
    quantile = (high - low) / 2.0 / std
    assert low + high == pytest.approx(2.0 * value, abs=1e-9)
    slope, of_slope = model.coef_[0], model.coef_std_[0]
    return low <= INTERCEPT <= high, abs(slope - SLOPE) <= quantile * of_slope


def errors(seed, ratio=None):
    """Standard deviations of x and y, of fixed variance ratio if asked for."""
    rng = np.random.default_rng(seed)
    sigma_x = rng.uniform(0.1, 0.4, N) if ratio is None else np.full(N, 0.3)
    sigma = rng.uniform(0.2, 0.7, N) if ratio is None else np.sqrt(ratio) * sigma_x
    return sigma_x, sigma, rng.uniform(-0.8, 0.8, N) * (ratio is None)


def draws(seed, sigma_x, sigma, corr_xy, number=DATA_SETS):
    """Yield data sets of the same true points, with a point to be measured anew."""
    rng = np.random.default_rng(seed)
    true = np.linspace(0.0, 10.0, N)
    for _ in range(number):
        of_x, of_y = rng.normal(size=(2, N))
        of_y = corr_xy * of_x + np.sqrt(1.0 - corr_xy**2) * of_y
        x, y = true + sigma_x * of_x, INTERCEPT + SLOPE * true + sigma * of_y
        at = rng.uniform(0.0, 10.0)
        yield x[:, None], y, at, INTERCEPT + SLOPE * at + sigma[0] * rng.normal()


def check(fits):
    """Check parameters, prediction and inverse prediction over (model, at, new y, its sigma)."""
    parameters = {level: [] for level in LEVELS}
    new = {level: [] for level in LEVELS}
    back = {level: [] for level in LEVELS}
    for model, at, measured, sigma in fits:
        x, std = model.inverse_predict(measured, sigma=sigma)
        for level in LEVELS:
            parameters[level].append(known_parameters(model, level))
            interval = model.predict_interval([[at]], level=level, kind="prediction", sigma=sigma)
            new[level].append(held(interval[0], measured))
            half = (interval[0, 1] - interval[0, 0]) / 2.0  # holds the quantile of the fit
            _, of_y = model.predict(x[:, None], return_std=True)
            quantile = half / np.hypot(
                of_y[0], np.sqrt(std[0] ** 2 * model.coef_[0] ** 2 - of_y[0] ** 2)
            )
            back[level].append(abs(x[0] - at) <= quantile * std[0])
    for level in LEVELS:
        for inside in (parameters[level], new[level], back[level]):
            share_is_right(inside, level)


@pytest.mark.parametrize("correlated", [False, True])
def test_york_with_known_errors(correlated):
    sigma_x, sigma, corr_xy = errors(1)
    corr_xy *= correlated
    given = {"sigma": sigma, "sigma_x": sigma_x, "corr_xy": corr_xy}
    check(
        (OrthogonalRegression().fit(X, y, **given), at, new, sigma[0])
        for X, y, at, new in draws(11, sigma_x, sigma, corr_xy)
    )


def test_york_with_relative_errors():
    sigma_x, sigma, corr_xy = errors(2)
    given = {"sigma": 0.01 * sigma, "sigma_x": 0.01 * sigma_x, "corr_xy": corr_xy}
    parameters, new = {level: [] for level in LEVELS}, {level: [] for level in LEVELS}
    for X, y, at, measured in draws(12, sigma_x, sigma, corr_xy):
        model = OrthogonalRegression(absolute_sigma=False).fit(X, y, **given)
        for level in LEVELS:
            parameters[level].append(known_parameters(model, level))
            interval = model.predict_interval(
                [[at]], level=level, kind="prediction", sigma=0.01 * sigma[0]
            )
            new[level].append(held(interval[0], measured))
    for level in LEVELS:
        share_is_right(parameters[level], level)
        share_is_right(new[level], level)


@pytest.mark.parametrize("method", ["deming", "total"])
@pytest.mark.parametrize("absolute", [True, False], ids=["known", "by scatter"])
def test_ratio_of_the_errors_known(method, absolute):
    sigma_x, sigma, corr_xy = errors(3, ratio=2.0)
    given = {"sigma": sigma} if absolute else {}
    check(
        (
            OrthogonalRegression(method, error_ratio=2.0).fit(X, y, **given),
            at,
            new,
            sigma[0] if absolute else None,
        )
        for X, y, at, new in draws(13, sigma_x, sigma, corr_xy, 500)
    )


def test_major_axis():
    sigma_x, sigma, corr_xy = errors(4, ratio=1.0)
    check(
        (OrthogonalRegression("major_axis").fit(X, y), at, new, None)
        for X, y, at, new in draws(14, sigma_x, sigma, corr_xy)
    )


@pytest.mark.parametrize("method", ["reduced_major_axis", "bisector"])
def test_lines_of_a_normal_population(method):
    """What they estimate is a property of the distribution of x and y."""
    rng = np.random.default_rng(5)
    cov = np.array([[1.0, 1.2], [1.2, 2.25]])
    (xx, xy), (_, yy) = cov
    slope = np.sqrt(yy / xx)
    if method == "bisector":
        slope = np.tan((np.arctan(xy / xx) + np.arctan(yy / xy)) / 2.0)
    inside = {level: [] for level in LEVELS}
    for _ in range(DATA_SETS):
        x, y = rng.multivariate_normal([3.0, 2.0], cov, 40).T
        model = OrthogonalRegression(method).fit(x[:, None], y)
        for level in LEVELS:
            low, high = model.predict_interval([[0.0]], level=level)[0]
            quantile = (high - low) / 2.0 / model.intercept_std_
            inside[level].append(
                [
                    low <= 2.0 - slope * 3.0 <= high,
                    abs(model.coef_[0] - slope) <= quantile * model.coef_std_[0],
                ]
            )
    for level in LEVELS:
        share_is_right(inside[level], level)


def test_plane_with_errors_of_every_feature():
    rng = np.random.default_rng(6)
    true = rng.uniform(0.0, 10.0, (40, 2))
    truth = np.array([1.0, 2.0, -1.0])
    sigma_x, sigma = rng.uniform(0.1, 0.3, (40, 2)), rng.uniform(0.2, 0.6, 40)
    pulls = []
    for _ in range(400):
        X = true + sigma_x * rng.normal(size=(40, 2))
        y = truth[0] + true @ truth[1:] + sigma * rng.normal(size=40)
        model = OrthogonalRegression().fit(X, y, sigma=sigma, sigma_x=sigma_x)
        pulls.append((model.params_ - truth) / model.params_std_)
    share_is_right(np.abs(pulls) <= 1.0, 0.6827)
    share_is_right(np.abs(pulls) <= 1.96, 0.95)


def test_p_values_are_uniform():
    sigma_x, sigma, corr_xy = errors(7)
    given = {"sigma": sigma, "sigma_x": sigma_x, "corr_xy": corr_xy}
    p = [
        OrthogonalRegression().fit(X, y, **given).p_value_
        for X, y, _, _ in draws(17, sigma_x, sigma, corr_xy, 400)
    ]
    distance = np.abs(np.sort(p) - np.arange(1, 401) / 400).max()
    assert distance < 2.0 / np.sqrt(400)  # Kolmogorov: exceeded in one of 1,500


def test_known_variance_of_the_points_in_predictions():
    """With `sigma_x` the error of y at a measured x, whose truth is elsewhere."""
    sigma_x, sigma, corr_xy = errors(8)
    rng = np.random.default_rng(18)
    inside = []
    for X, y, at, _ in draws(18, sigma_x, sigma, corr_xy, 500):
        model = OrthogonalRegression().fit(X, y, sigma=sigma, sigma_x=sigma_x, corr_xy=corr_xy)
        mean, std = model.predict([[at + 0.5 * rng.normal()]], return_std=True, sigma_x=0.5)
        inside.append(abs(mean[0] - INTERCEPT - SLOPE * at) <= std[0])
    share_is_right(inside, 0.6827)


class TestIntrinsicScatter:
    def fits(self, scatter, number, n=80, **errors):
        rng = np.random.default_rng(9)
        sigma_x, sigma = rng.uniform(0.1, 0.3, n), rng.uniform(0.1, 0.5, n)
        true = np.linspace(0.0, 10.0, n)
        for _ in range(number):
            x = true + sigma_x * rng.normal(size=n)
            y = INTERCEPT + SLOPE * true + np.hypot(sigma, scatter) * rng.normal(size=n)
            given = {"sigma": sigma, "sigma_x": sigma_x} | errors
            yield OrthogonalRegression(intrinsic_scatter=True).fit(x[:, None], y, **given)

    def test_recovered_with_its_error(self):
        models = list(self.fits(0.8, 300))
        found = np.array([model.intrinsic_scatter_ for model in models])
        std = np.array([model.intrinsic_scatter_std_ for model in models])
        chance = CHANCE / np.sqrt(len(models))
        assert found.mean() == pytest.approx(0.8, abs=0.8 / 80 * 2.0 + chance * std.mean())
        assert found.std() == pytest.approx(std.mean(), rel=chance + 0.05)
        share_is_right(np.abs(found - 0.8) <= std, 0.6827)
        pulls = [(model.params_ - [INTERCEPT, SLOPE]) / model.params_std_ for model in models]
        share_is_right(np.abs(pulls) <= 1.0, 0.6827)

    def test_p_value_means_nothing(self):
        (model,) = self.fits(0.8, 1)
        assert np.isnan(model.p_value_)
        assert model.absolute_sigma_
        assert model.converged_
        assert model.reduced_chi2_ == pytest.approx(80 / 78, rel=0.02)

    def test_none(self):
        (model,) = self.fits(0.0, 1, sigma=2.0)
        assert model.intrinsic_scatter_ == 0.0
        assert np.isnan(model.intrinsic_scatter_std_)
        assert "already explain the scatter" in model.status_
        assert model.converged_
        (plain,) = self.fits(0.0, 1, sigma=2.0)
        np.testing.assert_array_equal(model.params_, plain.params_)

    def test_without_any_stated_error_it_is_the_scatter_of_y(self):
        rng = np.random.default_rng(10)
        x = rng.uniform(0.0, 5.0, 50)
        y = 1.0 + x + rng.normal(size=50)
        model = OrthogonalRegression(intrinsic_scatter=True).fit(x[:, None], y)
        slope, intercept = np.polyfit(x, y, 1)
        np.testing.assert_allclose(model.params_, [intercept, slope], rtol=1e-10)
        squares = np.mean((y - intercept - slope * x) ** 2)
        assert model.intrinsic_scatter_ == pytest.approx(np.sqrt(squares), rel=1e-10)

    @pytest.mark.parametrize("n", [2, 3, 8])
    def test_perfect_line_is_not_known_better_than_its_points(self, n):
        """No error stated and none seen: the standard errors are zero, or not known."""
        x = np.arange(float(n))
        if n == 2:
            with pytest.warns(UserWarning, match="no degrees of freedom left"):
                model = OrthogonalRegression(intrinsic_scatter=True).fit(x[:, None], 2.0 * x)
            assert not np.isfinite(model.params_std_).any()
        else:
            model = OrthogonalRegression(intrinsic_scatter=True).fit(x[:, None], 2.0 * x)
            np.testing.assert_allclose(model.params_std_, 0.0, atol=1e-9)
        assert "stated errors already explain" not in model.status_

    def test_plane_and_curves(self):
        rng = np.random.default_rng(12)
        X = rng.uniform(0.0, 5.0, (60, 2))
        Y = np.column_stack([X.sum(axis=1), X[:, 0]]) + rng.normal(size=(60, 2)) * [0.5, 1.0]
        model = OrthogonalRegression(intrinsic_scatter=True).fit(X, Y, sigma=0.1, sigma_x=0.05)
        assert model.intrinsic_scatter_.shape == model.intrinsic_scatter_std_.shape == (2,)
        pulls = (model.intrinsic_scatter_ - [0.5, 1.0]) / model.intrinsic_scatter_std_
        assert (np.abs(pulls) < CHANCE).all()
        assert np.isnan(model.p_value_).all()
        model.set_params(intrinsic_scatter=False).fit(X, Y, sigma=0.1, sigma_x=0.05)
        assert not hasattr(model, "intrinsic_scatter_")
