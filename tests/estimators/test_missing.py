"""Missing points of some of many curves, however they are written."""

import numpy as np
import pandas as pd
import pytest

from sklsq import NonlinearLSQ
from sklsq.estimators._missing import filled, missing_as_nan

X = np.linspace(0.0, 4.0, 15)[:, None]
Y = np.exp(-0.5 * X) * [1.0, 2.0] + 0.01 * np.random.default_rng(2).normal(size=(15, 2))
Y[[2, 5], [0, 1]] = np.nan


@pytest.mark.parametrize(
    "written",
    [
        Y.astype(object),
        np.where(np.isnan(Y), None, Y),
        pd.DataFrame(Y),
        pd.DataFrame(Y).convert_dtypes(),
        pd.DataFrame(Y).astype(object).where(~np.isnan(Y), pd.NA),
    ],
    ids=["objects", "None", "frame", "nullable", "NA"],
)
def test_all_are_the_same_fit(written):
    np.testing.assert_array_equal(missing_as_nan(written), Y)
    fits = [NonlinearLSQ("a*exp(-b*x)", [1.0, 1.0]).fit(X, each) for each in (Y, written)]
    np.testing.assert_array_equal(fits[0].params_, fits[1].params_)
    assert fits[1].dof_.tolist() == [12, 12]


def test_what_is_no_number_stays_to_be_refused():
    assert missing_as_nan([["a", None]]).dtype == object
    with pytest.raises(ValueError, match="could not convert"):
        NonlinearLSQ("a*exp(-b*x)", [1.0, 1.0]).fit(
            X, np.where(np.isnan(Y), "none", Y.astype(object))
        )


def test_only_what_stands_for_each_point_is_filled():
    missing = np.isnan(Y)
    assert filled(None, missing) is None
    assert filled(0.5, missing) == 0.5
    sigma = np.where(missing, np.nan, 0.2)
    np.testing.assert_array_equal(filled(sigma, missing), np.where(missing, 1.0, 0.2))
