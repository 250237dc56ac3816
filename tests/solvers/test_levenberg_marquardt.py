import numpy as np
import pytest
from scipy.optimize import least_squares, leastsq

from sklsq.solvers.levenberg_marquardt import minimise
from sklsq.solvers.nonlinear_problem import NonlinearProblem, Outcome
from sklsq.solvers.robust_loss import LOSSES
from tests.known_answers import digits, record, records
from tests.solvers.curve_models import ONE, errors, problem, problem_of

PEAK = "a + b*exp(-((x - c)/d)**2)"
# From its far start everything has decayed before the first point: a minimum, and it is found.
ASIDE = ("nist_BoxBOD", 0)
STARTS = [
    (case, i)
    for case in records(task="nonlinear")
    for i in range(len(case.starts))
    if (case.id, i) != ASIDE
]
GROUPS = [
    (case, label) for case in records(task="grouped_nonlinear") for label in case.raw["groups"]
]
# Errors are those of the last point but one, and these minima are strongly curved.
LATE = {"nist_MGH09": 7.0, "nist_Thurber": 7.0}
EXACT = "nist_Lanczos1"  # its residuals are the rounding of the data
ROUNDING = 1e-9  # of parameters, by two ways of summing


def _named(pair):
    return f"{pair[0]}-{pair[1]}"


@pytest.mark.parametrize("pair", STARTS, ids=_named)
def test_published_answers(pair):
    case, start = pair
    minima = minimise(problem_of(case), case.starts[start][None], max_iter=2_000)
    n, k = len(case.y), len(case.parameters)
    assert Outcome(minima.outcome[0]).converged
    assert digits(minima.params[0], case.reference["coef"]) > 10
    if case.id != EXACT:
        least = LATE.get(case.id, 7.5)
        assert digits(errors(minima, dof=n - k), case.reference["se"]) > least


@pytest.mark.parametrize("pair", GROUPS, ids=_named)
def test_answers_of_r(pair):
    case, label = pair
    answer, rows = case.raw["groups"][label], case.groups == label
    part = problem(
        case.raw["expr"], case.parameters, case.X[rows], case.y[rows], features=case.features
    )
    minima = minimise(part, 1.05 * np.array([answer["r_initial"]]))
    assert digits(minima.params[0], answer["coef"]) > 9
    assert digits(errors(minima, dof=answer["dof"]), answer["se"]) > 7


@pytest.mark.parametrize("name", ["nist_Lanczos3", "nist_MGH17", "nist_Gauss1", "nist_Misra1b"])
def test_as_few_iterations_as_minpack(name):
    case = record(name)
    model, start = problem_of(case), case.starts[1]
    *_, information, _, _ = leastsq(
        lambda p: model.evaluate(p[None], ONE)[0],
        start,
        Dfun=lambda p: -model.linearise(p[None], ONE)[1][0].T,
        full_output=True,
        ftol=1e-15,
        xtol=1e-10,
    )
    assert minimise(model, start[None]).n_iter[0] <= information["nfev"] + 2


def test_batch_is_the_loop():
    rng = np.random.default_rng(3)
    x, n_curves = np.linspace(0.0, 10.0, 60), 40
    truth = rng.uniform([0.5, 2.0, 4.0, 0.8], [1.5, 5.0, 6.0, 1.6], (n_curves, 4))
    a, b, c, d = truth.T[:, :, None]
    y = a + b * np.exp(-(((x - c) / d) ** 2)) + 0.1 * rng.normal(size=(n_curves, 60))
    model = problem(PEAK, "abcd", x, y, sigma=0.1)
    start = np.tile([1.0, 3.0, 5.0, 1.0], (n_curves, 1))
    together = minimise(model, start)
    for i in range(n_curves):
        alone = minimise(model, start[i : i + 1], curves=np.array([i]))
        np.testing.assert_allclose(together.params[i], alone.params[0], rtol=ROUNDING)
        np.testing.assert_allclose(errors(together, i), errors(alone), rtol=1e-7)
        assert together.outcome[i] == alone.outcome[0]


def _peak(n=80, seed=0, outliers=0):
    rng = np.random.default_rng(seed)
    x = np.linspace(0.0, 10.0, n)
    y = 1.0 + 3.0 * np.exp(-(((x - 4.5) / 1.2) ** 2)) + 0.1 * rng.normal(size=n)
    y[rng.integers(0, n, outliers)] += 2.0
    return x, y


