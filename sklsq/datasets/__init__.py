"""Small data sets with their sources, for examples and tests."""

from sklsq.datasets.curves import load_dnase, load_gaussian_peak, load_puromycin
from sklsq.datasets.dataset import Dataset
from sklsq.datasets.ill_conditioned import load_filip, load_longley
from sklsq.datasets.lines import (
    load_norris,
    load_pearson_york,
    load_pion_minus,
    load_pion_plus,
    load_sea_level,
)

__all__ = [
    "Dataset",
    "load_dnase",
    "load_filip",
    "load_gaussian_peak",
    "load_longley",
    "load_norris",
    "load_pearson_york",
    "load_pion_minus",
    "load_pion_plus",
    "load_puromycin",
    "load_sea_level",
]
