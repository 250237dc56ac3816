"""Each picture can be read: something is drawn, axes are named, nothing is cut off, numbers hold.

All are drawn once, without a warning.
"""

import re
import warnings
from string import Formatter

import numpy as np
import pytest

from sklsq.gallery import PICTURES

pytest.importorskip("matplotlib.figure")
by_name = pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)

SECTIONS = "3.1.1 3.2.1 3.2.2 3.2.3 3.2.4 3.2.5 3.3.1 3.3.2 3.3.4 3.3.5 3.4.1 3.4.2 3.4.3"


@pytest.fixture(scope="module")
def drawn():
    """Return each picture as figure, caption and pixels, drawn when first asked for."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    known = {}

    def draw(picture):
        if picture.name not in known:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                figure, caption = picture.figure()
                canvas = FigureCanvasAgg(figure)
                canvas.draw()
            pixels = np.asarray(canvas.buffer_rgba())[..., :3] / 255.0
            known[picture.name] = figure, caption, pixels
        return known[picture.name]

    return draw


def test_every_section_has_a_picture():
    assert list(dict.fromkeys(picture.section for picture in PICTURES)) == SECTIONS.split()
    assert len({picture.name for picture in PICTURES}) == len(PICTURES)
    for picture in PICTURES:
        assert picture.name.startswith(picture.section.replace(".", "-"))


@by_name
def test_picture_is_not_blank(drawn, picture):
    _, _, pixels = drawn(picture)
    inked = (pixels < 0.97).any(axis=-1)
    assert inked.mean() > 0.02  # axes, text and lines alone
    assert len(np.unique(np.round(pixels[inked], 1), axis=0)) > 3


@by_name
def test_nothing_is_cut_off(drawn, picture):
    """A label that reaches over the edge leaves ink on it."""
    _, _, pixels = drawn(picture)
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (edge == 1.0).all()


def is_named(axis):
    """Tell whether an axis says what it is, by a label, or by names in place of numbers."""
    names = [label.get_text() for label in axis.get_ticklabels()]
    return bool(axis.label.get_text()) or any(re.search("[a-z]", name) for name in names)


def is_named_somewhere(ax, which):
    """Tell whether this axis, or one that it shares its scale with, is named."""
    siblings = getattr(ax, f"get_shared_{which}_axes")().get_siblings(ax)
    return any(is_named(getattr(sibling, f"{which}axis")) for sibling in siblings)


@by_name
def test_axes_are_named(drawn, picture):
    figure, _, _ = drawn(picture)
    bars = [ax for ax in figure.axes if ax.get_label() == "<colorbar>"]
    shown = [ax for ax in figure.axes if ax.axison and ax not in bars]
    assert shown
    assert all(is_named_somewhere(ax, "x") for ax in shown)
    assert all(is_named(bar.yaxis) for bar in bars)
    unnamed = [ax for ax in shown if not is_named_somewhere(ax, "y")]
    if picture.name == "3-4-2-contours":  # what is named at the left holds for the row
        left = min(ax.get_position().x0 for ax in shown)
        unnamed = [ax for ax in unnamed if ax.get_position().x0 == left]
    assert not unnamed


@by_name
def test_captions_hold_computed_numbers_only(drawn, picture):
    parts = list(Formatter().parse(picture.caption))
    assert not re.search(r"\d", "".join(literal for literal, *_ in parts))
    assert any(name for _, name, *_ in parts)
    assert not re.search(r"\bnan|\binf\b|[{}]", drawn(picture)[1])


def test_numbers_are_what_they_are_said_to_be(drawn):
    """What words of the captions claim, in numbers."""
    numbers = {
        picture.name: [
            float(number.replace("−", "-"))
            for number in re.findall(r"−?\d+\.?\d*(?:e[-−]\d+)?", drawn(picture)[1])
        ]
        for picture in PICTURES
    }
    _, chi2, normal, serial, _ = numbers["3-1-1-residuals"]
    assert min(chi2, normal) > 0.05  # "say little"
    assert serial < 0.001  # "find it"
    assert numbers["3-1-1-outliers"][:3] == [40.0, 3.0, 3.0]
    assert numbers["3-2-1-line"][2] > 0.05  # "adequate"
    y_on_x, x_on_y, geometric, york, york_std = numbers["3-2-4-type-two"]
    np.testing.assert_allclose(geometric**2, y_on_x * x_on_y, atol=1e-3)  # as printed
    # York et al. (2004), table II.
    np.testing.assert_allclose([york, york_std], [-0.4805, 0.0580], atol=6e-4)
    np.testing.assert_allclose(numbers["3-2-5-york"][:2], [-0.4805, 0.0580], atol=5e-5)
    good, right, left = numbers["3-4-1-search"][1:]
    assert good == 37.0  # chi2 over what the scatter of 37 degrees of freedom implies
    assert min(right, left) > 100.0 * good
