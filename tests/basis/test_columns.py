"""Columns computed with, and the way back to those the user named."""

import numpy as np
import pytest

from sklsq.basis.columns import (
    CentredColumns,
    FixedColumns,
    InterceptColumns,
    MatrixSource,
    centred,
)
from sklsq.basis.terms import compile_terms

RNG = np.random.default_rng(0)
X = 1e8 + RNG.uniform(0.0, 3.0, (20, 2))


def exact(number):
    return number.hi.astype(np.longdouble) + number.lo


class TestInterceptColumns:
    columns = InterceptColumns(np.array([1e8, 1e8 + 1.0]))

    def test_block(self):
        expected = np.column_stack([np.ones(20), X - self.columns.centre])
        np.testing.assert_array_equal(self.columns.block(X), expected)
        assert self.columns.n_columns == 3

    def test_change_leads_to_a_line_about_zero(self):
        inside = np.array([2.0, 3.0, -1.0])
        outside = self.columns.change.hi @ inside
        np.testing.assert_allclose(
            self.columns.block(X) @ inside, outside[0] + X @ outside[1:], rtol=1e-6
        )
        np.testing.assert_array_equal(self.columns.offsets, [0.0, 1e8, 1e8 + 1.0])

    def test_extended_differences_are_exact(self):
        columns = InterceptColumns(np.array([0.1, 1.0 / 3.0]))
        found = exact(columns.block_extended(X))
        np.testing.assert_array_equal(found[:, 1:], X.astype(np.longdouble) - columns.centre)


class TestCentred:
    def test_far_columns_are_centred_about_a_constant(self):
        A = np.column_stack([X[:, 0], np.full(20, 2.0), X[:, 1] - 1e8])
        source = MatrixSource(("a", "one", "b"))
        columns = centred(source, A)
        assert columns.constant == 1
        assert np.abs(columns.block(A)[:, 1:]).max() < 4.0
        assert columns.multiples[2] == 0.0  # worth nothing there
        back = columns.block(A) @ np.linalg.inv(columns.change.hi)
        np.testing.assert_allclose(back, A, rtol=1e-12, atol=1e-6)

    @pytest.mark.parametrize(
        "A",
        [X, X - 1e8, np.column_stack([np.zeros(20), X]), np.column_stack([np.ones(20), X - 1e8])],
        ids=["no constant", "near", "zeros are no constant", "nothing is far"],
    )
    def test_left_alone(self, A):
        columns = centred(MatrixSource(tuple("abc"[: A.shape[1]])), A)
        assert columns.constant is None
        assert columns.change is None
        assert columns.offsets is None
        np.testing.assert_array_equal(columns.block(A), A)

    def test_constant_in_a_sample_only(self):
        A = np.column_stack([np.ones(1000), 1e8 + np.arange(1000.0)])
        A[501, 0] = 1.5
        assert centred(MatrixSource(("a", "b")), A).constant is None

    def test_terms(self):
        source = compile_terms(["x", "1"], ["x"])
        columns = centred(source, X[:, :1])
        assert columns.constant == 1
        assert isinstance(columns, CentredColumns)
        coefficients = columns.change.hi @ [5.0, 2.0]
        np.testing.assert_allclose(
            columns.block(X[:, :1]) @ [5.0, 2.0],
            X[:, 0] * coefficients[0] + coefficients[1],
            rtol=1e-7,
        )

    def test_extended_columns_agree(self):
        A = np.column_stack([np.ones(20), X])
        columns = centred(MatrixSource(tuple("abc")), A)
        np.testing.assert_allclose(columns.block_extended(A).hi, columns.block(A), rtol=1e-15)


def test_fixed_columns_are_what_is_passed():
    fixed = FixedColumns(2, None, None)
    assert fixed.block(X) is X
    np.testing.assert_array_equal(fixed.block_extended(X).hi, X)
    assert fixed.n_columns == 2
