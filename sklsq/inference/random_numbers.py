"""Where random numbers come from: results are repeatable unless asked not to be."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

__all__ = ["generator_of"]


def generator_of(random_state: Any) -> np.random.Generator:
    """Return the source of random numbers that a user's `random_state` stands for.

    Parameters
    ----------
    random_state : int, RandomState, Generator or None
        None is as good as 0. A generator, or RandomState, goes on from where it is.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    state = check_random_state(0 if random_state is None else random_state)
    return np.random.default_rng(state.randint(2**31))
