"""Scorers that know σ, for cross-validation and searches.

With ``sklearn.set_config(enable_metadata_routing=True)`` these scorers take the σ of each fold by
themselves::

    cross_validate(fit, X, y, scoring=get_scorer("neg_reduced_chi2"), params={"sigma": sigma})

A scorer is an object: scikit-learn's ``scoring=`` takes it wherever it takes the name of one of its
own. ``make_scorer(reduced_chi2_score, greater_is_better=False).set_score_request(sigma=True)`` is
the same with scikit-learn's means. Without routing, σ reaches `fit` (``params={"sigma": sigma}`` of
`cross_validate`, ``search.fit(X, y, sigma=sigma)``), but no scorer: there, `legacy_scorer` looks up
σ by the index of the rows.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from sklsq.exceptions import UnweightedScoreWarning, warn_caller
from sklsq.inference.fitted_values import row_labels, summary_of
from sklsq.metrics.agreement import chi2_score, reduced_chi2_score, weighted_r2_score
from sklsq.noise import check_noise

__all__ = ["LegacyScorer", "Scorer", "get_scorer", "get_scorer_names", "legacy_scorer"]


def _score(name: str, y_true: Any, y_pred: Any, sigma: Any, sample_weight: Any) -> float:
    if name == "r2":
        return weighted_r2_score(y_true, y_pred, sigma=sigma, sample_weight=sample_weight)
    metric = chi2_score if name == "neg_chi2" else reduced_chi2_score
    return -cast(float, metric(y_true, y_pred, sigma=sigma, sample_weight=sample_weight))


_NAMES = ("neg_chi2", "neg_reduced_chi2", "r2")


def _check_name(name: Any) -> None:
    if name not in _NAMES:
        raise ValueError(f"`metric` must be one of {', '.join(_NAMES)}. Got {name!r}.")


class Scorer(BaseEstimator):
    """A metric as scikit-learn's ``scoring=`` takes it, with σ routed to it.

    Made by `get_scorer`. It requests ``sigma``; ``set_score_request(sigma="s")`` takes it from
    another name, ``set_score_request(sigma=False, sample_weight=True)`` takes 1/σ² instead.

    Parameters
    ----------
    metric : {"neg_chi2", "neg_reduced_chi2", "r2"}
        Name of the metric.
    """

    __metadata_request__score: ClassVar = {"estimator": UNUSED, "sigma": True}

    def __init__(self, metric: str = "neg_reduced_chi2") -> None:
        self.metric = metric

    def __call__(self, estimator: Any, X: Any, y: Any, **errors: Any) -> float:
        """Return `score`, as scikit-learn calls it."""
        return self.score(estimator, X, y, **errors)

    def score(
        self, estimator: Any, X: Any, y: Any, *, sigma: Any = None, sample_weight: Any = None
    ) -> float:
        """Return the score of `estimator` on these data; greater is better.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with `predict`.
        X : array_like of shape (n, p)
            Features.
        y : array_like of shape (n,) or (n, t)
            Measured values.
        sigma : float or array_like of shape (n,) or (n, t), optional
            Their standard deviations.
        sample_weight : array_like of shape (n,) or (n, t), optional
            1/σ², the other spelling.

        Warns
        -----
        UnweightedScoreWarning
            If the fit was weighted by σ, and none has reached the scorer.
        """
        _check_name(self.metric)
        if sigma is None and sample_weight is None:
            _warn_if_weighted(estimator, self.metric)
        return _score(self.metric, y, estimator.predict(X), sigma, sample_weight)


def _warn_if_weighted(estimator: Any, metric: str) -> None:
    summary = summary_of(estimator)
    if summary is not None and summary.sigma_given:
        warn_caller(
            f"The fit was weighted by sigma but the score {metric!r} is not: no sigma has reached "
            "the scorer. Call `sklearn.set_config(enable_metadata_routing=True)` and pass sigma as "
            "metadata, or use `sklsq.metrics.legacy_scorer`.",
            UnweightedScoreWarning,
        )


def get_scorer(name: str) -> Scorer:
    """Return a scorer by its name.

    Parameters
    ----------
    name : {"neg_chi2", "neg_reduced_chi2", "r2"}
        Minus χ², minus χ² per point, or the coefficient of determination weighted by 1/σ². Of these
        "neg_chi2" is to be summed over folds, the others averaged.

    Returns
    -------
    scorer : Scorer
        An object for scikit-learn's ``scoring=``, that requests ``sigma``.

    Raises
    ------
    ValueError
        If there is no such scorer.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.model_selection import cross_validate
    >>> from sklsq import WeightedLinearFit
    >>> from sklsq.datasets import load_pion_minus
    >>> from sklsq.metrics import get_scorer
    >>> data = load_pion_minus()
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     result = cross_validate(
    ...         WeightedLinearFit(),
    ...         data.X,
    ...         data.y_values,
    ...         params={"sigma": data.sigma_values},
    ...         scoring=get_scorer("neg_reduced_chi2"),
    ...         cv=3,
    ...     )
    >>> result["test_score"].round(2).tolist()
    [-2.59, -0.27, -1.64]
    """
    _check_name(name)
    return Scorer(name)


def get_scorer_names() -> list[str]:
    """Return the names that `get_scorer` and `legacy_scorer` know."""
    return list(_NAMES)


class LegacyScorer(BaseEstimator):
    """A metric for ``scoring=`` that looks up σ by the index of the rows; see `legacy_scorer`.

    Parameters
    ----------
    sigma : Series or DataFrame
        Standard deviations of all rows, with a unique index.
    metric : {"neg_chi2", "neg_reduced_chi2", "r2"}
        Name of the metric.
    """

    def __init__(self, sigma: pd.Series | pd.DataFrame, metric: str = "neg_reduced_chi2") -> None:
        self.sigma = sigma
        self.metric = metric

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Return the score of `estimator` on these data, with their σ; greater is better.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with `predict`.
        X : DataFrame of shape (n, p)
            Features; they may be an array if `y` has an index.
        y : Series or array_like of shape (n,) or (n, t)
            Measured values.

        Raises
        ------
        ValueError
            If the rows have no index, or one that `sigma` does not have.
        """
        index = row_labels(X, y)
        if index is None:
            raise ValueError(
                "`X` or `y` must be pandas data, whose index says which rows they are: the scorer "
                f"finds their sigma by it. Got {type(X).__name__} and {type(y).__name__}; wrap X "
                "in a DataFrame, or turn on metadata routing and use `get_scorer`."
            )
        missing = index.difference(self.sigma.index)
        if len(missing):
            raise ValueError(
                f"`sigma` must have every row that is scored. Got none for the index "
                f"{missing[0]} ({len(missing)} rows in all); give it the index of X."
            )
        sigma = self.sigma.loc[index].to_numpy()
        return _score(self.metric, np.asarray(y), estimator.predict(X), sigma, None)


