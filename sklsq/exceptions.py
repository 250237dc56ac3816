"""Warnings that say what the data of a fit could not tell."""

import sys
import warnings

__all__ = [
    "BoundWarning",
    "DegreesOfFreedomWarning",
    "ExtrapolationWarning",
    "RankWarning",
    "UnweightedScoreWarning",
    "warn_caller",
]


class BoundWarning(UserWarning):
    """A parameter of a nonlinear fit ended on one of its bounds.

    Raised by ``fit``; the message names the parameters. Such a parameter is held by the bound, not
    by the data: its standard deviation is NaN, and those of the others are for that value of it.

    What to do: widen the bound if it is not a hard limit of nature; else report the bound, and find
    limits by a profile of χ².
    """


class RankWarning(UserWarning):
    """The data cannot tell some combinations of parameters apart.

    Raised by ``fit`` when the whitened design matrix is rank deficient, or has fewer rows than
    parameters. The message names the combinations; predictions along the data are not harmed, and
    the parameters published are the shortest of all that fit equally well.

    What to do: drop or fix one parameter of each named combination, or measure where the columns
    differ. To be content with the minimum-norm answer, silence the category; to stop a program at
    the first such fit, turn it into an error.

    Examples
    --------
    >>> import warnings
    >>> from sklsq.exceptions import RankWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", RankWarning)
    ...     warnings.warn("b and c enter only as b + c", RankWarning)
    """


class DegreesOfFreedomWarning(UserWarning):
    """There are not more data than free parameters, so the scatter says nothing about the errors.

    Raised by ``fit`` when ``dof_`` is zero or negative. ``reduced_chi2_`` and ``p_value_`` are NaN,
    and so is every error that would have been scaled by ``reduced_chi2_``.

    What to do: take more data, free fewer parameters, or pass the known ``sigma`` of the
    measurements, whose errors do not depend on the scatter.
    """


class ExtrapolationWarning(UserWarning):
    """A polynomial is asked for values outside the range of the data it was fitted to.

    Raised by ``predict``, once for each fit; the message names the range and how far beyond it the
    new points lie. A polynomial follows its highest power there, whatever the data would do.

    What to do: measure there, choose a function that is known to hold outside, or silence the
    category where the extrapolation is meant.
    """


class UnweightedScoreWarning(UserWarning):
    """A fit weighted by ``sigma`` is being scored without the ``sigma`` of the scored data.

    Raised by ``score`` when the estimator was fitted with ``sigma`` or ``sample_weight`` and the
    call brings neither. The R² returned gives every point the same weight and is not comparable
    with the fit.

    What to do: pass ``sigma`` to ``score``; inside ``cross_validate``, ``GridSearchCV`` or a
    ``Pipeline`` turn on ``sklearn.set_config(enable_metadata_routing=True)`` and hand ``sigma``
    over as metadata.
    """


def warn_caller(text: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Emit a warning at the line of the user's that led here, however deep in this package."""
    frame, level = sys._getframe(1), 2
    package = __name__.partition(".")[0] + "."
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(package):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)
