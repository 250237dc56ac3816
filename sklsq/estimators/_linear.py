"""What the linear estimators share: solving by the triangular factor, at once or batch by batch."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from sklsq._typing import FloatArray, IntArray
from sklsq.basis.columns import FixedColumns
from sklsq.estimators._affine import AffineRegressor
from sklsq.estimators._base import FitData
from sklsq.noise import Noise
from sklsq.solvers.linear import solve, solve_factor
from sklsq.solvers.rows import Columns, Rows
from sklsq.solvers.solution import Solution
from sklsq.solvers.triangular import TriangularFactor, merge

__all__ = ["LinearLeastSquares"]


class LinearLeastSquares(AffineRegressor):
    """Base of the estimators that are linear in their parameters.

    Subclasses give the columns of the design matrix and the names of the parameters.
    """

    __metadata_request__partial_fit: ClassVar = {"sigma": True}

    _fitted_state: ClassVar = ("_sigma_given", "_solutions", "_columns", "basis_")

    # What a subclass tells -----------------------------------------------------------------------

    def _build_columns(self, X: FloatArray, y: FloatArray) -> Columns:
        """Return the columns of the design matrix for the features of the first batch."""
        raise NotImplementedError

    def _rcond(self) -> float | None:
        """Return the relative size of singular values that count as zero; None for the default."""
        return None

    def _shortcut(
        self, X: FloatArray, y: FloatArray, noise: Noise
    ) -> tuple[Columns, Solution] | None:
        """Return columns and solution by a way of its own; None for the general solver."""
        return None

    # Fitting -------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, sigma: Any = None) -> Self:
        """Fit by weighted least squares.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Features.
        y : array_like of shape (n,) or (n, t)
            Measured values; several columns are fitted separately, each with parameters of its own.
        sample_weight : float or array_like of shape (n,) or (n, t), optional
            1/σ²; zero removes a row. It is an inverse variance, not a count: a weight of 2 adds no
            degree of freedom.
        sigma : float or array_like of shape (n,), (n, t) or (n, n), optional
            Standard deviations of y, in its units; for a one-dimensional y also its covariance
            matrix (generalised least squares).

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data are not finite numbers of matching shape; if a standard deviation is not
            positive, naming the row; if `sigma` and `sample_weight` are both given; if pandas
            indexes differ.

        Warns
        -----
        RankWarning
            If the data cannot tell some parameter combinations apart.
        DegreesOfFreedomWarning
            If there are not more rows than parameters.
        """
        return self._fit(X, y, sample_weight, sigma)

    def _fit(self, X: Any, y: Any, sample_weight: Any, sigma: Any) -> Self:
        self._forget()
        data = self._check_fit_data(
            X, y, sample_weight, sigma, reset=True, covariance=True, deferred=True
        )
        try:
            columns, solutions = self._solve(data)
        except FloatingPointError:
            # Plain arrays are checked by their sums only: find out what is wrong, and where.
            self._validated_fit_data(X, y, sample_weight, sigma, True, True)
            self._explain(data.X)
            raise ValueError(
                "The numbers of `X`, `y` or `sigma` are too large or too small for double "
                "precision. Got an overflow; rescale them to other units."
            ) from None
        self._publish_solutions(columns, solutions, data.noise, data.single)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, sigma: Any = None) -> Self:
        """Add rows to the fit, which becomes that of all rows so far.

        Only the triangular factor is kept between calls. Parameters are those of `fit`; after a
        `fit` its rows count as the first batch. An (n, n) covariance is refused.

        Returns
        -------
        self : estimator
            The estimator, fitted to all rows so far.

        Raises
        ------
        ValueError
            As in `fit`; also if the number of targets changes, or if `sigma` is given in some calls
            only.
        """
        if not self.__sklearn_is_fitted__():
            self._refuse_covariance(y, sigma)
            return self._fit(X, y, sample_weight, sigma)
        return self._continue(X, y, sample_weight, sigma)

    def _continue(self, X: Any, y: Any, sample_weight: Any, sigma: Any) -> Self:
        data = self._check_fit_data(
            X, y, sample_weight, sigma, reset=False, covariance=False, deferred=True
        )
        self._check_continues(data)
        try:
            _, new = self._solve(data, self._columns)
        except FloatingPointError:
            self._validated_fit_data(X, y, sample_weight, sigma, False, False)
            self._explain(data.X)
            raise
        solutions = [
            self._solve_merged(merge(old, batch.known_factor))
            for old, batch in zip(self._factors(), new, strict=True)
        ]
        self._publish_solutions(self._columns, solutions, data.noise, data.single)
        return self

    def _factors(self) -> list[TriangularFactor]:
        return [solution.known_factor for solution in self._solutions]

    def _refuse_covariance(self, y: Any, sigma: Any) -> None:
        if np.ndim(y) == 1 and sigma is not None and np.ndim(sigma) == 2:
            raise ValueError(
                "`sigma` must be a number or one value per row in `partial_fit`. Got a "
                "covariance, which `fit` alone takes."
            )

    def _check_continues(self, data: FitData) -> None:
        n_targets = sum(solution.chi2.shape[0] for solution in self._solutions)
        if data.Y.shape[1] != n_targets or data.single != self._single:
            raise ValueError(
                f"`y` must have {n_targets} targets as in the first call. Got {data.Y.shape[1]}."
            )
        if data.noise.given != self._sigma_given:
            raise ValueError(
                "`sigma` must be given in all calls of `partial_fit`, or in none. Got "
                f"{'one' if data.noise.given else 'none'} unlike before."
            )
        if data.noise.per_target != (len(self._solutions) == n_targets > 1):
            raise ValueError(
                "`sigma` must be per target in all calls of `partial_fit`, or in none. Got a "
                "change."
            )

    def _solve(
        self, data: FitData, columns: Columns | None = None
    ) -> tuple[Columns, list[Solution]]:
        """Return columns and solutions: one for all targets that share errors, or one each."""
        X, Y, noise = data.X, data.Y, data.noise
        if columns is None and Y.shape[1] == 1:
            quick = self._shortcut(X, Y[:, 0], noise)
            if quick is not None:
                return quick[0], [quick[1]]
        kept = noise.kept
        if kept is not None and not noise.per_target:
            X, Y, noise = X[kept], Y[kept], noise.select(kept)
        if columns is None:
            columns = self._build_columns(X, Y[:, 0] if data.single else Y)
        if not noise.per_target:
            return columns, [self._solve_rows(columns, X, Y, noise)]
        return columns, [
            self._solve_target(columns, X, Y[:, k], noise.target(k)) for k in range(Y.shape[1])
        ]

    def _solve_target(
        self, columns: Columns, X: FloatArray, y: FloatArray, noise: Noise
    ) -> Solution:
        kept = noise.kept
        if kept is not None:
            X, y, noise = X[kept], y[kept], noise.select(kept)
        return self._solve_rows(columns, X, y[:, None], noise)

    def _solve_rows(self, columns: Columns, X: FloatArray, Y: FloatArray, noise: Noise) -> Solution:
        if noise.cholesky is not None:
            fixed = FixedColumns(columns.n_columns, columns.change, columns.offsets)
            rows = Rows(fixed, noise.whiten(columns.block(X)), noise.whiten(Y))
        else:
            rows = Rows(columns, X, Y, noise.values, noise.values_are)
        return solve(rows, counted=self._counted(columns), rcond=self._rcond())

    def _solve_merged(self, factor: TriangularFactor) -> Solution:
        counted = self._counted(self._columns)
        return solve_factor(factor, self._columns, counted=counted, rcond=self._rcond())

    def _counted(self, columns: Columns) -> IntArray:
        return np.arange(1 if self._has_intercept else 0, columns.n_columns)

    @property
    def singular_values_(self) -> FloatArray:
        """Singular values (m,) of the design matrix, its rows divided by σ; largest first."""
        return self._per_solution(lambda design: np.linalg.svd(design, compute_uv=False))

    @property
    def condition_number_(self) -> Any:
        """Condition number of the design matrix, rows divided by σ, columns of unit norm."""

        def condition(design: FloatArray) -> FloatArray:
            norms = np.sqrt(np.einsum("ij,ij->j", design, design))
            values = np.linalg.svd(design / np.where(norms > 0.0, norms, 1.0), compute_uv=False)
            return np.asarray(values[0] / values[-1] if values[-1] > 0.0 else np.inf)

        value = self._per_solution(condition)
        return float(value) if value.ndim == 0 else value

    def _per_solution(self, function: Any) -> FloatArray:
        if not hasattr(self, "_solutions"):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        change = self._columns.change
        designs = [
            factor.R if change is None else np.linalg.solve(change.hi.T, factor.R.T).T
            for factor in self._factors()
        ]
        values = [function(design) for design in designs]
        return values[0] if len(values) == 1 else np.stack(values)
