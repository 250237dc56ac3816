"""Nonlinear problems for the tests of the engine, made of a formula and data."""

import numpy as np

from sklsq.expression import compile_many, parse
from sklsq.solvers.nonlinear_problem import NonlinearProblem

ONE = np.zeros(1, dtype=int)
LINEAR = {  # parameters of the known answers that enter linearly
    "nist_Misra1a": "b1", "nist_Misra1b": "b1", "nist_Misra1c": "b1", "nist_Misra1d": "b1",
    "nist_Lanczos1": "b1 b3 b5", "nist_Lanczos2": "b1 b3 b5", "nist_Lanczos3": "b1 b3 b5",
    "nist_Gauss1": "b1 b3 b6", "nist_Gauss2": "b1 b3 b6", "nist_Gauss3": "b1 b3 b6",
    "nist_DanWood": "b1", "nist_Kirby2": "b1 b2 b3", "nist_Hahn1": "b1 b2 b3 b4",
    "nist_Nelson": "b1 b2", "nist_MGH17": "b1 b2 b3", "nist_Roszman1": "b1 b2",
    "nist_ENSO": "b1 b2 b3 b5 b6 b8 b9", "octave_gauss_A_unweighted41": "p1 p2",
    "r_BOD_asympOrig": "A",
}  # fmt: skip


def problem(formula, parameters, X, y, *, features=("x",), sigma=1.0, held=False, **options):
    """The problem of `formula`; a 2-D y holds one curve a row. `held`: never in blocks."""
    model = parse(formula)
    names = [*parameters, *features]
    value = compile_many([model], names)
    slopes = compile_many([model, *(model.derivative(name) for name in parameters)], names)
    X, y = np.atleast_2d(np.asarray(X, float).T).T, np.asarray(y, float)
    root = np.broadcast_to(1.0 / np.asarray(sigma, float), y.shape[-1:])

    def restricted(columns, y, root):
        curves = np.atleast_2d(y)

        def whitened(values, which):
            return (curves[which if len(curves) > 1 else 0] - values) * root

        def evaluate(params, which):
            (values,) = value(*params.T[:, :, None], *columns)
            return whitened(np.broadcast_to(values, (len(params), len(root))), which)

        def linearise(params, which):
            values, *derivatives = slopes(*params.T[:, :, None], *columns)
            J = np.empty((len(params), len(parameters), len(root)))
            for j, derivative in enumerate(derivatives):
                J[:, j] = derivative * root
            return whitened(np.broadcast_to(values, (len(params), len(root))), which), J

        def take(rows):
            return restricted([c[rows] for c in columns], y[..., rows], root[rows])

        return NonlinearProblem(
            evaluate,
            linearise,
            len(parameters),
            len(root),
            take=None if held else take,
            **options,
        )

    return restricted(list(X.T), y, root)


def problem_of(case, **options):
    """The problem of a known answer."""
    return problem(
        case.raw["expr"], case.parameters, case.X, case.y, features=case.features, **options
    )


def linear_of(case):
    """Mask of the linear parameters of a known answer."""
    return np.array([name in LINEAR.get(case.id, "").split() for name in case.parameters])


def errors(minima, row=0, dof=None):
    """Standard errors, scaled by the residual variance where `dof` is given."""
    inverse = np.linalg.inv(minima.R[row])
    scale = 1.0 if dof is None else minima.chi2[row] / dof
    return np.sqrt((inverse**2).sum(axis=1) * scale)
