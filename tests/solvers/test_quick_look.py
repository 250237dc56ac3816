from dataclasses import replace

import numpy as np
import pytest

from sklsq.solvers.nonlinear_problem import Minima, Outcome
from sklsq.solvers.quick_look import (
    Judge,
    Verdict,
    best_linear,
    is_noise,
    picked,
    projected_costs,
)

N, K = 60, 3
A_FEW_ROUNDINGS = 1e-10  # of normal equations
RIDGE = 1e-8


class TestScan:
    rows = np.random.default_rng(0).normal(size=(4, 9, 30))

    def test_costs_by_lstsq(self):
        expected = [
            np.linalg.lstsq(rows[:-1].T, rows[-1], rcond=None)[1][0]
            for rows in self.rows.swapaxes(0, 1)
        ]
        np.testing.assert_allclose(projected_costs(self.rows), expected, A_FEW_ROUNDINGS)

    def test_best_parameters_by_lstsq(self):
        one = self.rows[:, 4]
        expected = np.linalg.lstsq(one[:-1].T, one[-1], rcond=None)[0]
        np.testing.assert_allclose(best_linear(one), expected, rtol=RIDGE)

    def test_a_column_twice_counts_once(self):
        twice = self.rows[[0, 1, 1, 3]]
        costs = projected_costs(twice)
        np.testing.assert_allclose(costs, projected_costs(self.rows[[0, 1, 3]]), A_FEW_ROUNDINGS)
        assert np.isfinite(best_linear(twice[:, 0])).all()

    @pytest.mark.parametrize("lost", [np.nan, np.inf])
    def test_what_is_not_finite_costs_infinitely_much(self, lost):
        rows = self.rows.copy()
        rows[1, 3, 7] = lost
        with np.errstate(invalid="ignore"):
            costs = projected_costs(rows)
        assert np.isinf(costs).tolist() == [b == 3 for b in range(9)]

    def test_nothing_linear(self):
        np.testing.assert_allclose(
            projected_costs(self.rows[-1:]), (self.rows[-1] ** 2).sum(axis=1), A_FEW_ROUNDINGS
        )


def test_picked_are_apart_the_second_with_another_sign():
    points = np.array([[1.0, 1.0], [1.1, 1.0], [1.0, 9.0], [-1.0, 1.0], [5.0, 5.0]])
    costs = np.array([1.0, 3.0, 4.0, 2.0, np.inf])
    assert list(picked(points, costs, 5)) == [0, 3, 2]
    far = np.tile([[5.0, 5.0]], (15, 1))
    many, higher = np.concatenate([points, far]), np.append(costs, np.full(15, np.inf))
    assert list(picked(many, higher, 2)) == [0, 3]
    assert list(picked(points, costs, 1)) == [0]
    assert list(picked(points, np.full(5, np.inf), 5)) == []
    hopeless = np.array([1.0, 2.0, 3.0, 99.0, np.inf])
    assert list(picked(points, hopeless, 2)) == [0, 2]


class TestNoise:
    def test_false_alarms(self):
        rng, tries = np.random.default_rng(1), 3_000
        alarms = sum(not is_noise(rng.normal(size=100)) for _ in range(tries))
        assert alarms <= 3 + 0.005 * tries + 3.0 * np.sqrt(0.005 * tries)

    @pytest.mark.parametrize(
        "left",
        [
            lambda i: 2.0 * np.sin(0.3 * i),
            lambda i: 1.5 * np.sin(np.pi / 2.0 * i),
            lambda i: 1.5 * (-1.0) ** i,
            lambda i: 6.0 * np.exp(-(((i - 40.0) / 4.0) ** 2)),
            lambda i: 9.0 * (i == 50.0),
            lambda i: 0.03 * i,
        ],
        ids=["slow", "four points a period", "two points", "peak", "one point", "trend"],
    )
    def test_what_is_left_over(self, left):
        i = np.arange(100.0)
        rng = np.random.default_rng(2)
        assert not any(is_noise(left(i) + rng.normal(size=100)) for _ in range(50))

    @pytest.mark.parametrize("unit", [1e-140, 1e140])
    def test_any_unit(self, unit):
        assert is_noise(unit * np.random.default_rng(0).normal(size=50))


