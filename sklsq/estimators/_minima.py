"""What a nonlinear fit publishes: parameters with errors, how it ended, and its warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklsq._typing import BoolArray, FloatArray, IntArray
from sklsq.estimators._base import LeastSquaresRegressor
from sklsq.estimators._nonlinear_errors import parameter_errors
from sklsq.estimators._parameter_space import ParameterSpace
from sklsq.exceptions import BoundWarning, RankWarning
from sklsq.models import Model
from sklsq.noise import Noise
from sklsq.solvers.flat_directions import Neighbourhood
from sklsq.solvers.nonlinear_problem import Minima, Outcome
from sklsq.solvers.singular import describe

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PublishedMinima"]

_ESTIMABLE = 1e-6  # derivatives of a model at its minimum have that many digits at worst
_VISIBLE = 1e-9  # share of the terms of a fitted value, below which nobody misses what is added
_EMPTY = "Not fitted: the curve has no points. Leave it out, or look why all of its y are missing."


class PublishedMinima(LeastSquaresRegressor):
    """Base of the estimators that publish minima of a nonlinear problem."""

    model_: Model
    _space: ParameterSpace
    _root: FloatArray
    _null_space: dict[int, FloatArray]
    _found: tuple[Minima, BoolArray]

    def _used_features(self, X: FloatArray) -> FloatArray:
        """Return the columns of X that the model takes."""
        raise NotImplementedError

    # Publishing ----------------------------------------------------------------------------------

    def _publish_minima(
        self,
        space: ParameterSpace,
        minima: Minima,
        counts: IntArray,
        n_samples: int,
        noise: Noise,
        single: bool,
        about: Neighbourhood | None = None,
    ) -> None:
        """Publish the minima (t,) of curves of `counts` points each, of all `n_samples`.

        With the model `about` them, flat directions are told from errors that are merely large.
        """
        if single and space.is_plain and int(minima.outcome[0]) <= Outcome.EXACT:
            errors = parameter_errors(minima.R, minima.at_bound, n_samples, about, minima.params)
            if counts[0] and not minima.at_bound.any() and not errors.null_space:
                self._publish_ordinary(space, minima, errors.root, int(counts[0]), noise)
                return
        empty = counts == 0  # whatever is known beforehand: a prior alone is no measurement
        lost = empty | (minima.outcome == Outcome.START_NOT_FINITE)
        free, R = minima.params, minima.R
        if lost.any():
            free = np.where(lost[:, None], np.nan, free)
            R = np.where(lost[:, None, None], np.nan, R)
        errors = parameter_errors(R, minima.at_bound, n_samples, about, free)
        params = space.expand(free)
        D = None if space.is_plain else space.derivative(params)
        self._space, self._root = space, errors.root if D is None else np.matmul(D, errors.root)
        with np.errstate(over="ignore", invalid="ignore"):
            covariance = np.matmul(self._root, self._root.swapaxes(1, 2))
        at_bound, n_held = np.zeros(params.shape, dtype=bool), 0
        if minima.at_bound.any():
            at_bound[:, space.free] = minima.at_bound
            n_held = minima.at_bound.sum(axis=1)  # a bounded parameter was free all the same
            by_free = np.eye(len(space.free))[None] if D is None else np.abs(D)
            held = np.matmul(by_free, minima.at_bound[:, :, None].astype(float))[:, :, 0]
            self._mark(covariance, held > 0.0, np.nan)
        self._null_space = {
            c: rows if D is None else rows @ D[c].T for c, rows in errors.null_space.items()
        }
        for curve, rows in self._null_space.items():
            self._mark(covariance[curve : curve + 1], (rows != 0.0).any(axis=0)[None], np.inf)
        rank = np.where(lost & ~empty, len(space.free) - n_held, errors.rank)
        dof = np.where(empty, 0, counts + len(space.priors) - rank - n_held)
        how: Any = {"given": noise.given, "names": list(space.names), "intercept": False}
        if single:
            chi2 = float("nan") if lost[0] else float(minima.chi2[0])
            self._publish(params[0], covariance[0], chi2, int(dof[0]), **how)
        else:
            self._publish(params, covariance, np.where(lost, np.nan, minima.chi2), dof, **how)
        codes = np.where(empty, len(Outcome), minima.outcome)
        sentences = np.array([*(o.sentence for o in Outcome), _EMPTY], dtype=object)[codes]
        converged, n_iter = minima.converged & ~empty, np.maximum(minima.n_iter, 1)
        self.unidentified_ = next(iter(self._null_space.values()), np.empty((0, params.shape[1])))
        self.at_bound_ = at_bound[0] if single else at_bound
        self.rank_: Any = int(errors.rank[0]) if single else errors.rank
        self.n_iter_: Any = int(n_iter[0]) if single else n_iter
        self.converged_: Any = bool(converged[0]) if single else converged
        self.status_: Any = sentences[0] if single else sentences
        self._warn(self._warnings(converged, sentences, at_bound))

    def _publish_ordinary(
        self, space: ParameterSpace, minima: Minima, root: FloatArray, n: int, noise: Noise
    ) -> None:
        """Publish a minimum of one curve of n points, at which all parameters are determined."""
        k = len(space.names)
        self._space, self._root, self._null_space = space, root, {}
        with np.errstate(over="ignore", invalid="ignore"):
            covariance = root[0].dot(root[0].T)
        self._publish(
            minima.params[0],
            covariance,
            float(minima.chi2[0]),
            n + len(space.priors) - k,
            given=noise.given,
            names=list(space.names),
            intercept=False,
        )
        self.unidentified_, self.at_bound_ = np.empty((0, k)), np.zeros(k, dtype=bool)
        self.rank_, self.n_iter_, self.converged_ = k, max(int(minima.n_iter[0]), 1), True
        self.status_ = Outcome(int(minima.outcome[0])).sentence
        self._warn(self._dof_messages())

    @staticmethod
    def _mark(covariance: FloatArray, where: BoolArray, value: float) -> None:
        """Set the variances of marked parameters (t, m) to a value, their covariances to NaN."""
        for curve, parameter in np.argwhere(where):
            covariance[curve, parameter] = covariance[curve, :, parameter] = np.nan
            covariance[curve, parameter, parameter] = value

    def _warnings(
        self, converged: BoolArray, sentences: Any, at_bound: BoolArray
    ) -> list[tuple[type[Warning], str]]:
        messages: list[tuple[type[Warning], str]] = []
        if converged.all() and not (self._null_space or at_bound.any()):
            return self._dof_messages()
        names, t = self._space.names, len(converged)
        failed = np.flatnonzero(~converged)
        if len(failed):
            which = (
                "" if t == 1 else f"{len(failed)} of {t} curves, the first of them {failed[0]}: "
            )
            messages.append((ConvergenceWarning, which + sentences[failed[0]]))
        if self._null_space:
            curve, rows = next(iter(self._null_space.items()))
            where = "" if t == 1 else f" of {len(self._null_space)} curves, the first {curve},"
            moves = "; ".join(describe(rows, list(names)))
            messages.append(
                (
                    RankWarning,
                    f"The data{where} cannot tell some parameters apart: small t in {moves} fit "
                    "equally well. Fix or tie one parameter of each combination, or measure where "
                    "they differ.",
                )
            )
        if at_bound.any():
            held = ", ".join(name for j, name in enumerate(names) if at_bound[:, j].any())
            messages.append(
                (
                    BoundWarning,
                    f"At a bound, without an error of its own: {held}. The other errors are for "
                    "that value; widen the bound if it is not a hard limit.",
                )
            )
        return messages + self._dof_messages()

    @property
    def starts_(self) -> pd.DataFrame:
        """The different minima found; made when asked for, as it takes as long as a small fit."""
        if not hasattr(self, "_found"):
            raise AttributeError("This NonlinearLSQ is not fitted yet.")
        import pandas as pd

        every, tied = self._found
        table = pd.DataFrame(self._space.expand(every.params), columns=list(self._space.names))
        table.insert(0, "chi2", every.chi2)
        return table.assign(
            converged=every.converged, tied=tied if len(tied) == len(table) else False
        )

    @property
    def params_corr_(self) -> FloatArray:
        """Correlations (m, m) or (t, m, m) of the parameters; NaN where there is no error."""
        if not hasattr(self, "_sigma_given"):
            raise AttributeError("This NonlinearLSQ is not fitted yet.")
        std = self.params_std_
        with np.errstate(divide="ignore", invalid="ignore"):
            return cast(FloatArray, self.params_cov_ / (std[..., :, None] * std[..., None, :]))

    # Using ---------------------------------------------------------------------------------------

    def _mean(self, X: FloatArray) -> FloatArray:
        return self.model_.evaluate(self._used_features(X), np.atleast_2d(self.params_)).T

    def _variance_roots(self, X: FloatArray) -> list[FloatArray]:
        _, J = self.model_.linearise(self._used_features(X), np.atleast_2d(self.params_))
        roots, every = [], np.abs(np.atleast_2d(self.params_))
        for curve, (rows, root) in enumerate(zip(J.swapaxes(1, 2), self._root, strict=True)):
            product = rows @ root
            null_space = self._null_space.get(curve)
            if null_space is not None:
                along = np.abs(rows @ null_space.T)
                lost = along > _ESTIMABLE * (np.abs(rows) @ np.abs(null_space.T))
                far = np.maximum((every[curve] * (null_space != 0.0)).max(axis=1), 1.0)
                lost &= along * far > _VISIBLE * (np.abs(rows) @ every[curve])[:, None]
                product = np.hstack([product, np.where(lost.any(axis=1), np.inf, 0.0)[:, None]])
            roots.append(product)
        return roots