def legacy_scorer(
    sigma: pd.Series | pd.DataFrame, metric: str = "neg_reduced_chi2"
) -> LegacyScorer:
    """Return a scorer that knows σ, for cross-validation without metadata routing.

    scikit-learn's default way hands no σ to a scorer. This one brings all of them along and takes
    those of the rows it is asked to score, by the pandas index of X or y. The *fit* gets its σ by
    ``params={"sigma": sigma}`` of `cross_validate` and `cross_val_score`, and by
    ``search.fit(X, y, sigma=sigma)`` of `GridSearchCV`; in a `Pipeline` by the name of the step,
    ``params={"weightedlinearfit__sigma": sigma}``. scikit-learn selects the rows of each fold
    there.

    Parameters
    ----------
    sigma : Series of shape (n,) or DataFrame of shape (n, t)
        Standard deviations of all rows, with the index of X.
    metric : {"neg_chi2", "neg_reduced_chi2", "r2"}, default="neg_reduced_chi2"
        See `get_scorer`.

    Returns
    -------
    scorer : LegacyScorer
        Can be cloned and pickled.

    Raises
    ------
    ValueError
        If `sigma` is not pandas data, its index not unique, or a value not positive; if there is no
        such metric.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklsq import WeightedLinearFit
    >>> from sklsq.datasets import load_pion_minus
    >>> from sklsq.metrics import legacy_scorer
    >>> data = load_pion_minus()
    >>> scores = cross_val_score(
    ...     WeightedLinearFit(),
    ...     data.X,
    ...     data.y_values,
    ...     params={"sigma": data.sigma_values},
    ...     scoring=legacy_scorer(data.sigma_values),
    ...     cv=3,
    ... )
    >>> scores.round(2).tolist()
    [-2.59, -0.27, -1.64]
    """
    _check_name(metric)
    if not isinstance(sigma, pd.Series | pd.DataFrame):
        raise ValueError(
            "`sigma` must be a pandas Series or DataFrame: rows are found by its index. Got "
            f"{type(sigma).__name__}; make one with `pd.Series(sigma, index=X.index)`."
        )
    if not sigma.index.is_unique:
        repeated = sigma.index[sigma.index.duplicated()][0]
        raise ValueError(
            f"`sigma` must have a unique index. Got {repeated} more than once; call "
            "`reset_index(drop=True)` on X, y and sigma."
        )
    check_noise(sigma, None, len(sigma), sigma.shape[1] if sigma.ndim == 2 else None)
    return LegacyScorer(sigma, metric)
