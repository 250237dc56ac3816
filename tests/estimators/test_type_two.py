"""Which method suits the errors that are known."""

import numpy as np
import pytest

from sklsq.estimators._type_two import BY_SCATTER, Errors, Method
from tests.estimators.simulated import measured

NOTHING = Errors(None, None, None)
OF_Y = Errors(np.ones(20), None, None)
OF_BOTH = Errors(np.ones(20), np.ones((20, 1)), None)


def method(name, *, scatter=False, ratio=1.0):
    return Method(name, True, ratio, scatter, 100, 1e-13)


@pytest.mark.parametrize(
    ("errors", "scatter", "expected"),
    [
        (NOTHING, False, "total"),
        (OF_Y, False, "total"),
        (OF_BOTH, False, "york"),
        (NOTHING, True, "york"),
        (OF_Y, True, "york"),
        (OF_BOTH, True, "york"),
    ],
)
@pytest.mark.parametrize("p", [1, 3])
def test_auto(errors, scatter, expected, p):
    assert method("auto", scatter=scatter).chosen(p, errors, "auto").name == expected


@pytest.mark.parametrize("name", ["deming", "major_axis", "reduced_major_axis", "bisector"])
def test_named_methods_stay(name):
    assert method(name).chosen(1, OF_Y, "auto") == method(name)


def test_errors_of_x_are_for_york():
    with pytest.raises(ValueError, match='`method` must be "york" or "auto" to use `sigma_x`'):
        method("deming").chosen(1, OF_BOTH, "auto")
    with pytest.raises(ValueError, match="`sigma` must be given together with `sigma_x`"):
        method("york").chosen(1, Errors(None, np.ones((20, 1)), None), "auto")
    with pytest.raises(ValueError, match="`sigma_x` must be given for method"):
        method("york").chosen(1, OF_Y, "auto")


@pytest.mark.parametrize("name", sorted(BY_SCATTER))
def test_methods_that_know_only_the_scatter(name):
    with pytest.raises(ValueError, match="for several features"):
        method(name).chosen(2, NOTHING, "auto")
    with pytest.raises(ValueError, match="`absolute_sigma` must not be True"):
        method(name).chosen(1, OF_Y, True)
    assert method(name).chosen(1, OF_Y, False).name == name


@pytest.mark.parametrize(
    "name", ["york", "deming", "major_axis", "reduced_major_axis", "bisector", "total"]
)
def test_fit(name):
    data = measured()
    X = data.X - data.X.mean()
    errors = Errors(data.sigma, data.sigma_x if name == "york" else None, None)
    found = method(name).fit(X, data.y, errors)
    assert found.plane.params == pytest.approx([6.0, 2.0], rel=0.3)
    assert found.plane.converged
    assert np.isnan(found.scatter)
    assert np.isnan(found.scatter_std)


def test_error_ratio_is_for_deming_and_total():
    data = measured()
    for name in ("deming", "total"):
        steep = method(name, ratio=1e-6).fit(data.X, data.y, NOTHING).plane.params
        flat = method(name, ratio=1e6).fit(data.X, data.y, NOTHING).plane.params
        assert steep[1] > flat[1]
    params = [method("major_axis", ratio=r).fit(data.X, data.y, NOTHING) for r in (1e-6, 1e6)]
    np.testing.assert_array_equal(params[0].plane.params, params[1].plane.params)


@pytest.mark.parametrize("p", [1, 2])
def test_scatter_beyond_the_errors(p):
    data = measured(40, p)
    errors = Errors(0.01, np.full((40, p), 0.01), None)
    found = method("york", scatter=True).fit(data.X, data.y, errors)
    assert found.scatter > 5.0 * found.scatter_std > 0.0
