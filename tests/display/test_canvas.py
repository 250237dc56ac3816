"""Axes are split without moving the rest, and legends find or make their room."""

import matplotlib as mpl
import numpy as np
import pytest

from sklsq.display.canvas import literal, marks, place_legend, split_axes

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_legend_makes_room(scale):
    """A drawing that fills the axes from edge to edge leaves no corner."""
    _, ax = plt.subplots()
    ax.set_yscale(scale)
    x, y = np.tile(np.linspace(0.0, 1.0, 50), 2), np.repeat([1.0, 10.0], 50)
    ax.plot(x, y, ".", label="points")
    legend = place_legend(ax, np.column_stack([x, y]), "")
    ax.figure.canvas.draw()
    pixels = ax.transData.transform(np.column_stack([x, y]))
    assert not legend.get_window_extent().count_contains(pixels)
    assert legend.get_window_extent().y1 <= ax.bbox.y1


def test_legend_takes_the_empty_corner():
    _, ax = plt.subplots()
    x = np.linspace(0.0, 1.0, 50)
    ax.plot(x, x**2, label="rising")
    limits = ax.get_ylim()
    legend = place_legend(ax, np.column_stack([x, x**2]), "caption")
    ax.figure.canvas.draw()
    assert legend.get_window_extent().x0 < ax.bbox.x0 + 0.1 * ax.bbox.width
    assert ax.get_ylim() == limits


def test_small_axes_keep_the_caption_only():
    _, ax = plt.subplots(figsize=(3.0, 1.6))
    x = np.linspace(0.0, 1.0, 50)
    for k in range(4):
        ax.plot(x, x, label=f"line {k}")
    legend = place_legend(ax, np.column_stack([x, x]), "slope 1")
    assert legend.get_title().get_text() == "slope 1"
    assert legend.get_texts() == []
    assert ax.get_legend() is legend


def test_splitting_leaves_the_neighbours():
    _, (left, right) = plt.subplots(1, 2)
    place = right.get_position().bounds
    before = left.get_position()
    lower = split_axes(left)
    assert right.get_position().bounds == place
    np.testing.assert_allclose(lower.get_position().y0, before.y0)
    np.testing.assert_allclose(left.get_position().y1, before.y1)


@pytest.mark.parametrize(
    ("text", "expected"), [("cost ($)", r"cost (\$)"), ("$x^2$", "$x^2$"), ("a_b", "a_b")]
)
def test_literal(text, expected):
    assert literal(text) == expected


def test_marks_shrink():
    sizes = [marks(n)["markersize"] for n in (0, 59, 60, 10**6)]
    assert sizes == sorted(sizes, reverse=True)
