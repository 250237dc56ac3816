"""What was measured, and how it is printed: a Markdown table, verdicts on the targets, JSON."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

from long_double import has_long_double
from threadpoolctl import threadpool_info

EMPTY = "–"
QUANTITIES = {
    "ratio": "relative time",
    "array_megabytes": "MB of arrays",
    "resident_megabytes": "MB resident",
    "digits_params": "digits of parameters",
    "digits_std": "digits of standard errors",
}
PACKAGES = (
    "numpy", "scipy", "scikit-learn", "statsmodels", "lmfit", "odrpack", "pandas", "sklsq",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What was measured of one peer on one problem; ratio > 1 means slower than the reference."""

    workload: str
    name: str
    seconds: float = math.nan
    ratio: float = math.nan
    array_megabytes: float = math.nan
    resident_megabytes: float = math.nan
    digits_params: float = math.nan
    digits_std: float = math.nan
    note: str = ""


@dataclass(frozen=True)
class Target:
    """One promise: `quantity` of the row called `name` is at least, or at most, `limit`."""

    name: str
    quantity: str
    at_least: float | None = None
    at_most: float | None = None

    def verdict(self, rows: Iterable[Row]) -> str:
        wanted = f">= {self.at_least:.3g}" if self.at_most is None else f"<= {self.at_most:.3g}"
        promise = f"{self.name}: {QUANTITIES[self.quantity]} {wanted}"
        value = next(
            (getattr(row, self.quantity) for row in rows if row.name == self.name), math.nan
        )
        if math.isnan(value):
            return f"not measured  {promise}"
        met = value >= self.at_least if self.at_most is None else value <= self.at_most
        return f"{'met   ' if met else 'MISSED'}  {promise} (measured {value:.4g})"


@dataclass
class Report:
    """Collects rows, prints them, and writes them with the environment they hold for."""

    rows: list[Row] = field(default_factory=list)

    def add(self, rows: list[Row], targets: Iterable[Target] = ()) -> None:
        self.rows += rows
        if rows:
            print(f"\n### {rows[0].workload}\n\n{table(rows)}\n")
        for target in targets:
            print(target.verdict(rows))

    def write(self, path: Path) -> None:
        content = {"environment": environment(), "rows": [asdict(row) for row in self.rows]}
        path.write_text(json.dumps(content, indent=1))


def environment() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed as a package"
    pools = ", ".join(
        f"{pool['prefix']} {pool['version']} x{pool['num_threads']}" for pool in threadpool_info()
    )
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "pools": pools,
    } | versions


def print_environment() -> None:
    print("; ".join(f"{name} {value}" for name, value in environment().items()))
    if not has_long_double():
        print("warning: long double is double here, large references are worth 15 digits at most")


# --- printing ------------------------------------------------------------------------------------


def table(rows: list[Row]) -> str:
    """Markdown table; columns that hold nothing are left out."""
    header = [
        "",
        "time",
        "relative",
        "arrays MB",
        "resident MB",
        "digits",
        "digits of errors",
        "remark",
    ]
    lines = [header, *(_cells(row) for row in rows)]
    filled = [
        k for k in range(len(header)) if any(line[k] not in {"", EMPTY} for line in lines[1:])
    ]
    header, *body = [[line[k] for k in filled] for line in lines]
    return markdown(header, body)


def _cells(row: Row) -> list[str]:
    return [
        row.name,
        duration(row.seconds),
        number(row.ratio, ".3g"),
        number(row.array_megabytes, ".1f"),
        number(row.resident_megabytes, ".0f"),
        number(row.digits_params, ".1f"),
        number(row.digits_std, ".1f"),
        row.note,
    ]


def markdown(header: list[str], body: list[list[str]]) -> str:
    widths = [max(len(line[k]) for line in [header, *body]) for k in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = (
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([line(header), rule, *map(line, body)])


def number(value: float, spec: str) -> str:
    return EMPTY if math.isnan(value) else format(value, spec)


def duration(seconds: float) -> str:
    if math.isnan(seconds):
        return EMPTY
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
