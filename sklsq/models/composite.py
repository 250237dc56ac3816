"""Sums of models, as a peak on a background.

Guesses of a sum are found part by part. The linear parameters of the parts so far (the background,
the heights) are always solved for together, so that a part is never guessed against a background
that another background would fit better; the next part is guessed from what is left over. Several
curves that differ are carried along, each improved by a few steps; and since the first peak found
may have stood for two, every part is in the end guessed once more beside all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from sklsq._typing import BoolArray, FloatArray
from sklsq.models.formula import FormulaModel
from sklsq.models.linearity import linear_parameters
from sklsq.models.model import Filling, Model
from sklsq.models.projection import complete, polish
from sklsq.models.ready_made import ReadyMade, condense

__all__ = ["CompositeModel"]

_BEAM = 5
_BEST = 16
_COMPARED = 300
_POLISHED = 16  # guesses improved before the beam is chosen
# Curves are taken for the same if their squared distance is less than this share of the squared
# distance from the data.
_SAME = 0.1


class CompositeModel(Model):
    """The sum of models of the same features; made by ``+``.

    A parameter keeps its name if no other part has it. Otherwise the parts concerned get prefixes:
    the name of their class, numbered where there are several, ``gaussian1_height``. Parts with a
    prefix of their own keep it.

    Parameters
    ----------
    parts : sequence of Model
        Sums among them are taken apart.

    Examples
    --------
    >>> from sklsq.models import Constant, Gaussian
    >>> (Gaussian() + Constant()).parameter_names
    ('height', 'center', 'sigma', 'constant')
    >>> (Gaussian() + Gaussian()).parameter_names
    ('gaussian1_height', 'gaussian1_center', 'gaussian1_sigma',
     'gaussian2_height', 'gaussian2_center', 'gaussian2_sigma')
    """

    def __init__(self, parts: Sequence[Model]) -> None:
        flat: list[Model] = []
        for part in parts:
            flat.extend(part.parts if isinstance(part, CompositeModel) else [part])
        self.parts: tuple[Model, ...] = tuple(flat)
        widths = {part.n_features for part in flat} - {None}
        if len(widths) > 1:
            raise ValueError(
                f"The parts of a sum must have the same features. Got {self!r}, which take "
                f"{' and '.join(str(width) for width in sorted(map(str, widths)))} features."
            )
        self._n_features = widths.pop() if widths else None
        self._names = _distinct_names(self.parts)
        sizes = [len(part.parameter_names) for part in flat]
        ends = np.cumsum(sizes)
        self._slices = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]

    def __repr__(self) -> str:
        return " + ".join(repr(part) for part in self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompositeModel) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the parts."""
        return CompositeModel, (self.parts,)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters of all parts, in order."""
        return self._names

    @property
    def n_features(self) -> int | None:
        """Width of X that the parts take."""
        return self._n_features

    @property
    def is_linear(self) -> BoolArray | None:
        """Which parameters enter linearly; None where a part is a function."""
        masks = [_linear_of(part) for part in self.parts]
        known = [mask for mask in masks if mask is not None]
        return np.concatenate(known) if len(known) == len(masks) else None

    def evaluate(self, X: FloatArray, params: FloatArray) -> FloatArray:
        """Compute the sum; see `Model.evaluate`."""
        total = self.parts[0].evaluate(X, params[:, self._slices[0]])
        with np.errstate(all="ignore"):
            for part, columns in zip(self.parts[1:], self._slices[1:], strict=True):
                total += part.evaluate(X, params[:, columns])
        return total

    def linearise(self, X: FloatArray, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute the sum and all derivatives; see `Model.linearise`."""
        values = np.zeros((len(params), len(X)))
        derivatives = np.empty((*params.shape, len(X)))
        with np.errstate(all="ignore"):
            for part, columns in zip(self.parts, self._slices, strict=True):
                value, derivatives[:, columns] = part.linearise(X, params[:, columns])
                values += value
        return values, derivatives

    def filling(self, X: FloatArray, params: FloatArray) -> Filling:
        """Return what fills the rows of a fit part by part; see `Model.filling`."""
        parts = [
            (part.filling(X, params[columns]), columns)
            for part, columns in zip(self.parts, self._slices, strict=True)
        ]

        def fill(*arguments: Any) -> None:
            *numbers, y, rows = arguments
            for fill_part, columns in parts:
                fill_part(*numbers[columns], y, [*rows[columns], rows[-1]])
                y = rows[-1]  # what the parts so far have left

        return fill

    def is_pointwise(self, X: FloatArray, params: FloatArray) -> bool:
        """Tell whether every part is; see `Model.is_pointwise`."""
        pairs = zip(self.parts, self._slices, strict=True)
        return all(part.is_pointwise(X, params[:, columns]) for part, columns in pairs)

    def candidates(self, X: FloatArray, y: FloatArray) -> FloatArray | None:
        """Guess part by part, best first; None where a part knows nothing of itself."""
        is_linear = self.is_linear
        shaped = [k for k, part in enumerate(self.parts) if not _is_all_linear(part)]
        if is_linear is None or not all(isinstance(self.parts[k], ReadyMade) for k in shaped):
            return None
        if self.n_features != 1:
            return None
        x, y = condense(X[:, 0], y)
        if len(x) == 0:
            return None
        search = _Search(self, x, y, is_linear, self._slices)
        return search.run(shaped)


