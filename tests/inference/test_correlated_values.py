"""Exchange with `uncertainties`: what goes out comes back."""

import sys

import numpy as np
import pytest

from sklsq.inference.correlated_values import correlated_values, is_ufloat, nominal_values

COV = np.array([[0.04, -0.01, 0.0], [-0.01, 0.01, 0.0], [0.0, 0.0, 0.0]])


def test_covariance_survives_the_journey():
    numbers = correlated_values(["a", "b"], [-2.0, 4.0], COV[:2, :2])
    values, cov = nominal_values(list(numbers.values()))
    np.testing.assert_allclose(values, [-2.0, 4.0])
    np.testing.assert_allclose(cov, COV[:2, :2], rtol=1e-12)


def test_without_error_it_is_a_plain_number():
    numbers = correlated_values(["a", "b", "held"], [-2.0, 4.0, 7.0], COV)
    assert numbers["held"] == 7.0
    assert not is_ufloat(numbers["held"])
    assert (numbers["a"] + numbers["b"]).std_dev == pytest.approx(np.sqrt(0.03))


@pytest.mark.parametrize("variance", [np.inf, np.nan])
def test_unknown_errors_stand_alone(variance):
    cov = np.array([[variance, np.nan], [np.nan, 4.0]])
    numbers = correlated_values(["a", "b"], [1.0, 2.0], cov)
    assert str(numbers["a"].std_dev) == str(float(variance))
    assert numbers["b"].std_dev == 2.0
    assert all(np.isnan(n.std_dev) for n in correlated_values("a", [1.0], [[np.nan]]).values())


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "uncertainties", None)
    with pytest.raises(ImportError, match="`pip install uncertainties`"):
        correlated_values(["a"], [1.0], [[1.0]])
