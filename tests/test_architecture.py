"""The plan of the house holds: who may import whom, and what no file may contain.

The rules are functions from a package to a list of complaints. They are run on sklsq, and each on
a small made-up package that breaks it.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
THIS_FILE = Path(__file__).name

# Room -> what it may import besides itself and GROUND. A dotted name opens that one module only.
GROUND = {"_typing", "exceptions"}
MAY_IMPORT = {
    "_typing": set(),
    "exceptions": set(),
    "expression": set(),
    "solvers": set(),
    "noise": {"solvers"},
    "basis": {"expression", "solvers.extended", "solvers.rows"},
    "models": {"expression", "solvers.extended"},
    "inference": {"expression", "models", "noise", "solvers"},
    "datasets": set(),
    "metrics": {"noise", "inference"},
    "diagnostics": {"noise", "solvers", "inference"},
    "estimators": {"noise", "basis", "models", "solvers", "inference", "expression"},
    "display": {"inference", "diagnostics", "noise"},
    "gallery": {"basis", "datasets", "diagnostics", "display", "estimators", "inference", "models"},
    "distributed": {"estimators", "noise", "basis", "models", "solvers", "inference"},
}
SEES_EVERYTHING = {"__init__", "__main__"}
# Arrays in, Solution out: these know nothing of where the data came from.
PLAIN_ROOMS = {"solvers": {"sklearn", "pandas", "matplotlib"}}
OPTIONAL = {"matplotlib", "dask", "odrpack", "uncertainties"}
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc"}
BROAD = {"Exception", "BaseException"}
LONGEST_FILE = 500
TOP_LEVEL = {"pyproject.toml", "sklsq", "tests", "benchmarks", "README.md", "LICENSE"}


@dataclass(frozen=True)
class Import:
    """One imported module, and whether it is imported along with the importing one."""

    target: str
    line: int
    immediate: bool


class Module:
    """A parsed file; `name` is dotted and starts at the package, which is itself `__init__`."""

    def __init__(self, path: Path, root: Path):
        self.path = path
        parts = path.relative_to(root).with_suffix("").parts
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts) or "__init__"
        self.room = self.name.partition(".")[0]
        self.source = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def public_names(self) -> list[str]:
        definitions = (ast.FunctionDef, ast.ClassDef)
        names = [node.name for node in self.tree.body if isinstance(node, definitions)]
        return [name for name in names if not name.startswith("_")]

    def at(self, line: int) -> str:
        return f"{self.name}, line {line}"


class Package:
    """All modules below `<repository>/sklsq`."""

    def __init__(self, repository: Path):
        self.repository = repository
        root = repository / "sklsq"
        self.modules = {
            module.name: module
            for module in (Module(path, root) for path in sorted(root.rglob("*.py")))
        }

    @cached_property
    def imports(self) -> dict[str, list[Import]]:
        return {name: list(self._imports(module)) for name, module in self.modules.items()}

    def _imports(self, module: Module) -> Iterator[Import]:
        for node, immediate in statements(module.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(self._own(alias.name), node.lineno, immediate)
            elif isinstance(node, ast.ImportFrom):
                for target in self._targets(module, node):
                    yield Import(target, node.lineno, immediate)

    def _targets(self, module: Module, node: ast.ImportFrom) -> set[str]:
        base = node.module or ""
        if node.level:
            above = ["sklsq", *module.name.split(".")]
            kept = len(above) - node.level + (1 if module.is_package else 0)
            base = ".".join([*above[:kept], *filter(None, [node.module])])
        deeper = {alias.name: self._own(f"{base}.{alias.name}") for alias in node.names}
        return {
            name if name.removeprefix("sklsq.") in self.modules else self._own(base)
            for name in deeper.values()
        }

    @staticmethod
    def _own(name: str) -> str:
        return "sklsq.__init__" if name == "sklsq" else name

    def inner(self, module: Module) -> list[Import]:
        """Imports of modules of this package, without its name."""
        return [
            Import(found.target.removeprefix("sklsq."), found.line, found.immediate)
            for found in self.imports[module.name]
            if found.target.startswith("sklsq.")
        ]

    def outer(self, module: Module) -> list[Import]:
        """Imports of other packages, by the name of the package."""
        return [
            Import(found.target.partition(".")[0], found.line, found.immediate)
            for found in self.imports[module.name]
            if not found.target.startswith("sklsq.")
        ]


def statements(node: ast.AST, immediate: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes, each with whether it is executed when the module is imported."""
    for child in ast.iter_child_nodes(node):
        yield child, immediate
        deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from statements(child, immediate and not (deferred or for_types))


