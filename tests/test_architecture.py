"""The rules of the house, read off the source: who imports whom, and what no module may do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

LADDER = {"feeds": 0, "brokers": 1, "ml": 1, "analyzers": 2, "strategies": 3}
"""A package imports itself and packages on lower rungs; two on one rung know nothing of each other.

Entry points (``package.__main__`` too) are on no rung: nobody imports them, and they may need everything.
"""

CLOCK_MODULE = "feeds.clock"
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "joblib.load", "joblib.dump", "pandas.read_pickle", "torch.load"}
CLOCK_CALLS = {
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime",
    "pandas.Timestamp.now", "pandas.Timestamp.today", "pandas.Timestamp.utcnow", "pandas.to_datetime('now')",
}  # fmt: skip
BROAD = {"Exception", "BaseException"}


class Module(NamedTuple):
    """A parsed source file under its dotted name."""

    name: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name.split(".")[0]

    @property
    def is_entry_point(self) -> bool:
        return ("." not in self.name and self.name not in LADDER) or self.name.endswith("__main__")


def modules_of(root: Path) -> list[Module]:
    files = [*root.glob("*.py"), *(file for package in LADDER for file in (root / package).rglob("*.py"))]
    return [Module(dotted_name(file, root), ast.parse(file.read_text(encoding="utf-8"))) for file in files]


def dotted_name(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(module: Module, known: set[str]) -> Iterator[tuple[str, int]]:
    """Yield the modules that a module imports anywhere in it, as deep as they are modules of ours."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "." * node.level, node.lineno  # relative imports are not used here
                continue
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                yield (deeper if deeper in known else str(node.module)), node.lineno


def import_faults(modules: list[Module]) -> Iterator[str]:
    known = {module.name for module in modules}
    entry_points = {module.name for module in modules if module.is_entry_point}
    for module in modules:
        for imported, line in imports_of(module, known):
            place = f"{module.name}:{line}"
            package = imported.split(".")[0]
            if imported.startswith("."):
                yield f"{place} imports relatively; write the whole name"
            elif imported in entry_points:
                yield f"{place} imports the entry point {imported}"
            elif package in ("tests", "benchmarks"):
                yield f"{place} imports {imported}"
            elif package in LADDER and module.package in LADDER and not module.is_entry_point:
                higher = LADDER[package] > LADDER[module.package]
                beside = LADDER[package] == LADDER[module.package] and package != module.package
                if higher or beside:
                    yield f"{place} imports {imported}; {module.package} may not know {package}"


def cycles(modules: list[Module]) -> list[list[str]]:
    """Return the import cycles between modules, each as the path that closes on itself."""
    known = {module.name for module in modules}
    graph = {
        module.name: sorted({name for name, _ in imports_of(module, known) if name in known})
        for module in modules
    }
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
        elif name not in done:
            for imported in graph[name]:
                visit(imported, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])
    return found