BOXES = [
    ([-np.inf, -np.inf, 4.7, -np.inf], [np.inf, np.inf, np.inf, np.inf]),
    ([-np.inf, 0.0, 0.0, 0.1], [0.9, 2.5, 10.0, 1.0]),
    ([0.0, 0.0, 0.0, 0.5], [np.inf, np.inf, 10.0, 5.0]),
    ([1.2, 2.0, 4.6, 1.3], [1.3, 2.2, 4.7, 1.4]),
]


@pytest.mark.parametrize("n_starts", [1, 3], ids=["alone", "batch"])
@pytest.mark.parametrize("box", BOXES)
def test_bounds(box, n_starts):
    x, y = _peak()
    lower, upper = np.array(box[0]), np.array(box[1])
    model = problem(PEAK, "abcd", x, y, sigma=0.1, lower=lower, upper=upper)
    start = np.clip([1.0, 2.0, 5.0, 1.0], lower + 1e-3, upper - 1e-3)
    theirs = least_squares(
        lambda p: model.evaluate(p[None], ONE)[0],
        start,
        bounds=(lower, upper),
        x_scale="jac",
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-14,
    )
    curves = np.zeros(n_starts, dtype=int)
    ours = minimise(model, np.tile(start, (n_starts, 1)), curves=curves)
    assert ours.converged.all()
    np.testing.assert_allclose(ours.params, np.tile(theirs.x, (n_starts, 1)), atol=1e-5)
    assert (ours.cost <= theirs.cost * (1.0 + 1e-12)).all()
    on_it = (ours.params == lower) | (ours.params == upper)
    assert (ours.at_bound == on_it).all()


@pytest.mark.parametrize("n_starts", [1, 3], ids=["alone", "batch"])
@pytest.mark.parametrize("loss", LOSSES)
def test_robust_losses(loss, n_starts):
    x, y = _peak(outliers=6)
    model = problem(PEAK, "abcd", x, y, sigma=0.1, loss=loss, f_scale=1.5)
    start = np.array([1.0, 2.8, 4.6, 1.1])
    theirs = least_squares(
        lambda p: model.evaluate(p[None], ONE)[0],
        start,
        jac=lambda p: -model.linearise(p[None], ONE)[1][0].T,
        loss=loss,
        f_scale=1.5,
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-14,
    )
    ours = minimise(model, np.tile(start, (n_starts, 1)), curves=np.zeros(n_starts, dtype=int))
    assert ours.converged.all()
    np.testing.assert_allclose(ours.cost, theirs.cost, rtol=1e-10)
    np.testing.assert_allclose(ours.params, np.tile(theirs.x, (n_starts, 1)), rtol=1e-6)


def test_priors_are_spared_by_a_robust_loss():
    def evaluate(params, curves):
        return np.concatenate([1.0 - params, 100.0 - params], axis=1)

    def linearise(params, curves):
        return evaluate(params, curves), np.ones((len(params), 1, 2))

    model = NonlinearProblem(evaluate, linearise, 1, 2, loss="huber", n_priors=1)
    # the gradient (p - 100) + 1 of the prior and of the row beyond the scale vanishes at 99
    np.testing.assert_allclose(minimise(model, np.zeros((1, 1))).params, 99.0, rtol=1e-12)


def test_curved_valley():
    def evaluate(params, curves):
        x, y = params.T
        return np.stack([10.0 * (x**2 - y), x - 1.0], axis=1)

    def linearise(params, curves):
        x, zero, one = params[:, 0], np.zeros(len(params)), np.ones(len(params))
        J = np.stack([np.stack([-20.0 * x, -one]), np.stack([10.0 * one, zero])])
        return evaluate(params, curves), J.transpose(2, 0, 1)

    model = NonlinearProblem(evaluate, linearise, 2, 2)
    for start in ([[-1.2, 1.0]], [[-1.2, 1.0], [3.0, -5.0]]):
        minima = minimise(model, np.array(start))
        assert minima.converged.all()
        np.testing.assert_allclose(minima.params, 1.0, rtol=1e-12)


