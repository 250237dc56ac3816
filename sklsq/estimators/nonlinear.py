"""Nonlinear least squares: any model y = f(x; parameters), with errors, and without a start."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy.linalg.lapack import dtrtri
from sklearn.utils import check_random_state

from sklsq._typing import BoolArray, FloatArray
from sklsq.estimators._binding import bound_model, feature_columns
from sklsq.estimators._curves import Curves, whitened_curves
from sklsq.estimators._distances import by_distance
from sklsq.estimators._minima import PublishedMinima
from sklsq.estimators._missing import filled, missing_as_nan
from sklsq.estimators._one_curve import minimum_of_one_curve
from sklsq.estimators._parameter_space import ParameterSpace, parameter_space
from sklsq.estimators._progress import Progress, printed, watched
from sklsq.estimators._searching import STARTS, Search, given_start, nothing_free
from sklsq.noise import Noise, check_index, check_sigma_x
from sklsq.solvers.descent import Reached
from sklsq.solvers.flat_directions import has_huge_errors, neighbourhood_of
from sklsq.solvers.nonlinear_problem import Minima, NonlinearProblem, Tolerances
from sklsq.solvers.robust_loss import LOSSES

__all__ = ["NonlinearLSQ"]

_FEW_ROWS = 4_096  # beyond, a descent on some of them comes first
_SMALLEST, _LARGEST = 1e-150, 1e150  # size of y whose sum of squares is a number


class NonlinearLSQ(PublishedMinima):
    r"""Nonlinear least squares with errors.

    Minimises :math:`\chi^2 = \sum_i ((y_i - f(x_i; p))/\sigma_i)^2` over the parameters p, from
    starts that it finds itself unless they are given.

    Parameters
    ----------
    model : str, callable, or object of `sklsq.models`
        The function f. A formula such as ``"a + b*exp(-((x - c)/d)**2)"``: names of columns are
        features (without column names ``x``, or ``x0``, ``x1``…), the others parameters in order of
        first appearance. A callable: ``f(x, a, b)``, features first, parameters by name.
    p0 : dict, array_like, callable, or None, default=None
        Starting values; a callable ``p0(X, y)`` returns them. None: they are found.
    features : list of str, int, "all" or None, default=None
        Leading arguments of a callable that are features (columns of a DataFrame by these names);
        "all" passes the matrix (n, p).
    bounds : dict of (lower, upper), or pair of arrays, default=None
        Bounds; None or infinity for none.
    fixed : dict of float, default=None
        Parameters that are held.
    tied : dict of str, default=None
        Parameters that are formulas of others, ``{"b": "2*a"}``.
    priors : dict of (mean, std), default=None
        What is known of parameters beforehand; each is one more term of χ².
    jac : {"auto", "dual", "cs", "2-point", "3-point"} or callable, default="auto"
        Derivatives of a callable: dual numbers (exact), complex step, differences, or a function
        returning (n, m). Those of formulas and ready-made models are always exact.
    loss : {"linear", "soft_l1", "huber", "cauchy", "arctan"}, default="linear"
        What is summed over the whitened residuals; all but the first resist outliers.
    f_scale : float, default=1.0
        Whitened residual from which a robust loss takes effect.
    start : {"auto", "p0", "grid", "multistart", "anneal"}, default="auto"
        "auto": `p0` first, if given; then guesses of the model and candidates on the scales of the
        data, the nonlinear parameters alone, all at once. A look at few of these is enough where
        another minimum as low can be excluded (`sklsq.solvers.quick_look` says when). "p0": nothing
        else. "grid", "multistart": within the bounds, or the natural scales; "anneal": dual
        annealing.
    n_starts : int, default=2000
        Number of candidates; at most 400 for each of many curves whose errors differ. Below 200
        there is no look at fewer.
    max_iter : int, default=200
        Largest number of steps from one start.
    ftol, xtol, gtol : float
        Relative decrease of the cost and relative step below which a descent is given up, and the
        step in standard errors from which on it is only polished.
    absolute_sigma : bool or "auto", default="auto"
        Whether the standard errors follow from sigma as given (True), or are scaled by the scatter
        (False). "auto" is True if sigma or sample_weight is given to `fit`.
    random_state : int, RandomState or None, default=None
        Seed of the candidates; None is as good as 0: fits are repeatable.
    n_jobs : int or None, default=None
        Threads over which many curves are spread.
    verbose : int, default=0
        1 prints what the search found, 2 also each lower χ² on the way (of a single curve).
    callback : callable or None, default=None
        ``callback(params, chi2, n_points)`` is called with these: parameters by name, χ², and how
        many points have been looked at. What it raises ends the fit.

    Attributes
    ----------
    params_, params_cov_, params_std_, param_names_ : ndarray, list of str
        All parameters, fixed and tied ones included; also as `coef_`, `coef_cov_`, `coef_std_`.
    params_corr_ : ndarray of shape (m, m) or (t, m, m)
        Correlations of the parameters.
    chi2_, dof_, reduced_chi2_, p_value_ : float, int, float, float, or ndarray of shape (t,)
        χ², priors included; data and priors less determined free parameters; their ratio; and the
        probability of a larger χ² (NaN without sigma).
    converged_, status_, n_iter_ : bool, str, int, or ndarray of shape (t,)
        Whether a minimum was found, how it ended in a sentence, and the steps taken.
    starts_ : DataFrame
        The different minima found: `chi2`, the parameters, and whether it ties with the best. Where
        nothing was in doubt it may be one; `start="multistart"` looks for all.
    at_bound_ : ndarray of bool of shape (m,) or (t, m)
        Parameters held by a bound; their standard deviation is NaN.
    rank_, unidentified_
        Number of determined free parameters, and the combinations (q, m) that are not.
    model_ : Model
        The model that was fitted.
    absolute_sigma_ : bool
        Which convention the errors follow.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    Moré, J. J. (1978), in *Numerical Analysis*, Lecture Notes in Mathematics 630, 105.
    Golub, G. & Pereyra, V. (2003), Inverse Problems 19, R1.
    Glover, D. M., Jenkins, W. J. & Doney, S. C., *Modeling Methods for Marine Science*, 3.4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklsq import NonlinearLSQ
    >>> x = np.linspace(0.0, 10.0, 41)[:, None]
    >>> y = 0.5 + 10.0 * np.exp(-(((x[:, 0] - 4.5) / 1.0) ** 2))
    >>> fit = NonlinearLSQ("p1 + p2*exp(-((x - p3)/p4)**2)").fit(x, y, sigma=0.1)
    >>> fit.params_.round(6)
    array([ 0.5, 10. ,  4.5,  1. ])
    """

    __metadata_request__fit: ClassVar = {"sigma": True, "sigma_x": True}

    _fitted_state: ClassVar = ("_sigma_given", "_space", "_root", "_columns", "model_", "_found")

    def __init__(
        self,
        model: Any,
        p0: Any = None,
        *,
        features: Sequence[str] | int | Literal["all"] | None = None,
        bounds: Any = None,
        fixed: Any = None,
        tied: Any = None,
        priors: Any = None,
        jac: Any = "auto",
        loss: str = "linear",
        f_scale: float = 1.0,
        start: str = "auto",
        n_starts: int = 2000,
        max_iter: int = 200,
        ftol: float = 1e-15,
        xtol: float = 1e-15,
        gtol: float = 1e-7,
        absolute_sigma: bool | Literal["auto"] = "auto",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        callback: Callable[[dict[str, float], float, int], Any] | None = None,
    ) -> None:
        self.model = model
        self.p0 = p0
        self.features = features
        self.bounds = bounds
        self.fixed = fixed
        self.tied = tied
        self.priors = priors
        self.jac = jac
        self.loss = loss
        self.f_scale = f_scale
        self.start = start
        self.n_starts = n_starts
        self.max_iter = max_iter
        self.ftol = ftol
        self.xtol = xtol
        self.gtol = gtol
        self.absolute_sigma = absolute_sigma
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callback = callback

    # Fitting -------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sigma: Any = None, sigma_x: Any = None
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        y : array_like of shape (n,) or (n, t)
            Measured values; t curves at once, each with parameters of its own, NaN for a missing
            point of a curve.
        sample_weight : float or array_like of shape (n,) or (n, t), optional
            1/σ²; zero removes a point.
        sigma : float or array_like of shape (n,), (n, t) or (n, n), optional
            Standard deviations of y; for a one-dimensional y also its covariance matrix.
        sigma_x : float or array_like of shape (1, p), (n,) if p = 1, or (n, p), optional
            Standard deviations of the features: the fit is by orthogonal distance (`odrpack`).

        Returns
        -------
        self : NonlinearLSQ
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data, or an option, are not as described.
        ImportError
            If `sigma_x` is given and odrpack is not installed.

        Warns
        -----
        ConvergenceWarning
            If no minimum was found, with the cause and a remedy.
        RankWarning, BoundWarning, DegreesOfFreedomWarning
            If parameters cannot be told apart, end at a bound, or leave no degrees of freedom.
        """
        self._forget()
        self._check_options()
        X, Y, noise, single, missing = self._check_data(X, y, sample_weight, sigma)
        p0 = self.p0(X, Y[:, 0] if single else Y) if callable(self.p0) else self.p0
        how, names = (self.model, self.features), self._names()
        self.model_ = bound_model(*how, self.jac, p0, X.shape[1], names)
        self._columns = feature_columns(*how, names)
        X = self._used_features(X)
        space = parameter_space(
            self.model_.parameter_names,
            bounds=self.bounds,
            fixed=self.fixed,
            tied=self.tied,
            priors=self.priors,
        )
        start = given_start(p0, space.names)
        if start is None and self.start == "p0":
            raise ValueError('`p0` must be given for start="p0". Got None.')
        begun: Minima | Reached | None = None
        if single and start is not None and sigma_x is None:
            begun, is_minimum = self._minimum_of_one_curve(space, X, Y[:, 0], noise, start)
            if isinstance(begun, Minima) and is_minimum:
                root = dtrtri(begun.R[0])[0][None]
                if not has_huge_errors(begun, root[0], len(X)):
                    self._publish_ordinary(space, begun, root, len(X), noise)
                    self._found = begun, np.zeros(1, dtype=bool)
                    return self
        curves, counts = whitened_curves(self.model_, space, X, Y, noise, missing)
        problem = curves.problem(self.loss, self.f_scale)
        minima, every, tied = self._minimise(curves, problem, start, begun)
        if sigma_x is None:
            about = neighbourhood_of(problem, minima, np.arange(len(counts)))
        else:
            minima = self._by_distance(curves, minima, check_sigma_x(sigma_x, *X.shape))
            about = None
        self._publish_minima(space, minima, counts, curves.n_samples, noise, single, about)
        self._found = every, tied
        if self.verbose:
            number, least = len(every.chi2), every.chi2.min()
            print(f"{number} different minima, the best with chi2 = {least:.6g}")
        return self

    def _check_options(self) -> None:
        for name, allowed in (("start", STARTS), ("loss", ("linear", *LOSSES))):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(dict.fromkeys(allowed))}. "
                    f"Got {getattr(self, name)!r}."
                )
        for name in ("f_scale", "ftol", "xtol", "gtol"):
            value = getattr(self, name)
            if type(value) is float and 0.0 < value < np.inf:
                continue
            if not (
                isinstance(value, Real)
                and 0.0 <= float(value) < np.inf
                and (value or name != "f_scale")
            ):
                wanted = "positive" if name == "f_scale" else "a number not below zero"
                raise ValueError(f"`{name}` must be {wanted}. Got {value!r}.")
        for name in ("n_starts", "max_iter"):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"`{name}` must be a positive integer. Got {value!r}.")

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, sigma: Any
    ) -> tuple[FloatArray, FloatArray, Noise, bool, BoolArray | None]:
        """Return X, Y (n, t), noise, whether y was one-dimensional, and the points missing."""
        missing, values = None, missing_as_nan(y)
        if values.ndim == 2:
            check_index("sigma", sigma, X, y)
            check_index("sample_weight", sample_weight, X, y)
            missing = np.isnan(values) if values.dtype.kind == "f" else None
            if missing is not None and missing.any():
                y = np.where(missing, 0.0, values)
                sigma, sample_weight = filled(sigma, missing), filled(sample_weight, missing)
        data = self._check_fit_data(X, y, sample_weight, sigma, reset=True, covariance=True)
        if missing is not None and not missing.any():
            missing = None
        _check_size(data.Y)
        return data.X, data.Y, data.noise, data.single, missing

    def _names(self) -> list[str] | None:
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else list(names)

    def _used_features(self, X: FloatArray) -> FloatArray:
        return X if self._columns is None else X[:, self._columns]

    def _minimum_of_one_curve(
        self, space: ParameterSpace, X: FloatArray, y: FloatArray, noise: Noise, start: FloatArray
    ) -> tuple[Minima | Reached | None, bool]:
        """Return where the start of an ordinary fit leads to, and whether that is the minimum."""
        if (
            not space.is_unconstrained
            or self.start not in ("auto", "p0")
            or self.loss != "linear"
            or len(y) > _FEW_ROWS
            or self.verbose
            or self.callback is not None
            or noise.cholesky is not None
            or noise.kept is not None
            or not all(map(math.isfinite, start.tolist()))
        ):
            return None, False
        return minimum_of_one_curve(
            self.model_,
            X,
            y,
            noise,
            start,
            self.max_iter,
            Tolerances(self.ftol, self.xtol, self.gtol),
            doubt=self.start == "auto",
        )

    def _minimise(
        self,
        curves: Curves,
        problem: NonlinearProblem,
        start: FloatArray | None,
        begun: Minima | Reached | None,
    ) -> tuple[Minima, Minima, BoolArray]:
        """Return the minima (t,), those of the search (M,), and which of them tie with the best."""
        t, space = len(curves.Y), curves.space
        tell = printed if self.callback is None and self.verbose > 1 else self.callback
        if tell is not None and t == 1:
            problem = watched(problem, Progress(space, tell))
        seed = self.random_state
        if not (seed is None or isinstance(seed, int)):
            seed = check_random_state(seed).randint(2**31)
        search = Search(
            curves,
            problem,
            self.start,
            self.n_starts,
            seed,
            self.max_iter,
            Tolerances(self.ftol, self.xtol, self.gtol),
        )
        free = None if start is None else start[space.free]
        if not len(space.free):
            best = nothing_free(problem, t)
            return best, best, np.zeros(t, dtype=bool)
        parts = self._in_parts(t)
        if len(parts) == 1:
            return search.run(free, parts[0], begun)
        from joblib import Parallel, delayed

        run = delayed(search.run)
        results = Parallel(n_jobs=self.n_jobs, prefer="threads")(run(free, part) for part in parts)
        best = Minima.joined([result[0] for result in results])
        return best, best, np.zeros(t, dtype=bool)

    def _by_distance(self, curves: Curves, minima: Minima, sigma_x: FloatArray) -> Minima:
        simple = self.loss == "linear" and not curves.space.priors and curves.cholesky is None
        if len(curves.Y) > 1 or not simple or len(curves.X) != len(sigma_x):
            raise ValueError(
                "`sigma_x` must come with a one-dimensional y, the linear loss, no priors, no "
                "covariance and no zero weights. Got another fit; leave one of them out."
            )
        return by_distance(curves, minima, sigma_x, self.max_iter)

    def _in_parts(self, n_curves: int) -> list[Any]:
        if self.n_jobs is None or n_curves == 1:
            return [np.arange(n_curves)]
        from joblib import effective_n_jobs

        n_jobs = effective_n_jobs(self.n_jobs)
        return np.array_split(np.arange(n_curves), min(max(n_jobs, 1), n_curves))


def _check_size(Y: FloatArray) -> None:
    """Refuse y (n, t) whose squares vanish, or are all infinite."""
    if Y.shape[1] == 1 and len(Y) <= _FEW_ROWS:
        with np.errstate(over="ignore"):
            if _SMALLEST < float(Y[:, 0].dot(Y[:, 0])) < _LARGEST:
                return
    largest = np.maximum(Y.max(axis=0), -Y.min(axis=0))
    if ((largest > _SMALLEST) & (largest < _LARGEST)).all():
        return
    small = (largest < _SMALLEST) & (largest > 0.0)
    if small.any() or not (largest < _LARGEST).any():
        raise ValueError(
            f"`y` must be of a size whose squares are numbers, {_SMALLEST:.0e} to {_LARGEST:.0e}. "
            f"Got a largest value of {largest[np.argmax(small)]:.3g}. Give y in another unit."
        )
