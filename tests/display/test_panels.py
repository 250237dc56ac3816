"""Panels find their place."""

import matplotlib as mpl
import numpy as np
import pytest

from sklsq.display.panels import panel_axes

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("n_panels", [1, 2, 3, 4])
def test_new_figure(n_panels):
    axes = panel_axes(None, n_panels)
    assert len(axes) == len(axes[0].figure.axes) == n_panels


@pytest.mark.parametrize("by_hand", [True, False])
def test_in_the_place_of_one(by_hand):
    figure, (left, right) = plt.subplots(1, 2)
    place = figure.add_axes((0.1, 0.2, 0.3, 0.4)) if by_hand else left
    bounds, neighbour = place.get_position(), right.get_position().bounds
    axes = panel_axes(place, 4)
    corners = np.array([ax.get_position().extents for ax in axes])
    np.testing.assert_allclose(corners[:, :2].min(axis=0), bounds.p0)
    np.testing.assert_allclose(corners[:, 2:].max(axis=0), bounds.p1)
    assert not place.axison
    assert right.get_position().bounds == neighbour


def test_axes_as_given():
    _, grid = plt.subplots(2, 2)
    assert panel_axes(grid, 4) == list(grid.ravel())
    assert panel_axes(grid[0, 1], 1) == [grid[0, 1]]
    with pytest.raises(ValueError, match=r"`ax` must be one axes, or one for each of the 3 panels"):
        panel_axes(grid, 3)
