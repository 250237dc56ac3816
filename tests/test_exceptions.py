"""The warnings can be caught apart, and each says what to do."""

import inspect

import pytest

from sklsq import exceptions
from sklsq.exceptions import (
    BoundWarning,
    DegreesOfFreedomWarning,
    RankWarning,
    UnweightedScoreWarning,
)

CATEGORIES = [BoundWarning, DegreesOfFreedomWarning, RankWarning, UnweightedScoreWarning]


@pytest.mark.parametrize("category", CATEGORIES)
def test_says_when_and_what_to_do(category):
    text = inspect.getdoc(category)
    assert "Raised by ``" in text
    assert "What to do: " in text


@pytest.mark.parametrize("category", CATEGORIES)
def test_is_a_category_of_its_own(category):
    assert category.__bases__ == (UserWarning,)


def test_all_are_listed():
    assert set(exceptions.__all__) == {category.__name__ for category in CATEGORIES}
