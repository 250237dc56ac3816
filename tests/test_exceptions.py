"""The warnings can be caught apart, and each says what to do."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from sklsq import (
    DesignMatrixRegressor,
    NonlinearLSQ,
    OrthogonalRegression,
    WeightedLinearFit,
    exceptions,
)
from sklsq.exceptions import (
    BoundWarning,
    DegreesOfFreedomWarning,
    ExtrapolationWarning,
    RankWarning,
    UnweightedScoreWarning,
)

CATEGORIES = [
    BoundWarning,
    DegreesOfFreedomWarning,
    ExtrapolationWarning,
    RankWarning,
    UnweightedScoreWarning,
]


@pytest.mark.parametrize("category", CATEGORIES)
def test_says_when_and_what_to_do(category):
    text = inspect.getdoc(category)
    assert "Raised by ``" in text
    assert "What to do: " in text


@pytest.mark.parametrize("category", CATEGORIES)
def test_is_a_category_of_its_own(category):
    assert category.__bases__ == (UserWarning,)


def test_all_are_listed():
    names = {category.__name__ for category in CATEGORIES}
    assert set(exceptions.__all__) == names | {"warn_caller"}


@pytest.mark.parametrize(
    "estimator",
    [
        NonlinearLSQ("a*exp(b*x)", p0=[1.0, 1.0]),
        WeightedLinearFit(),
        DesignMatrixRegressor(["1", "x"]),
        OrthogonalRegression(),
    ],
    ids=repr,
)
def test_warnings_point_at_the_line_of_the_user(estimator):
    with pytest.warns(DegreesOfFreedomWarning, match="no degrees of freedom") as caught:
        estimator.fit(np.array([[0.0], [1.0]]), np.array([1.0, 2.0]))
    assert {Path(warning.filename) for warning in caught} == {Path(__file__)}
