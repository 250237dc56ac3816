"""Columns from transformers of scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklsq.basis.transformed import TransformerSource, as_frame, to_dense

X = np.random.default_rng(0).normal(size=(9, 2))


def test_columns_are_those_of_the_transformer():
    transformer = PolynomialFeatures(2).fit(X)
    source = TransformerSource(transformer, tuple(transformer.get_feature_names_out()), None)
    np.testing.assert_array_equal(source.evaluate(X), transformer.transform(X))
    np.testing.assert_array_equal(source.evaluate_extended(X).hi, source.evaluate(X))
    np.testing.assert_array_equal(source.evaluate_extended(X).lo, 0.0)
    assert source.is_constant(0, X)
    assert not source.is_constant(1, X)


def test_frames_go_in_as_frames():
    frame = pd.DataFrame(X, columns=["a", "b"])
    transformer = StandardScaler().fit(frame)
    source = TransformerSource(transformer, ("a", "b"), ("a", "b"))
    np.testing.assert_array_equal(source.evaluate(X), transformer.transform(frame))


def test_as_frame():
    assert as_frame(X, None) is X
    pd.testing.assert_frame_equal(as_frame(X, ("a", "b")), pd.DataFrame(X, columns=["a", "b"]))


@pytest.mark.parametrize(
    "container", [np.asarray, pd.DataFrame, sparse.csr_matrix, sparse.csr_array]
)
def test_to_dense(container):
    dense = to_dense(container(X))
    assert type(dense) is np.ndarray
    assert dense.dtype == np.float64
    np.testing.assert_array_equal(dense, X)