def rooms_import_downward(package: Package) -> Iterator[str]:
    for module in package.modules.values():
        if module.room in SEES_EVERYTHING:
            continue
        if module.room not in MAY_IMPORT:
            yield f"{module.name}: the room `{module.room}` has no entry in MAY_IMPORT"
            continue
        allowed = MAY_IMPORT[module.room] | GROUND | {module.room}
        for found in package.inner(module):
            if not any(f"{found.target}.".startswith(f"{room}.") for room in allowed):
                yield f"{module.at(found.line)}: `{module.room}` may not import `{found.target}`"


def estimators_do_not_know_each_other(package: Package) -> Iterator[str]:
    """What estimators share is in modules whose name starts with an underscore, as `_base`."""
    for module in package.modules.values():
        if module.room != "estimators" or module.is_package:
            continue
        for found in package.inner(module):
            room, _, sibling = found.target.partition(".")
            if room == "estimators" and not sibling.startswith("_"):
                yield f"{module.at(found.line)}: imports its sibling `{found.target}`"


def plain_rooms_stay_plain(package: Package) -> Iterator[str]:
    for module in package.modules.values():
        for found in package.outer(module):
            if found.target in PLAIN_ROOMS.get(module.room, ()):
                yield f"{module.at(found.line)}: `{module.room}` may not import `{found.target}`"


def optional_packages_are_imported_late(package: Package) -> Iterator[str]:
    for module in package.modules.values():
        for found in package.outer(module):
            if found.target in OPTIONAL and found.immediate:
                yield f"{module.at(found.line)}: import `{found.target}` inside a function"


def imports_have_no_cycles(package: Package) -> Iterator[str]:
    graph = {
        name: {found.target for found in package.inner(module) if found.immediate}
        for name, module in package.modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        yield f"imports go round: {' <- '.join(cycle.args[1])}"


def initialisers_only_import(package: Package) -> Iterator[str]:
    """Imports, names with a leading underscore (`__all__`, a table) and lazy loading."""
    for module in package.modules.values():
        if not module.is_package:
            continue
        for node in module.tree.body:
            if not belongs_in_initialiser(node):
                yield f"{module.at(node.lineno)}: an `__init__` holds imports and `__all__` only"


def belongs_in_initialiser(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return all(ast.unparse(target).startswith("_") for target in targets)
    if isinstance(node, ast.FunctionDef):
        return node.name in {"__getattr__", "__dir__"}
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, ast.Import | ast.ImportFrom)


def exceptions_are_caught_by_name(package: Package) -> Iterator[str]:
    for module in package.modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler):
                caught = {"Exception"} if node.type is None else names_in(node.type)
                if caught & BROAD:
                    yield f"{module.at(node.lineno)}: name the exceptions you expect"


def names_in(node: ast.expr) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def modules_have_telling_names(package: Package) -> Iterator[str]:
    for name in package.modules:
        for part in name.split("."):
            if part.strip("_") in VAGUE_NAMES:
                yield f"{name}: `{part}` does not say what is in it"


def files_are_short(package: Package) -> Iterator[str]:
    for path in sorted(package.repository.rglob("*.py")):
        place = path.relative_to(package.repository)
        n_lines = path.read_text(encoding="utf-8").count("\n")
        if place.parts[0] in TOP_LEVEL and n_lines > LONGEST_FILE:
            yield f"{place}: {n_lines} lines, more than {LONGEST_FILE}"