@pytest.mark.parametrize("n_starts", [1, 2], ids=["alone", "batch"])
def test_not_finite_on_the_way(n_starts):
    x = np.linspace(0.1, 5.0, 40)
    model = problem("a*log(x - b) + c", "abc", x, 2.0 * np.log(x + 0.3) + 1.0)
    start = np.tile([0.1, 0.05, 0.0], (n_starts, 1))
    minima = minimise(model, start, curves=np.zeros(n_starts, dtype=int))
    assert minima.converged.all()
    np.testing.assert_allclose(minima.params[0], [2.0, -0.3, 1.0], rtol=1e-9)


@pytest.mark.parametrize("n_starts", [1, 2], ids=["alone", "batch"])
def test_not_finite_at_the_start(n_starts):
    x = np.linspace(0.1, 5.0, 40)
    model = problem("a*log(x - b) + c", "abc", x, np.log(x))
    start = np.array([[1.0, 3.0, 0.0], [1.0, 0.0, 0.5]])[:n_starts]
    minima = minimise(model, start, curves=np.zeros(n_starts, dtype=int))
    assert minima.outcome[0] == Outcome.START_NOT_FINITE
    assert not minima.converged[0]
    np.testing.assert_array_equal(minima.params[0], start[0])
    assert np.isnan(minima.chi2[0])
    assert "p0" in Outcome(minima.outcome[0]).sentence
    assert minima.converged[1:].all()


@pytest.mark.parametrize("n_starts", [1, 2], ids=["alone", "batch"])
def test_what_the_data_cannot_tell_stays(n_starts):
    x, y = _peak()
    model = problem("(a + e) + b*exp(-((x - c)/d)**2) + 0*g", "abcdeg", x, y, sigma=0.1)
    start = np.tile([0.3, 2.0, 5.0, 1.0, 0.3, 7.0], (n_starts, 1))
    minima = minimise(model, start, curves=np.zeros(n_starts, dtype=int))
    plain = minimise(problem(PEAK, "abcd", x, y, sigma=0.1), np.array([[0.6, 2.0, 5.0, 1.0]]))
    assert minima.converged.all()
    a, b, c, d, e, g = minima.params[0]
    np.testing.assert_allclose([a + e, b, c, d], plain.params[0], rtol=1e-9)
    np.testing.assert_allclose(a, e, rtol=1e-9)  # the shortest way
    assert g == 7.0


def test_fewer_rows_than_parameters():
    model = problem(PEAK, "abcd", [4.0, 5.0], [3.0, 2.0])
    minima = minimise(model, np.array([[1.0, 2.0, 4.5, 1.0]]))
    assert minima.converged[0]
    assert minima.chi2[0] < 1e-24
    assert np.isfinite(minima.params).all()


def test_weight_two_is_a_row_twice():
    x, y = _peak(n=30)
    weight = np.random.default_rng(1).integers(1, 4, 30)
    formula, names = "(a + e) + b*exp(-x/c)", "aebc"
    start = np.array([[1.0, 1.0, 1.0, 3.0]])
    weighted = minimise(problem(formula, names, x, y, sigma=weight**-0.5), start)
    repeated = minimise(problem(formula, names, np.repeat(x, weight), np.repeat(y, weight)), start)
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-7)


def test_units_and_order_do_not_matter():
    x, y = _peak()
    start = np.array([[1.0, 2.0, 5.0, 1.0]])
    plain = minimise(problem(PEAK, "abcd", x, y, sigma=0.1), start)
    units = np.array([1e6, 1e-6, 1e3, 1e3])
    scaled = "1e-6*a + 1e6*b*exp(-((x - 0.001*c)/(0.001*d))**2)"
    other = minimise(problem(scaled, "abcd", x, y, sigma=0.1), start * units)
    np.testing.assert_allclose(other.params / units, plain.params, rtol=ROUNDING)
    shuffled = np.random.default_rng(0).permutation(len(x))
    back = minimise(problem(PEAK, "dcba", x[shuffled], y[shuffled], sigma=0.1), start[:, ::-1])
    np.testing.assert_allclose(back.params[:, ::-1], plain.params, rtol=ROUNDING)
    assert back.n_iter[0] == other.n_iter[0] == plain.n_iter[0]


