"""Calibration lines: from a measured y back to x."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklsq import OrthogonalRegression, WeightedLinearFit
from tests.estimators.simulated import measured

DATA_SETS = 800
LINES = {
    "weighted": (WeightedLinearFit(), ("sigma",)),
    "scaled": (WeightedLinearFit(absolute_sigma=False), ("sigma",)),
    "unweighted": (WeightedLinearFit(), ()),
    "origin": (WeightedLinearFit(fit_intercept=False), ("sigma",)),
    "york": (OrthogonalRegression("york"), ("sigma", "sigma_x", "corr_xy")),
    "york origin": (OrthogonalRegression("york", fit_intercept=False), ("sigma", "sigma_x")),
    "deming": (OrthogonalRegression("deming"), ()),
    "total": (OrthogonalRegression("total"), ("sigma",)),
    "major axis": (OrthogonalRegression("major_axis"), ()),
    "reduced": (OrthogonalRegression("reduced_major_axis"), ()),
    "bisector": (OrthogonalRegression("bisector"), ()),
}
every_line = pytest.mark.parametrize(("line", "names"), LINES.values(), ids=LINES.keys())
Y = np.array([-3.0, 1.0, 4.5, 12.0])


def fitted(line, names, n=20):
    data = measured(n, correlation=True)
    return line.fit(data.X, data.y, **{name: data.correlated[name] for name in names})


def by_hand(model, y, variance):
    """First order in intercept, slope and y."""
    params, cov = model.params_, model.params_cov_
    if not getattr(model, "fit_intercept", True):
        params = np.array([0.0, params[0]])
        cov = np.array([[0.0, 0.0], [0.0, cov[0, 0]]])
    x = (y - params[0]) / params[1]
    gradient = np.column_stack([-np.ones_like(x), -x]) / params[1]
    return x, np.sqrt(np.einsum("ij,jk,ik->i", gradient, cov, gradient) + variance / params[1] ** 2)


class TestFormula:
    @every_line
    @pytest.mark.parametrize("sigma", [0.0, 0.3, [0.1, 0.0, 0.5, 2.0]], ids=str)
    def test_first_order(self, line, names, sigma):
        model = fitted(line, names)
        x, std = model.inverse_predict(Y, sigma=sigma)
        scale = 1.0
        if names and model.absolute_sigma_ is False:
            scale = model.reduced_chi2_  # like those of the fit, the errors are relative
        expected, of_x = by_hand(model, Y, scale * np.square(sigma) + np.zeros(4))
        np.testing.assert_allclose(x, expected, rtol=1e-11)
        np.testing.assert_allclose(std, of_x, rtol=1e-9)

    @pytest.mark.parametrize("name", ["unweighted", "deming", "major axis", "reduced", "bisector"])
    def test_scatter_of_the_fit_by_default(self, name):
        model = fitted(*LINES[name])
        x, std = model.inverse_predict(Y)
        expected, of_x = by_hand(model, Y, model.reduced_chi2_)
        np.testing.assert_allclose(x, expected, rtol=1e-11)
        np.testing.assert_allclose(std, of_x, rtol=1e-9)

    @every_line
    def test_there_and_back(self, line, names):
        model = fitted(line, names)
        x, _ = model.inverse_predict(Y, sigma=0.1)
        np.testing.assert_allclose(model.predict(x[:, None]), Y, rtol=1e-12)

    @pytest.mark.parametrize("y", [4.5, np.float32(4.5), [4.5], np.array([4]), (4, 5)])
    def test_shapes(self, y):
        x, std = fitted(*LINES["weighted"]).inverse_predict(y, sigma=0.1)
        assert x.shape == std.shape == np.atleast_1d(y).shape
        assert x.dtype == np.float64

    def test_offset(self):
        """Time stamps: the error of x is not that of an extrapolated intercept."""
        data = measured()
        X = np.round(data.X * 2**18) / 2**18
        plain = WeightedLinearFit().fit(X, data.y, sigma=data.sigma)
        far = WeightedLinearFit().fit(X + 1e9, data.y, sigma=data.sigma)
        york = OrthogonalRegression().fit(X, data.y, **data.errors)
        far_york = OrthogonalRegression().fit(X + 1e9, data.y, **data.errors)
        for near, moved in ((plain, far), (york, far_york)):
            x, std = near.inverse_predict(Y, sigma=0.1)
            x_moved, std_moved = moved.inverse_predict(Y, sigma=0.1)
            np.testing.assert_allclose(x_moved - 1e9, x, atol=3e-7)
            np.testing.assert_allclose(std_moved, std, rtol=1e-6)

    def test_textbook(self):
        """Miller, 5.6: one new measurement of an unweighted line."""
        x = np.array([0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0])
        y = np.array([2.1, 5.0, 9.0, 12.6, 17.3, 21.0, 24.7])  # fluorescein, example 5.3.1
        model = WeightedLinearFit().fit(x[:, None], y)
        found, std = model.inverse_predict([2.9, 13.5, 23.0])
        np.testing.assert_allclose(found, [0.72, 6.21, 11.13], atol=0.006)
        np.testing.assert_allclose(std, [0.26, 0.24, 0.26], atol=0.006)


class TestChance:
    @pytest.mark.parametrize("name", ["weighted", "york"])
    @pytest.mark.parametrize("sigma", [0.0, 0.4])
    def test_spread_of_many_lines(self, name, sigma):
        """Parameters drawn by their covariance, y by its error."""
        model = fitted(*LINES[name], n=60)
        rng = np.random.default_rng(3)
        params = rng.multivariate_normal(model.params_, model.params_cov_, 100_000)
        y = 6.0 + sigma * rng.normal(size=100_000)
        spread = (y - params[:, 0]) / params[:, 1]
        x, std = model.inverse_predict(6.0, sigma=sigma)
        assert x[0] == pytest.approx(spread.mean(), abs=0.01)
        assert std[0] == pytest.approx(spread.std(), rel=0.02)

    @pytest.mark.parametrize("relative", [False, True], ids=["known", "relative"])
    def test_coverage(self, relative):
        rng = np.random.default_rng(4)
        true, sigma = np.linspace(0.0, 10.0, 300), np.full(300, 0.4)
        unit = 0.01 if relative else 1.0
        inside = []
        for _ in range(DATA_SETS):
            y = 1.0 + 1.5 * true + sigma * rng.normal(size=300)
            at = rng.uniform(0.0, 10.0)
            new = 1.0 + 1.5 * at + 0.4 * rng.normal()
            model = WeightedLinearFit(absolute_sigma=not relative)
            model.fit(true[:, None], y, sigma=unit * sigma)
            x, std = model.inverse_predict(new, sigma=unit * 0.4)
            inside.append(abs(x[0] - at) <= std[0])
        chance = 4.0 * np.sqrt(0.6827 * 0.3173 / DATA_SETS)
        assert np.mean(inside) == pytest.approx(0.6827, abs=chance)


class TestRefused:
    def test_before_the_fit(self):
        for line in (WeightedLinearFit(), OrthogonalRegression()):
            with pytest.raises(NotFittedError, match="not fitted yet"):
                line.inverse_predict(1.0, sigma=0.1)

    @pytest.mark.parametrize("line", [WeightedLinearFit(), OrthogonalRegression("total")], ids=str)
    def test_several_features_or_curves(self, line):
        data = measured(p=2)
        with pytest.raises(ValueError, match=r"must have one feature.* Got a fit of 2 features"):
            line.fit(data.X, data.y).inverse_predict(1.0)
        with pytest.raises(ValueError, match=r"must have one feature.*several targets"):
            line.fit(data.X[:, :1], np.column_stack([data.y, data.y])).inverse_predict(1.0)

    @pytest.mark.parametrize("name", ["weighted", "scaled", "york", "total"])
    def test_errors_of_new_measurements_are_not_known(self, name):
        model = fitted(*LINES[name])
        with pytest.raises(ValueError, match="`sigma` must be given to invert a fit with known"):
            model.inverse_predict(Y)

    @pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
    def test_bad_sigma(self, value):
        model = fitted(*LINES["weighted"])
        message = rf"`sigma` must be finite and not negative. Got {value:g}"
        with pytest.raises(ValueError, match=message):
            model.inverse_predict(Y, sigma=value)
        with pytest.raises(ValueError, match=rf"{message} in row 2"):
            model.inverse_predict(Y, sigma=[0.1, 0.2, value, 0.3])

    @pytest.mark.parametrize("sigma", [[0.1, 0.2], np.ones((4, 1)), [0.1]])
    def test_shape_of_sigma(self, sigma):
        with pytest.raises(ValueError, match=r"`sigma` must be a number or have shape \(4,\)"):
            fitted(*LINES["weighted"]).inverse_predict(Y, sigma=sigma)

    @pytest.mark.parametrize("y", [np.nan, [1.0, np.inf], ["a"], np.ones((3, 2))])
    def test_bad_y(self, y):
        with pytest.raises(ValueError, match=r"`y` must|could not convert"):
            fitted(*LINES["weighted"]).inverse_predict(y, sigma=0.1)

    @pytest.mark.parametrize("line", [WeightedLinearFit(), OrthogonalRegression("total")], ids=str)
    def test_horizontal_line(self, line):
        model = line.fit(np.arange(5.0)[:, None], np.full(5, 2.0))
        with pytest.raises(ValueError, match="must have a line with a slope"):
            model.inverse_predict(2.0)

    @pytest.mark.filterwarnings("ignore::UserWarning")
    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    @pytest.mark.parametrize("line", [WeightedLinearFit(), OrthogonalRegression("total")], ids=str)
    @pytest.mark.parametrize("y", [np.full(5, 2.0), np.arange(5.0)], ids=["point", "vertical"])
    def test_undetermined_line(self, line, y):
        model = line.fit(np.ones((5, 1)), y)
        with pytest.raises(ValueError, match="must have a line with a slope"):
            model.inverse_predict(2.0)

    def test_keyword_only(self):
        with pytest.raises(TypeError, match="positional argument"):
            fitted(*LINES["weighted"]).inverse_predict(Y, 0.1)