class TestJudge:
    """An offset, a height and a width, by columns that are noise themselves."""

    rng = np.random.default_rng(3)
    J = rng.normal(size=(K, N))
    noise = rng.normal(size=N)
    judge = Judge(
        n_rows=N,
        knows_errors=True,
        in_order=True,
        features=np.array([False, True, False]),
        nonlinear=np.array([False, False, True]),
        scales=np.zeros(K),
        scatter=1e4,
    )

    def minimum(self, params, chi2=None, outcome=Outcome.CONVERGED, J=None):
        R = np.linalg.qr((self.J if J is None else J).T, mode="r")
        chi2 = float(self.noise @ self.noise) if chi2 is None else chi2
        number = np.zeros(1, dtype=int)
        return Minima(
            np.array([params], dtype=float),
            np.array([0.5 * chi2]),
            np.array([chi2]),
            number,
            number + int(outcome),
            np.zeros(1),
            R[None],
            np.zeros((1, K), dtype=bool),
        )

    def verdict(self, params, judge=None, noise=None, **others):
        rows = np.vstack([others.get("J", self.J), self.noise if noise is None else noise])
        return (judge or self.judge).verdict(self.minimum(params, **others), rows)

    def test_far_above_the_noise(self):
        assert self.verdict([0.0, 5.0, 5.0]) == Verdict.SURE

    @pytest.mark.parametrize(
        ("params", "expected"),
        [
            ([9.0, 0.75, 5.0], Verdict.LIKELY),
            ([9.0, 0.4, 5.0], Verdict.DOUBTFUL),
            ([9.0, 5.0, 0.5], Verdict.LIKELY),
            ([9.0, 5.0, 0.1], Verdict.DOUBTFUL),
        ],
    )
    def test_little_above_the_noise(self, params, expected):
        assert self.verdict(params) == expected

    def test_a_place_near_zero_is_compared_with_its_scale(self):
        judge = replace(self.judge, scales=np.array([0.0, 0.0, 3.0]))
        assert self.verdict([0.0, 5.0, 0.0], judge) == Verdict.SURE

    @pytest.mark.parametrize(
        "others",
        [
            {"outcome": Outcome.STALLED},
            {"chi2": 120.0},
            {"J": np.vstack([J[:2], J[0] + 1e-6 * J[2]])},
            {"J": J * [[1.0], [1.0], [0.0]]},
            {"noise": np.sin(0.2 * np.arange(N))},
        ],
        ids=["not converged", "chi2 too large", "nearly dependent", "dead", "not noise"],
    )
    def test_doubted(self, others):
        assert self.verdict([9.0, 9.0, 9.0], **others) == Verdict.DOUBTFUL

    def test_no_more_than_a_constant_explains(self):
        judge = replace(self.judge, scatter=float(self.noise @ self.noise) * 1.1)
        assert self.verdict([9.0, 9.0, 9.0], judge) == Verdict.DOUBTFUL

    def test_one_point_alone(self):
        J = self.J.copy()
        J[2] = 0.0
        J[2, 7] = 1.0
        assert self.verdict([9.0, 9.0, 90.0], J=J) == Verdict.LIKELY

    def test_several_features_need_chi2(self):
        features = replace(self.judge, in_order=False)
        assert self.verdict([9.0, 9.0, 9.0], features) == Verdict.SURE
        assert self.verdict([9.0, 9.0, 9.0], features, chi2=10.0) == Verdict.DOUBTFUL
        unknown = replace(features, knows_errors=False)
        assert self.verdict([9.0, 9.0, 9.0], unknown) == Verdict.DOUBTFUL

    def test_few_degrees_of_freedom(self):
        few = replace(self.judge, n_rows=K + 7)
        assert self.verdict([9.0, 9.0, 9.0], few) == Verdict.DOUBTFUL

    def test_exact(self):
        assert self.verdict([9.0, 9.0, 9.0], outcome=Outcome.EXACT, chi2=1e-30) == Verdict.SURE

    @pytest.mark.parametrize("scatter", [0.0, 1e-30])
    def test_through_points_on_a_constant(self, scatter):
        constant = replace(self.judge, scatter=scatter)
        noise = 1e-16 * self.noise
        chi2 = float(noise @ noise) * (scatter > 0.0)
        found = self.verdict([9.0, 1e-17, 9.0], constant, noise, outcome=Outcome.EXACT, chi2=chi2)
        assert found == Verdict.DOUBTFUL

    @pytest.mark.parametrize(
        ("chi2", "verdicts", "is_all", "expected"),
        [
            ([60.0], [Verdict.SURE], False, True),
            ([60.0], [Verdict.LIKELY], True, False),
            ([60.0] * 3, [Verdict.LIKELY] * 3, False, False),
            ([60.0] * 3, [Verdict.LIKELY] * 3, True, True),
            ([60.0, 60.0, 60.0, 65.0], [Verdict.LIKELY] * 4, True, False),
            ([60.0, 65.0], [Verdict.SURE] * 2, True, False),
            ([60.0, 90.0], [Verdict.SURE, Verdict.DOUBTFUL], False, True),
            ([60.0, 50.0], [Verdict.SURE, Verdict.DOUBTFUL], True, False),
            ([], [], True, False),
        ],
    )
    def test_settles(self, chi2, verdicts, is_all, expected):
        found = [self.minimum([1.0, 1.0, 1.0], value) for value in chi2]
        assert self.judge.settles(found, verdicts, is_all=is_all) == expected

    def test_two_nonlinear_parameters_have_a_second_descent(self):
        two = replace(self.judge, nonlinear=np.array([False, True, True]))
        found = [self.minimum([1.0, 1.0, 1.0])]
        assert not two.settles(found, [Verdict.SURE], is_all=False)
        assert two.settles(found * 2, [Verdict.SURE] * 2, is_all=False)
