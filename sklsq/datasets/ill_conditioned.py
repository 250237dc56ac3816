"""Linear problems whose columns are nearly dependent."""

from sklsq.datasets.dataset import Dataset, read_table

__all__ = ["load_filip", "load_longley"]

_NIST_SOURCE = (
    "NIST Statistical Reference Datasets, {}.dat, as stored in "
    "github.com/joshday/NISTStatisticalReferenceData.jl @ bc272de"
)


def load_filip() -> Dataset:
    """Load NIST's hardest linear problem, a polynomial of degree ten in a narrow range of x.

    The eleven monomials are so nearly dependent that a solver which forms them loses all, or
    nearly all, of its digits in double precision.

    Returns
    -------
    Dataset
        82 rows: ``x`` and ``y``.

    References
    ----------
    Filippelli, A., NIST; NIST Statistical Reference Datasets.

    Examples
    --------
    >>> from sklsq.datasets import load_filip
    >>> load_filip().frame.head(3)
              x       y
    0 -6.860121  0.8116
    1 -4.324130  0.9072
    2 -4.358625  0.9052
    """
    return Dataset(
        frame=read_table("filip"),
        x=["x"],
        y="y",
        description="Observations that NIST fits with a polynomial of degree ten.",
        source=_NIST_SOURCE.format("Filip"),
        units={"x": "as tabulated", "y": "as tabulated"},
    )


def load_longley() -> Dataset:
    """Load employment in the United States, 1947 to 1962, with six collinear economic series.

    The observations with which Longley showed in 1967 that the regression programs of the day
    could return answers without one correct digit.

    Returns
    -------
    Dataset
        16 rows: ``deflator`` (of the gross national product), ``gnp``, ``unemployed``,
        ``armed_forces``, ``population``, ``year`` and, the target, ``employed``.

    References
    ----------
    Longley, J. W. (1967), Journal of the American Statistical Association 62, 819-841.

    Examples
    --------
    >>> from sklsq.datasets import load_longley
    >>> longley = load_longley()
    >>> longley.x
    ['deflator', 'gnp', 'unemployed', 'armed_forces', 'population', 'year']
    >>> longley.y_values.head(3).tolist()
    [60323, 61122, 60171]
    """
    frame = read_table("longley")
    features = [name for name in frame.columns if name != "employed"]
    return Dataset(
        frame=frame,
        x=features,
        y="employed",
        description="Employment in the United States and six economic series, 1947 to 1962.",
        source=f"{_NIST_SOURCE.format('Longley')}; the same in statsmodels 0.15",
        units={**dict.fromkeys(frame.columns, "as tabulated"), "year": "year"},
    )