def modules_are_tested(package: Package) -> Iterator[str]:
    """Some test file bears the name of the module, or mentions one of its public names."""
    paths = (package.repository / "tests").rglob("test_*.py")
    tests = {path.stem: path.read_text("utf-8") for path in paths if path.name != THIS_FILE}
    for module in package.modules.values():
        mention = re.compile(rf"\b(?:{'|'.join([*module.public_names, f'sklsq.{module.name}'])})\b")
        named = f"test_{module.stem.strip('_')}" in tests
        if module.public_names and not named and not any(map(mention.search, tests.values())):
            yield f"{module.name}: no test file mentions it"


def top_level_is_tidy(package: Package) -> Iterator[str]:
    ignore_file = package.repository / ".gitignore"
    lines = ignore_file.read_text("utf-8").split() if ignore_file.exists() else []
    ignored = [pattern.rstrip("/") for pattern in lines]
    for entry in sorted(path.name for path in package.repository.iterdir()):
        known = entry in TOP_LEVEL or entry.startswith(".")
        if not known and not any(fnmatch(entry, pattern) for pattern in ignored):
            yield f"{entry}: does not belong in the top level"


Rule = Callable[[Package], Iterator[str]]
RULES: list[Rule] = [
    rooms_import_downward,
    estimators_do_not_know_each_other,
    plain_rooms_stay_plain,
    optional_packages_are_imported_late,
    imports_have_no_cycles,
    initialisers_only_import,
    exceptions_are_caught_by_name,
    modules_have_telling_names,
    files_are_short,
    modules_are_tested,
    top_level_is_tidy,
]
by_name = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)


@by_name
def test_sklsq(rule):
    complaints = list(rule(Package(REPOSITORY)))
    assert not complaints, "\n".join(["", *complaints])