def test_blocks_of_rows():
    x, y = _peak(n=100_003)
    model = problem(PEAK, "abcd", x, y, sigma=0.1)
    start = np.array([[1.0, 2.0, 5.0, 1.0]])
    blocked = minimise(model, start)
    whole = minimise(problem(PEAK, "abcd", x, y, sigma=0.1, held=True), start)
    assert blocked.converged[0]
    np.testing.assert_allclose(blocked.params, whole.params, rtol=1e-10)
    np.testing.assert_allclose(errors(blocked), errors(whole), rtol=1e-8)
    assert blocked.n_iter[0] <= 4


def test_blocks_of_an_ill_conditioned_problem():
    x = np.linspace(0.0, 1.0, 50_000)
    y = np.exp(-x) + np.exp(-1.2 * x) + 1e-6 * np.random.default_rng(0).normal(size=len(x))
    formula, start = "a*exp(-b*x) + c*exp(-d*x)", np.array([[1.0, 0.9, 1.0, 1.3]])
    blocked = minimise(problem(formula, "abcd", x, y, sigma=1e-6), start)
    whole = minimise(problem(formula, "abcd", x, y, sigma=1e-6, held=True), start)
    assert blocked.converged[0]
    np.testing.assert_allclose(blocked.params, whole.params, atol=1e-6 * errors(whole).max())
    np.testing.assert_allclose(errors(blocked), errors(whole), rtol=1e-6)


def test_few_iterations_are_not_enough():
    case = record("nist_MGH17")
    for start in (case.starts[0][None], np.tile(case.starts[0], (2, 1))):
        curves = np.zeros(len(start), dtype=int)
        minima = minimise(problem_of(case), start, curves=curves, max_iter=5)
        assert (minima.outcome == Outcome.MAX_ITERATIONS).all()
        assert (minima.n_iter == 5).all()


def test_every_outcome_has_its_sentence():
    for outcome in Outcome:
        assert outcome.sentence.startswith("Converged" if outcome.converged else "Not converged")


@pytest.mark.parametrize("n_curves", [3, 40])
def test_many_bounded_curves_end_where_each_does_alone(n_curves):
    rng = np.random.default_rng(6)
    x = np.linspace(0.0, 10.0, 50)
    centres = rng.uniform(3.0, 7.0, (n_curves, 1))
    y = 0.5 + 10.0 * np.exp(-((x - centres) ** 2)) + 0.1 * rng.normal(size=(n_curves, 50))
    box = {"lower": np.array([-np.inf, 0.0, 0.0, 0.1]), "upper": np.array([np.inf, 5.0, 10.0, 1.2])}
    made = problem("a + b*exp(-((x - c)/d)**2)", "abcd", x, y, sigma=0.1, **box)
    start = np.column_stack([np.ones(n_curves), np.full(n_curves, 4.0), centres, np.ones(n_curves)])
    together = minimise(made, start)
    assert together.converged.all()
    assert together.at_bound[:, 1].all()
    for curve in range(n_curves):
        alone = minimise(made, start[curve : curve + 1], curves=np.array([curve]))
        # the model does not fit, so steps shrink slowly; they end at 1e-5 standard errors
        np.testing.assert_allclose(together.params[curve], alone.params[0], rtol=1e-5)
        np.testing.assert_array_equal(together.at_bound[curve], alone.at_bound[0])


@pytest.mark.parametrize("width", [1.5, 6.0])
def test_some_rows_that_do_not_show_the_peak_do_not_lead_astray(width):
    """Every thirty-second pixel of an image of 128 columns lies in one of four columns."""
    across, down = (
        each.ravel().astype(float) for each in np.meshgrid(np.arange(128), np.arange(99))
    )
    formula = "a*exp(-((x - b)**2 + (y - c)**2)/(2*d**2)) + e"
    names, true = ["a", "b", "c", "d", "e"], np.array([20.0, 51.4, 40.2, width, 3.0])
    z = true[0] * np.exp(-((across - true[1]) ** 2 + (down - true[2]) ** 2) / (2 * width**2)) + 3.0
    z += np.random.default_rng(5).normal(size=len(z))
    given = problem(formula, names, np.column_stack((across, down)), z, features=("x", "y"))
    start = true * [0.8, 1.004, 0.995, 1.2, 0.7]
    found = minimise(given, start[None])
    alone = problem(
        formula, names, np.column_stack((across, down)), z, features=("x", "y"), held=True
    )
    expected = minimise(alone, start[None])
    assert found.converged[0]
    np.testing.assert_allclose(found.cost, expected.cost, rtol=1e-9)
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-5)
