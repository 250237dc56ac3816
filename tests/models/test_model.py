import numpy as np
import pytest

from sklsq.models.model import BLOCK_POINTS, blocks


@pytest.mark.parametrize(
    ("n_problems", "n_samples"),
    [(1, 1), (1, 3 * BLOCK_POINTS + 1), (5, BLOCK_POINTS - 1), (1000, 100), (3, 0), (7, 9000)],
)
def test_blocks_cover_everything_once(n_problems, n_samples):
    counts = np.zeros((n_problems, n_samples), int)
    for problems, rows in blocks(n_problems, n_samples):
        counts[problems, rows] += 1
        assert counts[problems, rows].size <= BLOCK_POINTS
    assert (counts == 1).all()
