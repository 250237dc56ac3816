"""Contours are where χ² has risen to the level, and cast the shadows that intervals are."""

import lmfit
import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.stats import chi2 as chi2_distribution
from scipy.stats import f as f_distribution

from sklsq import (
    DesignMatrixRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    RankWarning,
    WeightedLinearFit,
    chi2_contour,
    confidence_intervals,
    datasets,
)
from sklsq.inference.continuation import enclosed_area
from tests.inference.curved import CASES

LEVELS = (0.6827, 0.9545)
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def names_of(case):
    return case.estimator.fit(case.X, case.y).param_names_


def contour(case, **options):
    options.setdefault("params", tuple(names_of(case)[-2:]))
    return chi2_contour(case.estimator, case.X, case.y, sigma=case.sigma, **options)


@pytest.fixture
def line():
    data = datasets.load_pion_minus()
    return data.X, data.y_values, data.sigma_values


# Levels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("joint", "k"), [(True, 2), (False, 1)])
def test_rise_of_a_level(line, joint, k):
    """2.30 and 6.18 for two parameters together, 1 and 4 for one; by F where errors are scaled."""
    X, y, sigma = line
    known = chi2_contour(WeightedLinearFit(), X, y, sigma=sigma, joint=joint)
    expected = chi2_distribution.ppf(LEVELS, k)
    np.testing.assert_allclose([found.rise for found in known.lines], expected, rtol=1e-9)
    np.testing.assert_allclose(expected, (2.30, 6.18) if joint else (1.0, 4.0), rtol=2e-3)
    scaled = chi2_contour(WeightedLinearFit(), X, y, joint=joint)
    fit = WeightedLinearFit().fit(X, y)
    expected = k * f_distribution.ppf(LEVELS, k, fit.dof_) * fit.reduced_chi2_
    np.testing.assert_allclose([found.rise for found in scaled.lines], expected, rtol=1e-9)


# Where they are ----------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [True, False])
def test_contour_of_a_linear_model_is_the_ellipse(line, given):
    X, y, sigma = line
    sigma = sigma if given else None
    found = chi2_contour(WeightedLinearFit(), X, y, sigma=sigma)
    fit = WeightedLinearFit().fit(X, y, sigma=sigma)
    whitened = np.column_stack([np.ones(len(X)), X]) / (
        1.0 if sigma is None else sigma.to_numpy()[:, None]
    )
    for part in found.lines:
        assert part.closed
        np.testing.assert_array_equal(part.points, part.ellipse)
        rise = np.sum((whitened @ (part.points - fit.params_).T) ** 2, axis=0)
        np.testing.assert_allclose(rise, part.rise, rtol=1e-10)


def test_refits_of_a_linear_model_give_the_ellipse(line):
    X, y, sigma = line
    found = chi2_contour(NonlinearLSQ("a + b*inverse_energy"), X, y, sigma=sigma)
    for part in found.lines:
        size = np.ptp(part.ellipse, axis=0)
        np.testing.assert_allclose(part.points / size, part.ellipse / size, atol=1e-6)


@every_case
def test_chi2_has_risen_to_the_level_all_around(case):
    found = contour(case)
    start = dict(zip(names_of(case), case.estimator.fit(case.X, case.y).params_, strict=True))
    best = case.chi2_with({}, start)
    for part in found.lines:
        assert part.closed
        for point in part.points[::9]:
            held = dict(zip(found.names, point, strict=True))
            assert case.chi2_with(held, start) - best == pytest.approx(part.rise, rel=1e-5)


@pytest.mark.parametrize("name", ["gaussian", "boxbod"])
def test_shadow_is_the_interval_of_one_parameter(name):
    """The largest value of a parameter on the 1-D contour is the end of its profile interval."""
    case = CASES[name]
    found = contour(case, joint=False, levels=(0.6827,), n_points=200)
    table = confidence_intervals(case.estimator, case.X, case.y, method="profile")
    part = found.lines[0]
    angles = np.append(part.angles, 2.0 * np.pi + part.angles[0])
    curve = CubicSpline(angles, np.vstack([part.points, part.points[:1]]), bc_type="periodic")
    dense = curve(np.linspace(angles[0], angles[-1], 20_001))
    for k, parameter in enumerate(found.names):
        ends = table.loc[parameter, ["lower", "upper"]].to_numpy(dtype=float)
        np.testing.assert_allclose(
            [dense[:, k].min(), dense[:, k].max()], ends, atol=1e-4 * np.ptp(ends)
        )


