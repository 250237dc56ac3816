"""The numbers by which every descent judges its steps; see `sklsq.solvers.levenberg_marquardt`."""

__all__ = [
    "ACCEPTABLE",
    "AT_ROUNDING",
    "CLOSE",
    "EPS",
    "INVISIBLE",
    "MANY_REJECTED",
    "MAX_REJECTED",
    "SHORT",
    "SHRINKING",
]

EPS = 2.0**-52
ACCEPTABLE = 1e-4  # share of the promised fall of the cost
AT_ROUNDING = 1e-5  # offset at which rounding of the model may end a descent
INVISIBLE = 1e-11  # relative change of the cost that may be rounding
CLOSE = 1e-3  # offset from which on the steps are in proportion
SHORT = 1e-8  # step relative to the parameters, the same where the fit is all but exact
SHRINKING = 0.95  # rate below which steps still become shorter
MANY_REJECTED, MAX_REJECTED = 3, 60
