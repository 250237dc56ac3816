"""What estimators share whose fitted values are columns times coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklsq._typing import FloatArray
from sklsq.estimators._base import LeastSquaresRegressor
from sklsq.exceptions import RankWarning
from sklsq.noise import Noise
from sklsq.solvers.rows import Columns
from sklsq.solvers.singular import describe
from sklsq.solvers.solution import Solution

__all__ = ["AffineRegressor"]

_PREDICT_ELEMENTS = 1 << 20  # columns of a block while predicting
_NAMED_COMBINATIONS = 5


class AffineRegressor(LeastSquaresRegressor):
    """Base of the estimators that publish solutions of columns of a design matrix."""

    _has_intercept = False
    _columns: Columns
    _solutions: list[Solution]

    def _parameter_names(self) -> list[str]:
        """Return the names of all parameters, intercept first."""
        raise NotImplementedError

    def _explain(self, X: FloatArray) -> None:
        """Raise if the columns are not finite at some row of finite features."""

    # Publishing ----------------------------------------------------------------------------------

    def _publish_solutions(
        self, columns: Columns, solutions: list[Solution], noise: Noise, single: bool
    ) -> None:
        """Set the fitted attributes, and warn of what the data do not determine."""
        self._columns, self._solutions = columns, solutions
        names = self._parameter_names()
        worst = solutions[0]
        params, covariance, chi2, dof = worst.params, worst.params_covariance, worst.chi2, worst.dof
        self.rank_: Any = worst.rank
        how: Any = {"given": noise.given, "names": names, "intercept": self._has_intercept}
        if single:
            self._publish(params[:, 0], covariance, float(chi2[0]), dof, **how)
        elif len(solutions) == 1:
            self._publish(params.T, covariance[None], chi2, np.full(chi2.shape, dof), **how)
        else:
            worst = min(solutions, key=lambda solution: solution.rank)
            self.rank_ = np.array([solution.rank for solution in solutions])
            self._publish(
                np.stack([solution.params[:, 0] for solution in solutions]),
                np.stack([solution.params_covariance for solution in solutions]),
                np.array([solution.chi2[0] for solution in solutions]),
                np.array([solution.dof for solution in solutions]),
                **how,
            )
        self.unidentified_ = worst.null_space.reshape(-1, len(names))
        self._warn(self._rank_messages(worst, names) + self._dof_messages())

    def _rank_messages(
        self, solution: Solution, names: list[str]
    ) -> list[tuple[type[Warning], str]]:
        if not solution.null_space.size:
            return []
        moves = describe(solution.null_space[:_NAMED_COMBINATIONS], names)
        more = len(solution.null_space) - len(moves)
        listed = "; ".join(moves) + (f"; and {more} more" if more else "")
        return [
            (
                RankWarning,
                f"The data determine only {solution.rank} of {len(names)} parameter "
                f"combinations: every t in {listed} "
                "fits equally well. Published are the shortest coefficients of all these; drop "
                "or fix one parameter "
                "of each combination, or measure where they differ.",
            )
        ]

    # Using ---------------------------------------------------------------------------------------

    def _mean(self, X: FloatArray) -> FloatArray:
        internal = np.concatenate([solution.internal for solution in self._solutions], axis=1)
        step = max(1, _PREDICT_ELEMENTS // internal.shape[0])
        parts = [
            self._columns.block(X[start : start + step]) @ internal
            for start in range(0, X.shape[0], step)
        ]
        mean = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if not np.isfinite(mean).all():
            self._explain(X)
        return mean

    def _variance_roots(self, X: FloatArray) -> list[FloatArray]:
        columns = self._columns.block(X)
        return [solution.variance_root(columns) for solution in self._solutions]

    def _variances(self, X: FloatArray) -> FloatArray:
        step = max(1, _PREDICT_ELEMENTS // self._columns.n_columns)
        parts = [
            super(AffineRegressor, self)._variances(X[start : start + step])
            for start in range(0, X.shape[0], step)
        ]
        return np.concatenate(parts)