def names_bound(tree: ast.Module) -> dict[str, str]:
    """Return what each imported name of a module stands for, as a full dotted name."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return bound


def full_name(node: ast.expr, bound: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{full_name(node.value, bound)}.{node.attr}"
    if isinstance(node, ast.Name):  # what is not imported is a local name, unless it is a built-in
        return bound.get(node.id, node.id if node.id in ("eval", "exec", "print") else "?")
    return "?"


def call_faults(module: Module) -> Iterator[str]:
    bound = names_bound(module.tree)
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.Attribute, ast.Name)):
            name = full_name(node, bound)
            if name in CLOCK_CALLS and module.name != CLOCK_MODULE:
                yield f"{module.name}:{node.lineno} asks the clock with {name}; take a feeds.clock.Clock"
            if name in FORBIDDEN_CALLS:
                yield f"{module.name}:{node.lineno} uses {name}"
        if isinstance(node, ast.Call):
            name = full_name(node.func, bound)
            if name == "print" and not module.is_entry_point:
                yield f"{module.name}:{node.lineno} prints; only entry points talk to their user"
            if name == "pandas.to_datetime" and node.args and literal(node.args[0]) in ("now", "today"):
                yield f"{module.name}:{node.lineno} asks the clock with to_datetime"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            roots = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            for root in roots:
                if root.split(".")[0] in FORBIDDEN_IMPORTS:
                    yield f"{module.name}:{node.lineno} imports {root}; stored objects must not be executable"


def literal(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def except_faults(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield f"{module.name}:{node.lineno} catches everything without a name"
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = any(isinstance(kind, ast.Name) and kind.id in BROAD for kind in caught)
        if broad and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
            yield f"{module.name}:{node.lineno} catches {ast.unparse(node.type)} and goes on"


def form_faults(module: Module) -> Iterator[str]:
    if not module.tree.body:
        return  # an empty __init__
    if ast.get_docstring(module.tree) is None:
        yield f"{module.name} has no docstring"
    private = module.name.split(".")[-1].startswith("_")
    defines = any(
        isinstance(node, (ast.FunctionDef, ast.ClassDef))
        or (isinstance(node, ast.Assign) and not ast.unparse(node.targets[0]).startswith("__"))
        for node in module.tree.body
    )
    lists = [
        node
        for node in module.tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
    ]
    if defines and not private and len(lists) != 1:
        yield f"{module.name} has {len(lists)} __all__, expected one"


FAULTS = {"call": call_faults, "except": except_faults, "form": form_faults}


@pytest.fixture(scope="module")
def modules():
    found = modules_of(ROOT)
    assert {module.package for module in found} >= {*LADDER, "run_backtest"}
    return found


def test_imports_point_downward_only(modules):
    assert list(import_faults(modules)) == []


def test_no_two_modules_import_each_other(modules):
    assert cycles(modules) == []


@pytest.mark.parametrize("check", FAULTS.values(), ids=FAULTS)
def test_every_module_keeps_the_rules(modules, check):
    assert [fault for module in modules for fault in check(module)] == []


# -- the checker itself ------------------------------------------------------------------------------------


def parsed(**sources: str) -> list[Module]:
    return [Module(name.replace("__", "."), ast.parse(source)) for name, source in sources.items()]


@pytest.mark.parametrize(
    ("importer", "source", "fault"),
    [
        ("feeds__a", "import ml.train", "feeds may not know ml"),
        ("feeds__a", "def f():\n    from brokers import charges", "feeds may not know brokers"),
        ("brokers__a", "from ml.predict import Predictor", "brokers may not know ml"),
        ("ml__a", "import brokers", "ml may not know brokers"),
        ("analyzers__a", "from strategies.base import x", "analyzers may not know strategies"),
        ("strategies__a", "from run_backtest import main", "entry point run_backtest"),
        ("strategies__a", "import feeds.__main__", "entry point feeds.__main__"),
        ("strategies__a", "from ml import __main__", "entry point ml.__main__"),
        ("strategies__a", "from . import base", "relatively"),
        ("run_backtest", "from tests.support import run", "imports tests.support"),
    ],
)
def test_a_wrong_import_is_found(importer, source, fault):
    others = {"ml____main__": "", "feeds____main__": "", "run_backtest": ""}
    modules = [
        Module(name, ast.parse(text))
        for name, text in {
            **{key.replace("____", ".__"): text for key, text in others.items()},
            importer.replace("__", "."): source,
        }.items()
    ]
    (found,) = import_faults(modules)
    assert fault in found


def test_an_entry_point_may_import_upward_and_nothing_else_of_its_package_may():
    source = ast.parse("from strategies.replay import replay_day")
    others = [Module("strategies.replay", ast.parse("")), Module("strategies", ast.parse(""))]
    assert list(import_faults([Module("analyzers.__main__", source), *others])) == []
    (found,) = import_faults([Module("analyzers.main", source), *others])
    assert "analyzers may not know strategies" in found
    (found,) = import_faults([Module("analyzers.__main__", ast.parse("import tests.support")), *others])
    assert "imports tests.support" in found


@pytest.mark.parametrize(
    "source",
    ["import feeds.b", "from feeds.b import f", "from feeds import b", "def f():\n    import feeds.b"],
)
def test_a_cycle_is_found(source):
    (cycle,) = cycles(parsed(feeds__a=source, feeds__b="import feeds.c", feeds__c="import feeds.a"))
    assert set(cycle) == {"feeds.a", "feeds.b", "feeds.c"}
    assert cycles(parsed(feeds__a=source, feeds__b="import feeds.c", feeds__c="import math")) == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import pickle", "pickle"),
        ("from shelve import open", "shelve"),
        ("import joblib\njoblib.load('x')", "joblib.load"),
        ("from joblib import dump\ndump(1, 'x')", "joblib.dump"),
        ("import pandas as pd\npd.read_pickle('x')", "read_pickle"),
        ("eval('1')", "eval"),
        ("exec('1')", "exec"),
        ("import datetime as dt\ndt.datetime.now()", "asks the clock"),
        ("from datetime import date\ndate.today()", "asks the clock"),
        ("from datetime import datetime as d\nnow = d.utcnow", "asks the clock"),
        ("import time\ntime.time()", "asks the clock"),
        ("from time import time\ntime()", "asks the clock"),
        ("import pandas as pd\npd.Timestamp.now()", "asks the clock"),
        ("from pandas import Timestamp\nTimestamp.today()", "asks the clock"),
        ("import pandas as pd\npd.to_datetime('now')", "asks the clock"),
        ("print('x')", "prints"),
    ],
)
def test_a_forbidden_call_is_found(source, fault):
    (found,) = set(call_faults(Module("feeds.a", ast.parse(source))))
    assert fault in found


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("feeds.clock", "import datetime as dt\ndt.datetime.now()"),
        ("feeds.a", "import time\ntime.perf_counter()"),
        ("feeds.a", "self.clock.now()"),
        ("feeds.a", "def f(time): return time.strftime('%H')"),
        ("feeds.a", "evaluate('1')"),
        ("feeds.__main__", "print('x')"),
        ("run_backtest", "print('x')"),
        ("feeds.a", "progress.print('x')"),
    ],
)
def test_what_is_allowed_is_let_through(name, source):
    assert list(call_faults(Module(name, ast.parse(source)))) == []


@pytest.mark.parametrize(
    ("handler", "found"),
    [
        ("except:\n    raise", True),
        ("except Exception:\n    pass", True),
        ("except (ValueError, BaseException) as error:\n    log(error)", True),
        ("except Exception as error:\n    raise ValueError from error", False),
        ("except ValueError:\n    pass", False),
    ],
)
def test_a_swallowed_error_is_found(handler, found):
    module = Module("feeds.a", ast.parse(f"try:\n    f()\n{handler}"))
    assert bool(list(except_faults(module))) is found


@pytest.mark.parametrize(
    ("name", "source", "faults"),
    [
        ("feeds.a", "", 0),
        ("feeds.a", "'''Doc.'''\n__all__ = ['f']\ndef f(): ...", 0),
        ("feeds.a", "'''Doc.'''\ndef f(): ...", 1),
        ("feeds.a", "def f(): ...", 2),
        ("feeds.a", "'''Doc.'''\n__all__ = ['f']\n__all__ = ['g']\ndef f(): ...", 1),
        ("feeds._a", "'''Doc.'''\ndef f(): ...", 0),
    ],
)
def test_a_module_without_docstring_or_public_names_is_found(name, source, faults):
    assert len(list(form_faults(Module(name, ast.parse(source))))) == faults
