"""One seed, one stream of numbers."""

import numpy as np
import pytest

from sklsq.inference.random_numbers import generator_of


def test_none_is_as_good_as_zero():
    assert generator_of(None).random() == generator_of(0).random()
    assert generator_of(1).random() != generator_of(0).random()


def test_a_source_goes_on():
    state = np.random.RandomState(0)
    assert generator_of(state).random() == generator_of(0).random()
    assert generator_of(state).random() != generator_of(0).random()
    generator = np.random.default_rng(0)
    assert generator_of(generator) is generator


def test_what_is_no_source():
    with pytest.raises(ValueError, match="cannot be used to seed"):
        generator_of("seed")