class _Search:
    """The search for guesses: a beam of the best sets of parameters so far."""

    def __init__(
        self,
        model: CompositeModel,
        x: FloatArray,
        y: FloatArray,
        is_linear: BoolArray,
        slices: list[slice],
    ) -> None:
        self.model, self.x, self.y = model, x, y
        self.is_linear, self.slices = is_linear, slices
        # Linear parameters of parts not yet guessed are zero: such a part is switched off.
        self.is_active = np.zeros(len(is_linear), dtype=bool)
        self.beam: FloatArray = np.zeros((1, len(is_linear)))

    def run(self, shaped: list[int]) -> FloatArray | None:
        """Guess each shaped part, then each again if there are several."""
        for k, columns in enumerate(self.slices):
            if k in shaped:
                guesses = self._guesses(k, self.y)
                if not len(guesses):
                    return None
                self.beam[:, columns] = guesses[0]
            else:
                self.is_active[columns] = True
        self._choose(self.beam, _BEAM)
        rounds = [*shaped, *shaped] if len(shaped) > 1 else shaped
        for place, k in enumerate(rounds):
            if not len(self.beam):  # nothing so far was finite
                return None
            self.is_active[self.slices[k]] = True
            self._guess_part(k, _BEST if place == len(rounds) - 1 else _BEAM)
        return self.beam if len(self.beam) else None

    def _guess_part(self, k: int, n_kept: int) -> None:
        columns = self.slices[k]
        is_filled = self.beam[:, columns][:, self.is_linear[columns]].any()
        rows = [self.beam] if is_filled else []
        for params in self.beam:
            others = params.copy()
            others[columns] = np.where(self.is_linear[columns], 0.0, others[columns])
            left = self.y - self.model.evaluate(self.x[:, None], others[None])[0]
            guesses = np.concatenate([self._guesses(k, left), self._guesses(k, self.y)])
            block = np.repeat(others[None], len(guesses), axis=0)
            block[:, columns] = guesses
            rows.append(block)
        self._choose(np.concatenate(rows), n_kept)

    def _guesses(self, k: int, y: FloatArray) -> FloatArray:
        part = self.model.parts[k]
        assert isinstance(part, ReadyMade)
        return part.guesses(self.x, np.where(np.isfinite(y), y, 0.0))

    def _choose(self, params: FloatArray, n_kept: int) -> None:
        active = self.is_linear & self.is_active
        X = self.x[:, None]
        params, costs = complete(self.model, X, self.y, params, active)
        kept = self._distinct(params, costs, _POLISHED)
        params, costs = polish(self.model, X, self.y, params[kept], self.is_active)
        self.beam = params[self._distinct(params, costs, n_kept)]

    def _distinct(self, params: FloatArray, costs: FloatArray, n_kept: int) -> list[int]:
        """Return the best guesses whose curves differ from those of all better ones."""
        order = np.argsort(costs, kind="stable")
        order = order[np.isfinite(costs[order])][:_COMPARED]
        curves = self.model.evaluate(self.x[:, None], params[order])
        kept: list[int] = []
        for row, cost in enumerate(costs[order]):
            distances = ((curves[kept] - curves[row]) ** 2).sum(axis=1)
            if (distances > _SAME * cost).all():
                kept.append(row)
            if len(kept) == n_kept:
                break
        return [int(order[row]) for row in kept]


def _linear_of(part: Model) -> BoolArray | None:
    declared: BoolArray | None = getattr(part, "is_linear", None)
    if declared is not None or not isinstance(part, FormulaModel):
        return declared
    if part.derivatives is None:
        return None
    return linear_parameters(part, np.empty((0, part.n_features)), np.empty((0, 0)))


def _is_all_linear(part: Model) -> bool:
    mask = _linear_of(part)
    return mask is not None and bool(mask.all())


def _distinct_names(parts: Sequence[Model]) -> tuple[str, ...]:
    """Return the names of all parameters, prefixed where parts share one."""
    names = [part.parameter_names for part in parts]
    counts = Counter(name for part_names in names for name in part_names)
    clashing = [any(counts[name] > 1 for name in part_names) for part_names in names]
    kinds = Counter(_kind(part) for part, clashes in zip(parts, clashing, strict=True) if clashes)
    numbers: Counter[str] = Counter()
    distinct: list[str] = []
    for part, part_names, clashes in zip(parts, names, clashing, strict=True):
        prefix = ""
        if clashes and not getattr(part, "prefix", ""):
            kind = _kind(part)
            numbers[kind] += 1
            prefix = f"{kind}{numbers[kind] if kinds[kind] > 1 else ''}_"
        distinct.extend(prefix + name for name in part_names)
    repeated = sorted(name for name, count in Counter(distinct).items() if count > 1)
    if repeated:
        raise ValueError(
            f"The parts of a sum must have different parameter names. Got {', '.join(repeated)} "
            "more than once. Give the parts different prefixes, e.g. prefix='g1_'."
        )
    return tuple(distinct)


def _kind(part: Model) -> str:
    return type(part).__name__.removesuffix("Model").lower()
