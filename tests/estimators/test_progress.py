import numpy as np
import pytest
from sklearn.base import clone

from sklsq import NonlinearLSQ

X = np.linspace(0.0, 5.0, 40)[:, None]
Y = 3.0 * np.exp(-0.7 * X[:, 0]) + 0.05 * np.random.default_rng(0).normal(size=40)
FORMULA = "a*exp(-k*x)"


@pytest.mark.parametrize("p0", [None, [1.0, 3.0]])
def test_callback_hears_of_each_lower_chi2(p0):
    heard = []
    fit = NonlinearLSQ(FORMULA, p0=p0, callback=lambda *args: heard.append(args))
    fit.fit(X, Y, sigma=0.05)
    plain = NonlinearLSQ(FORMULA, p0=p0).fit(X, Y, sigma=0.05)
    chi2, numbers = [entry[1] for entry in heard], [entry[2] for entry in heard]
    assert chi2 == sorted(chi2, reverse=True)
    assert numbers == sorted(numbers)
    assert len(heard) >= 2
    last, lowest, _ = heard[-1]
    assert lowest == pytest.approx(fit.chi2_, rel=1e-2)
    assert lowest == pytest.approx(
        np.sum(((Y - last["a"] * np.exp(-last["k"] * X[:, 0])) / 0.05) ** 2)
    )
    np.testing.assert_allclose(fit.params_, plain.params_, rtol=1e-9)
    np.testing.assert_allclose(fit.params_cov_, plain.params_cov_, rtol=1e-6)


def test_callback_names_fixed_parameters_too():
    heard = []
    NonlinearLSQ(FORMULA, p0=[1.0, 3.0], fixed={"a": 3.0}, callback=lambda *a: heard.append(a)).fit(
        X, Y
    )
    assert all(params["a"] == 3.0 for params, *_ in heard)


def test_callback_can_end_the_fit():
    class TakesTooLongError(Exception):
        pass

    def impatient(params, chi2, n_points):
        raise TakesTooLongError(n_points)

    estimator = NonlinearLSQ(FORMULA, p0=[1.0, 3.0], callback=impatient)
    with pytest.raises(TakesTooLongError, match="1"):
        estimator.fit(X, Y)
    assert not hasattr(estimator, "params_")
    assert clone(estimator).callback is impatient


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 1), (2, 3)])
def test_verbose_prints(verbose, lines, capsys):
    NonlinearLSQ(FORMULA, p0=[1.0, 3.0], verbose=verbose).fit(X, Y, sigma=0.05)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) >= lines
    assert (len(printed) == lines) or verbose == 2
    assert all("chi2 = " in line for line in printed)
    if verbose == 2:
        assert "a = " in printed[0]
        assert "k = " in printed[0]