# What each rule must say of a package that breaks it: files, then the complaints.
BROKEN = {
    "upward": (
        rooms_import_downward,
        {"solvers/york.py": "import sklsq.estimators.orthogonal", "estimators/orthogonal.py": ""},
        ["solvers.york, line 1: `solvers` may not import `estimators.orthogonal`"],
    ),
    "upward, relative": (
        rooms_import_downward,
        {"solvers/york.py": "from ..noise import Noise", "noise.py": "class Noise: ..."},
        ["solvers.york, line 1: `solvers` may not import `noise`"],
    ),
    "upward, relative, from an initialiser": (
        rooms_import_downward,
        {"solvers/__init__.py": "from .. import noise\nfrom . import york", "noise.py": ""},
        ["solvers, line 1: `solvers` may not import `noise`"],
    ),
    "upward, late": (
        rooms_import_downward,
        {"models/line.py": "def fit():\n    from sklsq import noise", "noise.py": ""},
        ["models.line, line 2: `models` may not import `noise`"],
    ),
    "from the roof": (
        rooms_import_downward,
        {"basis/terms.py": "from sklsq import WeightedLinearFit"},
        ["basis.terms, line 1: `basis` may not import `__init__`"],
    ),
    "one module of a room": (
        rooms_import_downward,
        {
            "basis/terms.py": "from sklsq.solvers import extended, triangular",
            "solvers/extended.py": "",
            "solvers/triangular.py": "",
        },
        ["basis.terms, line 1: `basis` may not import `solvers.triangular`"],
    ),
    "new room": (
        rooms_import_downward,
        {"attic/trunk.py": ""},
        ["attic.trunk: the room `attic` has no entry in MAY_IMPORT"],
    ),
    "sibling": (
        estimators_do_not_know_each_other,
        {
            "estimators/orthogonal.py": "from sklsq.estimators import _base, linear",
            "estimators/_base.py": "",
            "estimators/linear.py": "",
        },
        ["estimators.orthogonal, line 1: imports its sibling `estimators.linear`"],
    ),
    "pandas in a solver": (
        plain_rooms_stay_plain,
        {"solvers/york.py": "def solve():\n    import pandas as pd"},
        ["solvers.york, line 2: `solvers` may not import `pandas`"],
    ),
    "matplotlib": (
        optional_packages_are_imported_late,
        {"display/fit.py": "import numpy\nfrom matplotlib.axes import Axes"},
        ["display.fit, line 2: import `matplotlib` inside a function"],
    ),
    "circle": (
        imports_have_no_cycles,
        {"solvers/a.py": "from sklsq.solvers.b import b", "solvers/b.py": "from . import a"},
        ["imports go round: solvers.a <- solvers.b <- solvers.a"],
    ),
    "code in an initialiser": (
        initialisers_only_import,
        {"basis/__init__.py": "'''Basis.'''\nimport numpy\ndef helper(): ...\nFIVE = 5"},
        [
            "basis, line 3: an `__init__` holds imports and `__all__` only",
            "basis, line 4: an `__init__` holds imports and `__all__` only",
        ],
    ),
    "broad except": (
        exceptions_are_caught_by_name,
        {
            "noise.py": "try: ...\nexcept: ...",
            "metrics.py": "try: ...\nexcept (ValueError, Exception): ...",
        },
        [
            "metrics, line 2: name the exceptions you expect",
            "noise, line 2: name the exceptions you expect",
        ],
    ),
    "vague name": (
        modules_have_telling_names,
        {"solvers/_utils.py": ""},
        ["solvers._utils: `_utils` does not say what is in it"],
    ),
    "long file": (
        files_are_short,
        {"noise.py": "\n" * 501},
        ["sklsq/noise.py: 501 lines, more than 500"],
    ),
    "no test": (
        modules_are_tested,
        {"noise.py": "def whiten(): ...", "metrics.py": "def score(): ...", "_typing.py": "a = 1"},
        ["noise: no test file mentions it"],
    ),
    "litter": (
        top_level_is_tidy,
        {"../notes.txt": "", "../.hidden": "", "../build/x.txt": ""},
        ["notes.txt: does not belong in the top level"],
    ),
}
SOUND = {
    "__init__.py": "from sklsq.estimators import Line\n__all__ = ['Line']",
    "exceptions.py": "class RankWarning(UserWarning): ...",
    "solvers/__init__.py": "from sklsq.solvers.york import solve\n_table = {}",
    "solvers/york.py": "import numpy\nfrom sklsq.exceptions import RankWarning\ndef solve(): ...",
    "estimators/__init__.py": "from sklsq.estimators.line import Line\ndef __getattr__(name): ...",
    "estimators/_base.py": "import sklearn, pandas\nfrom ..solvers import solve",
    "estimators/line.py": "from sklsq.estimators._base import solve\nclass Line: ...",
    "display/fit.py": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from matplotlib.axes import Axes\n"
        "def plot():\n    import matplotlib\n    try: ...\n    except ImportError: ..."
    ),
}


def build(repository, files):
    """Write a package; one test file mentions `score`, `solve`, `Line`, `plot`, `RankWarning`."""
    tests = "score, solve, Line, plot, RankWarning"
    kept = {"../tests/test_some.py": tests, "../.gitignore": "build/\n*.egg-info/", **files}
    for name, text in kept.items():
        path = repository / "sklsq" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.resolve().parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Package(repository)


@pytest.mark.parametrize(("rule", "files", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_rule_finds_what_breaks_it(rule, files, expected, tmp_path):
    (tmp_path / "sklsq").mkdir()
    assert list(rule(build(tmp_path, files))) == expected


@by_name
def test_rule_accepts_a_sound_package(rule, tmp_path):
    (tmp_path / "sklsq").mkdir()
    assert list(rule(build(tmp_path, SOUND))) == []


def test_every_rule_is_broken_once():
    assert {rule for rule, _, _ in BROKEN.values()} == set(RULES)