def test_inside_and_outside_are_those_of_a_grid_by_lmfit():
    from matplotlib.path import Path

    case, level = CASES["gaussian"], 0.9
    found = contour(case, levels=(level,))
    start = lmfit.Parameters()
    for name, value in zip(names_of(case), case.estimator.fit(case.X, case.y).params_, strict=True):
        start.add(name, value=value)
    minimizer = lmfit.Minimizer(lambda p: case.pulls(p.valuesdict()), start)
    best = minimizer.leastsq()
    low, high = found.lines[0].points.min(axis=0), found.lines[0].points.max(axis=0)
    x, y, sigmas = lmfit.conf_interval2d(
        minimizer,
        best,
        *found.names,
        nx=12,
        ny=12,
        limits=tuple(zip(low, high, strict=True)),
    )
    points = np.column_stack([part.ravel() for part in np.meshgrid(x, y)])
    inside = Path(found.lines[0].points).contains_points(points)
    heights, dof = np.asarray(sigmas).ravel(), best.nfree
    quantile = np.sqrt(2.0 * f_distribution.ppf(level, 2, dof))
    clear = np.abs(heights / quantile - 1.0) > 0.01
    assert clear.sum() > 120
    np.testing.assert_array_equal(inside[clear], heights[clear] < quantile)


def test_rays_are_added_where_the_contour_is_sharp():
    part = contour(CASES["boxbod"], n_points=16).lines[1]
    assert len(part.angles) > 16
    assert (np.diff(part.angles) > 0.0).all()


def test_yorks_line():
    data = datasets.load_pearson_york()
    errors = {"sigma": data.sigma_values, "sigma_x": data.sigma_x_values}
    found = chi2_contour(OrthogonalRegression(), data.X, data.y_values, n_points=12, **errors)
    part = found.lines[0]
    X, y = data.X.to_numpy()[:, 0], data.y_values.to_numpy()
    a, b = part.points.T[:, :, None]
    variance = errors["sigma"].to_numpy() ** 2 + (b * errors["sigma_x"].to_numpy().ravel()) ** 2
    rise = ((y - a - b * X) ** 2 / variance).sum(axis=1)
    fit = OrthogonalRegression().fit(data.X, data.y_values, **errors)
    np.testing.assert_allclose(rise - fit.chi2_, part.rise, rtol=1e-5)


# Bent --------------------------------------------------------------------------------------------


def valley(bend, **options):
    """y = a and y = b - bend a², measured once each: contours are sheared ellipses, like bananas.

    Rosenbrock's function is the χ² of this fit.
    """
    options.setdefault("levels", (0.6827, 0.9545, 0.997))
    model = NonlinearLSQ(f"(1 - x)*a + x*(b - {bend}*a**2)", p0=[1.0, bend])
    X, y, sigma = np.array([[0.0], [1.0]]), np.array([1.0, 0.0]), np.array([0.8, 0.3])
    with pytest.warns(UserWarning, match="no degrees of freedom"):
        return chi2_contour(model, X, y, sigma=sigma, params=("a", "b"), **options)


@pytest.mark.parametrize("bend", [0.3, 1.0, 4.0])
def test_area_and_height_of_a_bent_contour(bend):
    """A shear leaves the area of the ellipse, π Δχ² σ σ', as it is; 0.53 of it by rays alone."""
    found = valley(bend)
    assert found.lines[-1].followed
    for part in found.lines:
        assert part.closed
        area = np.pi * part.rise * 0.8 * 0.3
        assert enclosed_area(part.points) == pytest.approx(area, rel=0.012)
        a, b = part.points.T
        rise = ((a - 1.0) / 0.8) ** 2 + ((b - bend * a**2) / 0.3) ** 2
        np.testing.assert_allclose(rise, part.rise, rtol=1e-4)
        tips = 1.0 + 0.8 * np.sqrt(part.rise) * np.array([-1.0, 1.0])
        np.testing.assert_allclose([a.min(), a.max()], tips, atol=0.02)


