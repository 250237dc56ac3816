"""A data set: the frame of the numbers, the part each column plays, and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

import pandas as pd

__all__ = ["Dataset", "read_table"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Measurements in a frame, with the names of the columns that enter a fit.

    Attributes
    ----------
    frame : pandas.DataFrame
        All columns, one row for each measurement.
    x : list of str
        Columns that are features.
    y : str
        Column that is the target.
    sigma : str or None
        Column with the standard deviation of ``y``, in the units of ``y``; None where unknown.
    sigma_x : str or None
        Column with the standard deviation of the one feature; None where it is exact or unknown.
    description : str
        What was measured.
    source : str
        Who measured it, and the stored files the numbers were checked against.
    units : mapping of str to str
        Unit of each column of ``frame``; ``"1"`` where it has none.

    Examples
    --------
    >>> from sklsq.datasets import load_sea_level
    >>> sea_level = load_sea_level()
    >>> sea_level
    Dataset(x=['year'], y='level', sigma='sigma', sigma_x=None)
    >>> sea_level.X.shape, sea_level.y_values.shape, sea_level.sigma_values.shape
    ((134, 1), (134,), (134,))
    """

    frame: pd.DataFrame = field(repr=False)
    x: list[str]
    y: str
    sigma: str | None = None
    sigma_x: str | None = None
    description: str = field(repr=False)
    source: str = field(repr=False)
    units: Mapping[str, str] = field(repr=False)

    @property
    def X(self) -> pd.DataFrame:
        """Features, shape (n_samples, n_features)."""
        return self.frame[self.x]

    @property
    def y_values(self) -> pd.Series:
        """Target, shape (n_samples,)."""
        return self.frame[self.y]

    @property
    def sigma_values(self) -> pd.Series | None:
        """Standard deviation of each target, shape (n_samples,); None where it is unknown."""
        return None if self.sigma is None else self.frame[self.sigma]

    @property
    def sigma_x_values(self) -> pd.Series | None:
        """Standard deviation of each feature value, shape (n_samples,); None where unknown."""
        return None if self.sigma_x is None else self.frame[self.sigma_x]


def read_table(name: str) -> pd.DataFrame:
    """Read one of the tables that come with the package.

    Parameters
    ----------
    name : str
        Name of the file in ``sklsq/datasets/data`` without its ending.

    Returns
    -------
    pandas.DataFrame
        The table as stored.
    """
    table = resources.files("sklsq.datasets") / "data" / f"{name}.csv"
    with table.open(encoding="utf-8") as stream:
        return pd.read_csv(stream)
