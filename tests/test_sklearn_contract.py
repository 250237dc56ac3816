"""scikit-learn's own checks, all of them, with no expected failure and none skipped."""

import os
import warnings

import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import MaxAbsScaler, PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_estimator,
    check_inplace_ensure_writeable,
)

from sklsq import (
    DegreesOfFreedomWarning,
    DesignMatrixRegressor,
    ExtrapolationWarning,
    LinearizedRegressor,
    RankWarning,
    SigmaClippedRegressor,
    WeightedLinearFit,
)
from sklsq.basis import Polynomial

# Without a constant, columns less the mean of X are others where rows are repeated.
NOT_THE_SAME_COLUMNS = "check_sample_weight_equivalence_on_dense_data"
# A fixed column does not explain a y that depends on another.
FIXED_COLUMN = "check_regressors_train"
# The only check that passes negative y to an estimator tagged as of positive ones.
NEGATIVE_Y = "check_regressor_multioutput"


class FirstFeature(BaseEstimator):
    """A term for any number of features; not a function, whose repr holds an address."""

    def __call__(self, X):
        return X if X.ndim == 1 else X[:, 0]


class MeanFeature(BaseEstimator):
    """Takes as many arguments as there are features."""

    def __call__(self, *features):
        return sum(features) / len(features)


REGRESSORS = [
    WeightedLinearFit(),
    WeightedLinearFit(fit_intercept=False),
    WeightedLinearFit(absolute_sigma=True),
    DesignMatrixRegressor(),
    DesignMatrixRegressor(Polynomial(1)),
    DesignMatrixRegressor(Polynomial(2)),
    DesignMatrixRegressor(Polynomial(1, kind="legendre")),
    DesignMatrixRegressor(PolynomialFeatures(1)),
    DesignMatrixRegressor(MaxAbsScaler()),
    SigmaClippedRegressor(WeightedLinearFit()),
    SigmaClippedRegressor(LinearRegression()),
    LinearizedRegressor(WeightedLinearFit(), func="arcsinh"),
    LinearizedRegressor(LinearRegression(), func="identity"),
    LinearizedRegressor(SigmaClippedRegressor(WeightedLinearFit()), func="arcsinh"),
]
TRANSFORMERS = [
    Polynomial(),
    Polynomial(1, kind="full"),
    Polynomial(2, kind="chebyshev"),
    Polynomial(2, kind="legendre"),
]
SPECIAL = [
    (DesignMatrixRegressor(StandardScaler()), {NOT_THE_SAME_COLUMNS}),
    (DesignMatrixRegressor(["1", FirstFeature()]), {FIXED_COLUMN}),
    (DesignMatrixRegressor([MeanFeature(), "1"]), {FIXED_COLUMN}),
    (LinearizedRegressor(WeightedLinearFit()), {NEGATIVE_Y}),
    (LinearizedRegressor(WeightedLinearFit(), func="sqrt"), {NEGATIVE_Y}),
]


def not_passed(estimator):
    with warnings.catch_warnings():
        # The checks fit fewer rows than columns, where these are due. Every other one is an error.
        warnings.simplefilter("ignore", RankWarning)
        warnings.simplefilter("ignore", DegreesOfFreedomWarning)
        # One predicts at points of zero weight, far from the others.
        warnings.simplefilter("ignore", ExtrapolationWarning)
        results = check_estimator(estimator, on_skip=None, on_fail=None)
    targets = estimator.__sklearn_tags__().target_tags
    assert len(results) >= ((59 + targets.multi_output) if targets.required else 47)
    return {r["check_name"]: r["exception"] for r in results if r["status"] != "passed"}


def test_the_array_api_check_runs():
    assert os.environ["SCIPY_ARRAY_API"] == "1"


@pytest.mark.parametrize("estimator", [*REGRESSORS, *TRANSFORMERS], ids=str)
def test_all_checks(estimator):
    assert not_passed(estimator) == {}


@pytest.mark.parametrize(("estimator", "excused"), SPECIAL, ids=str)
def test_all_checks_but_one(estimator, excused):
    assert set(not_passed(estimator)) <= excused


@pytest.mark.parametrize("estimator", [*REGRESSORS, *TRANSFORMERS], ids=str)
def test_no_tag_hides_a_check(estimator):
    tags = estimator.__sklearn_tags__()
    assert not tags.non_deterministic
    assert not tags.no_validation
    assert not tags._skip_test
    assert not (tags.regressor_tags and tags.regressor_tags.poor_score)


@pytest.mark.parametrize("estimator", [*REGRESSORS, *TRANSFORMERS], ids=str)
@pytest.mark.parametrize(
    "check", [check_dataframe_column_names_consistency, check_inplace_ensure_writeable]
)
@pytest.mark.filterwarnings("ignore:.*parameter combinations:sklsq.RankWarning")
def test_checks_that_are_not_yielded(estimator, check):
    check(type(estimator).__name__, estimator)
