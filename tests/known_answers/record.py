"""One problem with its known answer, read from the JSON beside this file.

    @pytest.mark.parametrize("case", records(task="wls"), ids=str)
    def test_line(case):
        fit = WeightedLinearFit().fit(case.X, case.y, sigma=case.sigma)
        assert digits(fit.params_, case.reference["coef"]) > 12

Straight lines (`wls`, `eiv_line`, `type2`): X is the abscissa, `coef` is [intercept, slope].
`linear`, `surface`: X is the full design matrix, a constant included.
`nonlinear`: X holds the features in the order of `features`; `case.predict(parameters)`.
`grouped_nonlinear`: `case.groups` labels the rows, `case.raw["groups"][label]` has the answers.
`robustness`: `case.arguments` are the real objects, `case.raw["expect"]` what should happen.
"""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from sklsq._typing import ArrayLike, FloatArray
from tests.known_answers.container import decode

__all__ = ["Record", "record", "records"]

FOLDER = Path(__file__).parent
FUNCTIONS = {
    name: getattr(np, name)
    for name in ("arctan", "cos", "exp", "log", "log10", "pi", "sin", "sqrt")
}


@dataclass(frozen=True, eq=False)
class Record:
    """A problem: data, what is known of the errors, and the answer to test against."""

    id: str
    family: str
    task: str
    raw: dict[str, Any] = field(repr=False)
    X: FloatArray | None = field(default=None, repr=False)
    y: FloatArray | None = field(default=None, repr=False)
    sigma: FloatArray | None = field(default=None, repr=False)
    sigma_x: FloatArray | None = field(default=None, repr=False)
    corr_xy: FloatArray | None = field(default=None, repr=False)
    variance_weight: FloatArray | None = field(default=None, repr=False)
    groups: np.ndarray | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.id

    @property
    def reference(self) -> dict[str, Any]:
        """The answer to test against; the keys depend on the task."""
        return self.raw["reference"]

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters, in the order of ``reference["coef"]``."""
        return self.raw["params"]

    @property
    def features(self) -> list[str]:
        """Names of the columns of X in the expression of a nonlinear problem."""
        return self.raw["predictors"]

    @property
    def starts(self) -> list[FloatArray]:
        """Starting values of the parameters, those of the source."""
        return [np.array(start, float) for start in self.raw.get("starts", []) if start]

    @property
    def arguments(self) -> dict[str, Any]:
        """The inputs of a robustness case, decoded anew at each call."""
        return {name: decode(value) for name, value in self.raw["args"].items()}

    def predict(self, parameters: ArrayLike, X: FloatArray | None = None) -> FloatArray:
        """Value of the model of a nonlinear problem."""
        columns = (self.X if X is None else X).T
        names = dict(zip(self.parameters, np.asarray(parameters), strict=True))
        names |= dict(zip(self.features, columns, strict=True))
        return eval(_compiled(self.raw["expr"]), {"__builtins__": {}}, {**FUNCTIONS, **names})


def records(
    family: str | None = None,
    task: str | None = None,
    *,
    where: Callable[[Record], bool] = lambda _: True,
) -> list[Record]:
    """All records of a family and a task, in the order of the files."""
    return [
        candidate
        for candidate in _all_records()
        if family in (None, candidate.family)
        and task in (None, candidate.task)
        and where(candidate)
    ]


def record(identifier: str) -> Record:
    """Find the one record of this name.

    >>> record("nist_Norris").X.shape
    (36, 2)
    """
    (found,) = records(where=lambda candidate: candidate.id == identifier)
    return found


@cache
def _all_records() -> tuple[Record, ...]:
    return tuple(_read())


def _read() -> Iterator[Record]:
    for path in sorted(FOLDER.rglob("*.json")):
        for raw in json.loads(path.read_text(encoding="utf-8"))["records"]:
            yield _record(raw, path.parent)


def _record(raw: dict[str, Any], folder: Path) -> Record:
    names = {"id": raw["id"], "family": raw["family"], "task": raw["task"], "raw": raw}
    if raw["task"] == "robustness":
        return Record(**names)
    columns = _columns(raw, folder)

    def column(*keys: str) -> np.ndarray | None:
        used = [raw[key] for key in keys if raw.get(key) in columns]
        return columns[used[0]] if used else None

    y = column("y")
    return Record(
        **names,
        X=_matrix(raw, columns),
        y=np.log(y) if raw.get("response_transform") == "log" else y,
        sigma=column("sigma", "sigma_y"),
        sigma_x=column("sigma_x"),
        corr_xy=column("rho"),
        variance_weight=column("weight_column"),
        groups=column("group"),
    )


def _columns(raw: dict[str, Any], folder: Path) -> dict[str, np.ndarray]:
    data = raw.get("data") or _table(folder / raw["csv"])
    labels = raw.get("group")
    return {
        name: np.array(values, dtype=str if name == labels else float)
        for name, values in data.items()
    }


def _table(path: Path) -> dict[str, list[str]]:
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {name: [row[name] for row in rows] for name in rows[0]}


def _matrix(raw: dict[str, Any], columns: dict[str, np.ndarray]) -> FloatArray:
    design = raw.get("design") or {"type": "features"}
    if design["type"] == "polynomial":
        return columns[design["column"]][:, None] ** np.array(design["powers"])
    if design["type"] == "columns":
        constant = {"1": np.ones(len(columns[raw["y"]]))}
        return np.column_stack([(constant | columns)[name] for name in design["columns"]])
    if design["type"] == "surface":
        x, y = columns["x"], columns["y"]
        powers = [(i - j, j) for i in range(design["degree"] + 1) for j in range(i + 1)]
        return np.column_stack([x**of_x * y**of_y for of_x, of_y in powers])
    return np.column_stack([columns[name] for name in raw.get("predictors") or ["x"]])


@cache
def _compiled(expression: str) -> CodeType:
    return compile(expression, "<known answer>", "eval")
