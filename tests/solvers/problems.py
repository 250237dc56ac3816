"""Linear problems for the solvers: a design matrix as rows."""

import numpy as np

from sklsq.basis.columns import CentredColumns, MatrixSource
from sklsq.solvers.rows import Rows

__all__ = ["random_problem", "rows_of"]


def rows_of(A, y, sigma=1.0, errors_are="sigma"):
    """Rows whose columns are those of A."""
    names = tuple(f"x{j}" for j in range(A.shape[1]))
    columns = CentredColumns(MatrixSource(names), None, np.zeros(A.shape[1]))
    return Rows(columns, A, np.reshape(y, (len(A), -1)), sigma, errors_are)


def random_problem(n=50, m=4, t=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, m)), rng.normal(size=(n, t)), rng.uniform(0.5, 2.0, n)