def few_points():
    x = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
    deviations = np.array([0.0, 0.02, -0.03, 0.01, 0.02, -0.02, 0.01])
    return x, 0.5 + 3.0 * (1.0 - np.exp(-0.35 * x)) + deviations


def test_area_of_a_bent_contour_with_a_third_parameter_by_a_grid():
    x, y = few_points()
    model, sigma = NonlinearLSQ("c + a*(1 - exp(-b*x))", p0=[0.5, 3.0, 0.35]), 0.09
    found = chi2_contour(model, x[:, None], y, sigma=sigma, params=("a", "b"))
    part = found.lines[1]
    assert part.followed
    low, high = part.points.min(axis=0), part.points.max(axis=0)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    a, b = (np.linspace(low[k], high[k], 600) for k in range(2))
    curves = 1.0 - np.exp(-np.multiply.outer(b, x))
    residual = y - a[:, None, None] * curves  # of which c takes away the mean
    chi2 = np.var(residual, axis=2) * len(x) / sigma**2
    best = model.fit(x[:, None], y, sigma=sigma).chi2_
    inside = np.count_nonzero(chi2 - best <= part.rise) * (a[1] - a[0]) * (b[1] - b[0])
    assert enclosed_area(part.points) == pytest.approx(inside, rel=0.01)


def test_shadow_of_a_bent_contour_is_the_interval_of_one_parameter():
    x, y = few_points()
    model = NonlinearLSQ("0.5 + a*(1 - exp(-b*x))", p0=[3.0, 0.35])
    data = (model, x[1:, None], y[1:])
    found = chi2_contour(*data, sigma=0.15, joint=False, levels=(0.9545,), params=("a", "b"))
    part = found.lines[0]
    assert part.followed
    table = confidence_intervals(*data, sigma=0.15, method="profile", level=0.9545)
    for k, parameter in enumerate(found.names):
        ends = table.loc[parameter, ["lower", "upper"]].to_numpy(dtype=float)
        shadow = [part.points[:, k].min(), part.points[:, k].max()]
        np.testing.assert_allclose(shadow, ends, atol=0.01 * np.ptp(ends))


def test_a_bent_contour_ends_at_a_bound():
    options = {"bounds": {"a": (None, 2.0)}, "p0": [1.0, 1.0]}
    model = NonlinearLSQ("(1 - x)*a + x*(b - a**2)", **options)
    X, y, sigma = np.array([[0.0], [1.0]]), np.array([1.0, 0.0]), np.array([0.8, 0.3])
    with pytest.warns(UserWarning, match="no degrees of freedom"):
        found = chi2_contour(model, X, y, sigma=sigma, params=("a", "b"), levels=(0.9545,))
    part = found.lines[0]
    assert part.followed
    at_bound = part.ends == "bound"
    assert at_bound.any()
    assert not at_bound.all()
    np.testing.assert_allclose(part.points[at_bound, 0], 2.0, atol=1e-3)
    assert part.points[:, 0].max() <= 2.0
    a, b = part.points[~at_bound].T
    rise = ((a - 1.0) / 0.8) ** 2 + ((b - a**2) / 0.3) ** 2
    np.testing.assert_allclose(rise, part.rise, rtol=1e-4)


def test_a_ring_has_a_hole_and_says_so():
    """Only a² + b² is measured well: the region is a ring about the origin."""
    X, y = np.array([[0.0], [1.0]]), np.array([1.0, 1.0])
    model = NonlinearLSQ("(1 - x)*(a**2 + b**2) + x*a", p0=[0.8, 0.6])
    with (
        pytest.warns(UserWarning, match="no degrees of freedom"),
        pytest.warns(UserWarning, match="could not be followed all around, or has a hole"),
    ):
        found = chi2_contour(
            model, X, y, sigma=np.array([0.2, 3.0]), params=("a", "b"), levels=(0.6827,)
        )
    assert not found.lines[0].followed


@every_case
def test_what_rays_cross_once_is_not_followed(case):
    assert not any(part.followed for part in contour(case).lines)


# Open, bounded -----------------------------------------------------------------------------------


