"""``python -m sklsq``: a demonstration on measured data."""

from __future__ import annotations

import argparse
import io
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from sklsq import datasets
from sklsq.basis import Polynomial
from sklsq.datasets import Dataset
from sklsq.display import FitDisplay
from sklsq.display.canvas import require_matplotlib
from sklsq.estimators.design_matrix import DesignMatrixRegressor
from sklsq.estimators.weighted_linear import WeightedLinearFit
from sklsq.inference.summary import format_value

__all__ = ["main"]

_PICTURE = "sklsq-demo.png"
_WIDTH = 92
_DPI = 150
_NEEDED = 3.0  # standard deviations from which a term is not put down to chance
_UNNAMED_UNITS = ("1", "as tabulated")


@dataclass(frozen=True)
class Story:
    """A data set, and the new measurement to be predicted.

    Parameters
    ----------
    load : callable
        Loader of the data set.
    x : float
        Where the new measurement will be taken.
    sigma : float, optional
        Its standard deviation; None where the data set has none.
    """

    load: Callable[[], Dataset]
    x: float
    sigma: float | None


STORIES = {
    "pion_plus": Story(datasets.load_pion_plus, x=0.30, sigma=10.0),
    "pion_minus": Story(datasets.load_pion_minus, x=0.30, sigma=10.0),
    "sea_level": Story(datasets.load_sea_level, x=2020.5, sigma=6.0),
    "norris": Story(datasets.load_norris, x=500.0, sigma=None),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    status : int
        0 if all went well, 1 if a picture asked for could not be written. Wrong arguments leave
        with 2, as `argparse` does.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # terminals without a plus-minus sign exist
    if options.plots is not None:
        return _gallery(Path(options.plots))
    return _demo(STORIES[options.data], options.plot, draw=not options.no_plot)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sklsq",
        description="Least squares with error bars as scikit-learn estimators.",
    )
    parser.add_argument("--version", action="version", version=f"sklsq {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    text = "fit measured data with a line and a parabola, judge them, predict, and draw them"
    demo = commands.add_parser("demo", help=text, description=f"{text.capitalize()}.")
    names = ", ".join(STORIES)
    demo.add_argument(
        "--data",
        default="pion_plus",
        choices=STORIES,
        metavar="NAME",
        help=f"one of {names} (default: %(default)s)",
    )
    picture = demo.add_mutually_exclusive_group()
    picture.add_argument(
        "--plot",
        metavar="FILE",
        help=f"write the picture there, as png, pdf or svg (default: {_PICTURE})",
    )
    picture.add_argument("--no-plot", action="store_true", help="draw no picture")
    picture.add_argument(
        "--plots",
        metavar="DIR",
        help="write a gallery there instead: pictures of every kind of fit, and a page of them",
    )
    return parser


def _version() -> str:
    try:
        return version("sklsq")
    except PackageNotFoundError:
        return "(source tree, not installed)"


def _gallery(directory: Path) -> int:
    """Write the gallery, and name its files; return the status of the process."""
    from sklsq.gallery import write_gallery  # imports every estimator

    try:
        require_matplotlib("The gallery")
        for file in write_gallery(directory):
            print(file, flush=True)
    except (ImportError, OSError) as error:
        print(f"No gallery: {error}", file=sys.stderr)
        return 1
    return 0


def _demo(story: Story, file: str | None, *, draw: bool) -> int:
    """Fit, print and draw a story; return the status of the process."""
    data = story.load()
    fits = {"line": WeightedLinearFit(), "parabola": DesignMatrixRegressor(Polynomial(2))}
    for fit in fits.values():
        fit.fit(data.X, data.y_values, sigma=data.sigma_values)
    print(_introduction(data))
    for name, fit in fits.items():
        print(f"\nA {name}: {fit.summary()}")
    print(f"\n{_verdict(fits['parabola'])}\n\n{_forecast(story, data, fits)}")
    return _draw(data, fits, file) if draw else 0


def _introduction(data: Dataset) -> str:
    known = "with the standard deviation of each" if data.sigma else "without standard deviations"
    what = f"{data.description.removesuffix('.')}; {len(data.frame)} points, {known}."
    return "\n".join(textwrap.wrap(what, _WIDTH) + textwrap.wrap(f"From {data.source}.", _WIDTH))


def _verdict(parabola: Any) -> str:
    """Return what the quadratic term says: for one term more, chi2 falls by its square over σ²."""
    distance = abs(parabola.params_[-1]) / parabola.params_std_[-1]
    reading = (
        "the data bend, a line is not enough"
        if distance > _NEEDED
        else "the data show no bend, a line will do"
    )
    name = parabola.param_names_[-1]
    return f"Which one? {name} is {distance:.1f} times its standard deviation: {reading}."


def _forecast(story: Story, data: Dataset, fits: dict[str, Any]) -> str:
    """Return the table of what each fit says of a new measurement."""
    X = pd.DataFrame({data.x[0]: [story.x]})
    scatter = "" if story.sigma is None else f", measured with {data.sigma} = {story.sigma:g}"
    lines = [
        f"At {data.x[0]} = {story.x:g}{scatter}:",
        f"  {'':10}{'curve':<18}{'its 68% interval':<20}68% interval of the measurement",
    ]
    for name, fit in fits.items():
        mean, std = fit.predict(X, return_std=True)
        value, error = format_value(mean[0], std[0])
        decimals = len(error.partition(".")[2])
        curve = fit.predict_interval(X)[0]
        point = fit.predict_interval(X, kind="prediction", sigma=story.sigma)[0]
        spans = [f"{low:.{decimals}f} to {high:.{decimals}f}" for low, high in (curve, point)]
        lines.append(f"  {name:10}{f'{value} ± {error}':<18}{spans[0]:<20}{spans[1]}")
    return "\n".join(lines)


def _draw(data: Dataset, fits: dict[str, Any], file: str | None) -> int:
    """Write the picture, and say so; it is an error not to if `file` was asked for by name."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print(
            "\nNo picture: matplotlib is not installed. Install it with `pip install sklsq[plot]`.",
            file=sys.stdout if file is None else sys.stderr,
        )
        return 0 if file is None else 1
    path = file or _PICTURE
    figure = Figure(figsize=(11.0, 5.6), layout="constrained")
    upper = figure.subplots(1, 2, gridspec_kw={"wspace": 0.05})
    for ax, (name, fit) in zip(upper, fits.items(), strict=True):
        ax.set_title(f"A {name}")
        FitDisplay.from_estimator(
            fit,
            data.X,
            data.y_values,
            sigma=data.sigma_values,
            xlabel=_label(data, data.x[0]),
            ylabel=_label(data, data.y),
            ax=ax,
        )
    try:
        figure.savefig(path, dpi=_DPI)
    except (OSError, ValueError) as error:
        print(f"\nNo picture: {error}", file=sys.stderr)
        return 1
    print(f"\nPicture: {path}")
    return 0


def _label(data: Dataset, column: str) -> str:
    """Return the label of an axis: name and, where the source tells it, unit."""
    name, unit = column.replace("_", " "), data.units[column]
    return name if unit in (*_UNNAMED_UNITS, name) else f"{name} ({unit})"


if __name__ == "__main__":
    sys.exit(main())
