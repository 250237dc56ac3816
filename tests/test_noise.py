"""Noise against its plain dense matrix: whitening, weights, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from sklsq.noise import Noise, check_index, check_noise

N = 6
SIGMA = np.array([0.5, 1.0, 2.0, 0.1, 3.0, 1.5])
ROWS = np.random.default_rng(0).normal(size=(N, 3))
L = np.tril(np.random.default_rng(1).normal(size=(N, N)), -1) + np.diag(SIGMA)

KINDS = {
    "none": (check_noise(None, None, N, None), np.eye(N)),
    "scalar": (check_noise(0.3, None, N, None), 0.09 * np.eye(N)),
    "sigma": (check_noise(SIGMA, None, N, None), np.diag(SIGMA**2)),
    "weight": (check_noise(None, SIGMA, N, None), np.diag(1.0 / SIGMA)),
    "scalar weight": (check_noise(None, 4.0, N, None), 0.25 * np.eye(N)),
    "covariance": (check_noise(L @ L.T, None, N, None), L @ L.T),
}
every_kind = pytest.mark.parametrize(("noise", "V"), KINDS.values(), ids=KINDS.keys())


@every_kind
def test_whitened_products_are_those_of_the_inverse_covariance(noise, V):
    white = noise.whiten(ROWS)
    assert white.shape == ROWS.shape
    np.testing.assert_allclose(white.T @ white, ROWS.T @ np.linalg.inv(V) @ ROWS, rtol=1e-10)


@every_kind
def test_rows_are_not_written_to(noise, V):
    before = ROWS.copy()
    noise.whiten(ROWS)
    np.testing.assert_array_equal(ROWS, before)


@pytest.mark.parametrize("name", ["none", "scalar", "sigma", "weight", "scalar weight"])
def test_variance_and_root_weight(name):
    noise, V = KINDS[name]
    np.testing.assert_allclose(np.broadcast_to(noise.variance(), N), np.diag(V), rtol=1e-14)
    np.testing.assert_allclose(
        np.broadcast_to(noise.root_weight(), N), np.diag(V) ** -0.5, rtol=1e-14
    )


def test_what_was_given():
    assert not check_noise(None, None, N, None).given
    assert all(noise.given for name, (noise, _) in KINDS.items() if name != "none")


def test_rows_without_weight():
    weight = np.array([1.0, 0.0, 2.0, 0.0, 1.0, 1.0])
    noise = check_noise(None, weight, N, None)
    np.testing.assert_array_equal(noise.kept, weight > 0.0)
    np.testing.assert_array_equal(noise.select(noise.kept).values, [1.0, 2.0, 1.0, 1.0])
    assert check_noise(None, SIGMA, N, None).kept is None
    assert check_noise(SIGMA, None, N, None).kept is None


def test_of_one_curve():
    S = np.column_stack([SIGMA, 2.0 * SIGMA])
    noise = check_noise(S, None, N, 2)
    assert noise.per_target
    np.testing.assert_array_equal(noise.target(1).values, 2.0 * SIGMA)
    assert not noise.target(1).per_target
    shared = check_noise(SIGMA, None, N, 2)
    assert not shared.per_target
    assert shared.target(1) is shared


def test_equal_numbers_of_curves_and_points_are_curves():
    S = np.tile(SIGMA, (N, 1)).T
    noise = check_noise(S, None, N, N)
    assert noise.per_target
    assert noise.cholesky is None


def test_single_point():
    assert check_noise([0.5], None, 1, None).values == [0.5]
    # (1, 1) with a one-dimensional y is a covariance: a variance, not a standard deviation.
    noise = check_noise([[0.25]], None, 1, None)
    np.testing.assert_array_equal(noise.cholesky, [[0.5]])


def test_frozen():
    with pytest.raises(AttributeError, match="cannot assign"):
        Noise(given=True).given = False


REFUSED = {
    "both": ((SIGMA, SIGMA), "`sigma` and `sample_weight` must not both be given"),
    "zero": ((SIGMA * [1, 0, 1, 0, 1, 1], None), r"Got 0 in row 1 \(and in 1 more places\)"),
    "negative": ((-SIGMA, None), r"Got -0\.5 in row 0"),
    "nan": ((np.where(SIGMA == 2, np.nan, SIGMA), None), "Got nan in row 2"),
    "infinite": ((np.where(SIGMA == 2, np.inf, SIGMA), None), "Got inf in row 2"),
    "reciprocal overflows": ((np.where(SIGMA == 2, 1e-310, SIGMA), None), "Got 1e-310 in row 2"),
    "scalar": ((-1, None), r"`sigma` must be positive and finite. Got -1\."),
    "short": ((SIGMA[1:], None), r"have shape \(6,\), one value per row of y. Got shape \(5,\)"),
    "empty": (([], None), r"Got shape \(0,\)"),
    "three axes": ((np.ones((N, 1, 1)), None), r"Got shape \(6, 1, 1\)"),
    "rows of a covariance": ((np.eye(N + 3)[:N], None), "cannot pass through cross-validation"),
    "text": ((["a"] * N, None), "`sigma` must hold real numbers"),
    "complex": ((SIGMA * 1j, None), "`sigma` must hold real numbers. Got dtype complex128"),
    "negative weight": (
        (None, -SIGMA),
        r"`sample_weight` must be finite and not negative. Got -0\.5",
    ),
    "no weight": ((None, 0.0 * SIGMA), "at least one non-zero weight"),
    "weight per curve": ((None, np.ones((N, 2))), r"Got shape \(6, 2\)"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_noise(*arguments, N, None)


def test_covariance_where_there_is_no_room_for_it():
    with pytest.raises(ValueError, match=r"Got an \(n, n\) covariance, which `fit` alone takes"):
        check_noise(np.eye(N), None, N, None, allow_covariance=False)


def test_nearly_symmetric_covariance_is_rounding():
    V = L @ L.T
    V[0, 1] *= 1.0 + 1e-12
    assert check_noise(V, None, N, None).cholesky is not None


class TestIndex:
    frame = pd.DataFrame({"x": range(N)}, index=list("abcdef"))

    def series(self, labels):
        return pd.Series(SIGMA, index=list(labels))

    def test_same(self):
        check_index("sigma", self.series("abcdef"), self.frame, None)

    @pytest.mark.parametrize("labels", ["fedcba", "uvwxyz", "abcdea"])
    def test_different(self, labels):
        with pytest.raises(
            ValueError, match=r"`sigma` must have the same index as `X`.*sigma\.loc\[X\.index\]"
        ):
            check_index("sigma", self.series(labels), self.frame, None)

    def test_of_y(self):
        with pytest.raises(ValueError, match="`sample_weight` must have the same index as `y`"):
            check_index("sample_weight", self.series("fedcba"), ROWS, self.frame["x"])

    @pytest.mark.parametrize("value", [None, 0.5, SIGMA, SIGMA.tolist()])
    def test_what_has_none(self, value):
        check_index("sigma", value, self.frame, self.frame["x"])
        check_index("sigma", self.series("fedcba"), ROWS, SIGMA)