def saturating(**options):
    x = np.linspace(1.0, 10.0, 8)[:, None]
    y = 1.0 - np.exp(-1.2 * x[:, 0]) + np.random.default_rng(1).normal(0.0, 0.2, 8)
    return chi2_contour(
        NonlinearLSQ("a*(1 - exp(-b*x))", **options),
        x,
        y,
        sigma=0.2,
        params=("a", "b"),
        n_points=24,
    )


def test_open_contour_says_where():
    part = saturating().lines[1]
    assert not part.closed
    is_open = part.ends == "open"
    assert is_open.any()
    assert not is_open.all()
    assert np.isnan(part.points[is_open]).all()
    assert np.isfinite(part.points[~is_open]).all()
    assert (np.sin(part.angles[is_open]) > 0.0).all()  # towards large b


def test_contour_stops_at_a_bound():
    part = saturating(bounds={"b": (None, 2.5)}).lines[1]
    at_bound = part.ends == "bound"
    assert at_bound.any()
    np.testing.assert_array_equal(part.points[at_bound, 1], 2.5)
    assert (part.points[~at_bound, 1] < 2.5).all()


def test_what_is_not_determined_has_no_contour(line):
    X, y, sigma = line
    with pytest.warns(RankWarning, match="fits equally well"):
        found = chi2_contour(
            DesignMatrixRegressor(["1", "inverse_energy", "2*inverse_energy"]),
            X,
            y,
            sigma=sigma,
            params=("1", "inverse_energy"),
        )
    assert (found.lines[0].ends == "open").all()
    assert np.isnan(found.lines[0].points).all()


# The result --------------------------------------------------------------------------------------


def test_frame_has_every_point():
    found = contour(CASES["gaussian"])
    frame = found.frame()
    columns = ["level", "angle", "p3", "p4", "p3_ellipse", "p4_ellipse", "end"]
    assert list(frame) == columns
    for part in found.lines:
        rows = frame[frame["level"] == part.level]
        np.testing.assert_array_equal(rows[["p3", "p4"]], part.points)
        np.testing.assert_array_equal(rows[["p3_ellipse", "p4_ellipse"]], part.ellipse)
        assert (rows["end"] == "level").all()


def test_swapped_parameters_give_the_same_contour():
    case = CASES["boxbod"]
    first = contour(case, params=("b1", "b2"), levels=(0.9,), n_points=90).lines[0].points
    second = contour(case, params=("b2", "b1"), levels=(0.9,), n_points=90).lines[0].points
    for points, other in ((first, second[:, ::-1]), (second[:, ::-1], first)):
        size = np.ptp(other, axis=0)
        nearest = np.linalg.norm((points[:, None] - other) / size, axis=2).min(axis=1)
        assert nearest.max() < 0.05


# Bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": (0.5, 1.0)}, r"`levels` must lie between 0 and 1.* Got 1\.0"),
        ({"n_points": 3}, r"`n_points` must be an integer of at least 8\. Got 3"),
        ({"params": "p1"}, r"`params` must be two different .* Got 'p1'"),
        ({"params": ("p1", "p1")}, r"`params` must be two different"),
        ({"params": None}, r"`params` must be two different parameters of p1, p2, p3, p4"),
        ({"params": ("p1", "q")}, r"`params` must name parameters .* Got 'q'"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        contour(CASES["gaussian"], **options)


def test_parameters_must_vary_independently():
    case = CASES["gaussian"]
    fixed = NonlinearLSQ(case.formula, fixed={"p1": 0.5})
    with pytest.raises(ValueError, match=r"must name parameters that vary\. Got 'p1'"):
        chi2_contour(fixed, case.X, case.y, params=("p1", "p2"))
    tied = NonlinearLSQ(case.formula, tied={"p2": "9*p4"})
    with pytest.raises(ValueError, match="vary independently"):
        chi2_contour(tied, case.X, case.y, params=("p2", "p4"))


@pytest.mark.parametrize("levels", [(), 0.5, "half"])
def test_levels_are_a_sequence(levels):
    with pytest.raises(ValueError, match="`levels` must be a sequence of probabilities"):
        chi2_contour(WeightedLinearFit(), [[0.0], [1.0], [3.0]], [0.0, 1.1, 2.9], levels=levels)
