"""What numbers along an axis share is in its label, and they are told apart."""

import matplotlib as mpl
import pytest

from sklsq.display.ticks import Scale, number_sparsely, scale_of

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.mark.parametrize(
    ("low", "high", "label"),
    [
        (0.4, 0.6, "b"),
        (-1200.0, 3400.0, "b"),
        (5.4e-4, 5.6e-4, "b / $10^{-4}$"),
        (2.1e7, 2.4e7, "b / $10^{7}$"),
        (1.001, 1.003, "b"),
        (1467.48912, 1467.48918, "(b − 1467.4891) / $10^{-5}$"),
        (-1000000.5, -999999.5, "b + 1000000"),
        (3.0, 3.0, "b"),
        (float("nan"), 1.0, "b"),
    ],
)
def test_label(low, high, label):
    assert scale_of(low, high).label("b") == label


@pytest.mark.parametrize(
    ("scale", "value", "step", "text"),
    [
        (Scale(), 1.0, 0.5, "1.0"),
        (Scale(), -1.0, 0.25, "−1.00"),
        (Scale(), 200.0, 50.0, "200"),
        (Scale(0.0, -4), 5.5e-4, 5e-6, "5.50"),
        (Scale(1467.4892, -5, 4), 1467.48922, 1e-5, "2"),
    ],
)
def test_number(scale, value, step, text):
    assert scale.number(value, step) == text


@pytest.mark.parametrize(
    "limits", [(0.4, 0.6), (5.41e-4, 5.59e-4), (1467.48911, 1467.48918), (-3.0, 1e5), (1e-9, 2e-9)]
)
def test_numbers_are_few_short_and_different(limits):
    _, ax = plt.subplots()
    ax.set_xlim(limits)
    number_sparsely(ax.xaxis, scale_of(*limits))
    ax.figure.draw_without_rendering()
    texts = [
        label.get_text()
        for tick, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
        if limits[0] <= tick <= limits[1]
    ]
    plt.close("all")
    assert 2 <= len(texts) <= 4
    assert len(set(texts)) == len(texts)
    assert max(map(len, texts)) <= 7
