import numpy as np
import pytest

from sklsq.models.differences import (
    agree,
    central_differences,
    complex_steps,
    forward_differences,
)

X = np.linspace(0, 2, 30)


def wave(p):
    return p[0] * np.sin(p[1] * X) * np.exp(-p[2] * X)


def exact(p):
    decay = np.exp(-p[2] * X)
    s, c = np.sin(p[1] * X), np.cos(p[1] * X)
    return np.array([s * decay, p[0] * X * c * decay, -X * p[0] * s * decay])


@pytest.mark.parametrize("p", [[1.0, 2.0, 0.5], [1e-8, 3.0, 0.0], [1e8, 1e-3, -1e-9]])
@pytest.mark.parametrize(
    ("method", "tolerance"),
    [(central_differences, 1e-5), (forward_differences, 1e-3), (complex_steps, 1e-14)],
)
def test_methods(method, tolerance, p):
    expected = exact(p)
    found = method(wave, np.array(p))
    size = np.abs(expected).max(axis=1, keepdims=True)
    np.testing.assert_allclose(found / size, expected / size, rtol=0, atol=tolerance)


def test_one_sided_at_the_edge_of_the_domain():
    with np.errstate(invalid="ignore"):
        found = central_differences(lambda p: np.sqrt(p[0] - 1 + 0 * X) + p[1], np.array([1.0, 2]))
    assert np.isfinite(found).all()


def test_agree():
    p = np.array([1.0, 2.0, 0.5])
    right = exact(p)
    assert agree(right, wave, p)
    assert not agree(right * [[1], [1.01], [1]], wave, p)
    assert not agree(0 * right, wave, p)
    fast = np.array([1.0, 1e6, 0.0])  # no step but a tiny one shows this derivative
    assert agree(exact(fast), wave, fast)
