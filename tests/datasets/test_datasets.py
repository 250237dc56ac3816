"""Each data set is whole, says where it comes from, and gives the answer its source prints."""

import numpy as np
import pandas as pd
import pytest

from sklsq import datasets
from sklsq.datasets import (
    Dataset,
    load_dnase,
    load_filip,
    load_gaussian_peak,
    load_longley,
    load_norris,
    load_pearson_york,
    load_pion_minus,
    load_pion_plus,
    load_puromycin,
    load_sea_level,
)
from tests.known_answers import digits, record

LOADERS = {name: getattr(datasets, name) for name in datasets.__all__ if name.startswith("load_")}
N_ROWS = {
    load_dnase: 176,
    load_filip: 82,
    load_gaussian_peak: 41,
    load_longley: 16,
    load_norris: 36,
    load_pearson_york: 10,
    load_pion_minus: 10,
    load_pion_plus: 10,
    load_puromycin: 23,
    load_sea_level: 134,
}
every_dataset = pytest.mark.parametrize("load", LOADERS.values(), ids=LOADERS.keys())


def weighted_polynomial(dataset, degree):
    """Coefficients, their absolute errors and χ², by the textbook formulas."""
    design = np.vander(dataset.X.to_numpy()[:, 0], degree + 1, increasing=True)
    whitened = design / dataset.sigma_values.to_numpy()[:, None]
    target = dataset.y_values.to_numpy() / dataset.sigma_values.to_numpy()
    coefficients, chi2, *_ = np.linalg.lstsq(whitened, target, rcond=None)
    return coefficients, np.sqrt(np.diag(np.linalg.inv(whitened.T @ whitened))), chi2[0]


@every_dataset
def test_whole(load):
    dataset = load()
    assert isinstance(dataset, Dataset)
    assert dataset.frame.shape[0] == N_ROWS[load]
    assert not dataset.frame.isna().to_numpy().any()
    assert list(dataset.X.columns) == dataset.x
    assert all(pd.api.types.is_numeric_dtype(dtype) for dtype in dataset.X.dtypes)
    pd.testing.assert_series_equal(dataset.y_values, dataset.frame[dataset.y])


@every_dataset
def test_documented(load):
    dataset = load()
    assert dataset.description.endswith(".")
    assert dataset.source
    assert set(dataset.units) == set(dataset.frame.columns)
    assert {"Returns", "References", "Examples"} <= set(load.__doc__.split())


@every_dataset
def test_errors_are_positive(load):
    dataset = load()
    for column, values in (
        (dataset.sigma, dataset.sigma_values),
        (dataset.sigma_x, dataset.sigma_x_values),
    ):
        assert (values is None) == (column is None)
        assert values is None or (values > 0).all()


@every_dataset
def test_every_call_gives_a_fresh_frame(load):
    dataset = load()
    del dataset.frame[dataset.y]
    assert load().y in load().frame


@pytest.mark.parametrize(
    ("load", "identifier"),
    [
        (load_norris, "nist_Norris"),
        (load_filip, "nist_Filip"),
        (load_longley, "nist_Longley"),
        (load_gaussian_peak, "octave_gauss_A_unweighted41"),
    ],
)
def test_same_numbers_as_the_known_answer(load, identifier):
    dataset, known = load(), record(identifier)
    np.testing.assert_array_equal(dataset.y_values, known.y)
    columns = [name for name in known.raw["data"] if name.startswith("x")]
    expected = np.column_stack([known.raw["data"][name] for name in columns])
    np.testing.assert_array_equal(dataset.X, expected)


def test_pearson_york_has_the_errors_of_york():
    dataset, known = load_pearson_york(), record("eiv_pearson_york")
    np.testing.assert_array_equal(dataset.X, known.X)
    np.testing.assert_array_equal(dataset.y_values, known.y)
    np.testing.assert_allclose(dataset.sigma_values, known.sigma, rtol=1e-15)  # one square root
    np.testing.assert_allclose(dataset.sigma_x_values, known.sigma_x, rtol=1e-15)


@pytest.mark.parametrize(
    ("load", "identifier", "group"),
    [(load_puromycin, "r_Puromycin_micmen", "state"), (load_dnase, "r_DNase_logis", "run")],
)
def test_same_numbers_as_r(load, identifier, group):
    dataset, known = load(), record(identifier)
    x = dataset.X.to_numpy()
    x = np.log(x) if identifier == "r_DNase_logis" else x
    np.testing.assert_allclose(x, known.X, rtol=1e-15)  # R's own logarithm
    np.testing.assert_array_equal(dataset.y_values, known.y)
    np.testing.assert_array_equal(dataset.frame[group].astype(str), known.groups)


def test_pion_plus_gives_the_printed_line_and_parabola():
    dataset = load_pion_plus()
    line, errors, chi2 = weighted_polynomial(dataset, 1)
    # Weisberg (2005), Faraway (2002): R scales the errors by sqrt(chi2 / 8).
    assert line == pytest.approx([148.473, 530.835], abs=5e-4)
    assert errors * np.sqrt(chi2 / 8) == pytest.approx([8.079, 47.550], abs=5e-4)
    *_, chi2_of_parabola = weighted_polynomial(dataset, 2)
    assert [chi2, chi2_of_parabola] == pytest.approx([21.953, 3.226], abs=5e-4)


def test_pion_minus_is_a_straight_line():
    *_, chi2 = weighted_polynomial(load_pion_minus(), 1)
    *_, chi2_of_parabola = weighted_polynomial(load_pion_minus(), 2)
    assert 0.5 < chi2 / 8 < 1.5
    assert chi2 - chi2_of_parabola < 1


def test_sea_level_rises_at_the_published_rate():
    dataset = load_sea_level()
    years = dataset.frame["year"].between(1900, 2010)
    line, *_ = np.polyfit(dataset.frame["year"][years], dataset.frame["level"][years], 1)
    assert line == pytest.approx(1.7, abs=0.2)  # Church and White (2011): 1.7 ± 0.2 mm/year


def test_gaussian_peak_is_near_its_truth():
    known = record("octave_gauss_A_unweighted41")
    truth = np.array(known.raw["truth"])
    pulls = (np.array(known.reference["coef"]) - truth) / known.reference["se"]
    assert np.all(abs(pulls) < 3)
    residual = load_gaussian_peak().y_values - known.predict(known.reference["coef"])
    assert digits(np.sum(residual**2), known.reference["rss"]) > 12
