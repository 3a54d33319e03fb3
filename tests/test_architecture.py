"""The rules of the house, read from the source. One table; a new rule is a line in it."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "proxy"

# Imports point down: a room may import rooms further up in this list, and no others. Rooms in one line do not know
# each other.
LAYERS: Final = (
    ("proxy",),
    ("proxy.core",),
    ("proxy.ports", "proxy.declared", "proxy.demo", "proxy.foreign"),
    ("proxy.config",),
    ("proxy.wanted",),
    ("proxy.cassette", "proxy.tee", "proxy.playback", "proxy.upstream", "proxy.downstream", "proxy.watch"),
    ("proxy.capture",),
    ("proxy.lanes",),
    ("proxy.asked",),
    ("proxy.receipts", "proxy.recording"),
    ("proxy.exchange", "proxy.control"),
    ("proxy.server",),
    ("proxy.testing", "proxy.tour"),
    ("proxy.pytest_plugin", "proxy.cli"),
    ("proxy.__main__",),
)

# What is used in these rooms and nowhere else. A name may be a module, or something in one.
ONLY_IN: Final = {
    "sqlite3": ("proxy.cassette",),
    "sqlalchemy": ("proxy.cassette",),
    "aiohttp.ClientSession": ("proxy.upstream",),
    "aiohttp.TCPConnector": ("proxy.upstream",),
    "aiohttp.ClientTimeout": ("proxy.upstream",),
    "aiohttp.ClientError": ("proxy.upstream",),
    "aiohttp.client": ("proxy.upstream",),
    "aiohttp.request": ("proxy.upstream",),
    "aiohttp.web": ("proxy.server", "proxy.downstream", "proxy.demo"),
    "aiohttp": ("proxy.upstream", "proxy.server", "proxy.downstream", "proxy.demo"),
    "click": ("proxy.cli",),
    "rich": ("proxy.cli",),
    "tomllib": ("proxy.config",),
    "os.environ": ("proxy.config",),
    "os.getenv": ("proxy.config",),
    "os.putenv": (),
    "random": ("proxy.demo",),
    "pytest": ("proxy.pytest_plugin",),
    "requests": (),
    "httpx": (),
    "openai": (),
    "pickle": (),
    "marshal": (),
    "yaml": ("proxy.foreign",),
    "eval": (),
    "exec": (),
    "print": (),
}

# What `core` may not touch: it computes, and does nothing else.
NOT_IN_CORE: Final = (
    *("asyncio", "threading", "concurrent", "multiprocessing", "subprocess", "socket", "selectors", "signal"),
    *("aiohttp", "yarl", "multidict", "sqlite3", "sqlalchemy", "click", "rich", "msgspec"),
    *("os", "pathlib", "io", "tempfile", "shutil", "time", "datetime", "random", "secrets", "uuid", "logging", "sys"),
    *("open", "input", "print", "__import__"),
)

# A module without a test file of its own name, and why.
WITHOUT_MIRROR: Final = {
    "proxy/__main__.py": "two lines; tests/cli/test_serve.py runs them",
    "proxy/ports.py": "interfaces and one value, without behaviour",
}


@dataclass(frozen=True, slots=True)
class Module:
    """A source file, and what it says of itself."""

    path: Path

    @property
    def name(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def tree(self) -> ast.Module:
        return parsed(self.path)

    def is_in(self, room: str) -> bool:
        return self.name == room or (room != "proxy" and self.name.startswith(f"{room}."))

    def classes(self) -> Iterator[ast.ClassDef]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield each imported name in full; what is imported for types alone counts as well."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}:{node.lineno}: a relative import"
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)

    def uses(self) -> Iterator[tuple[int, str]]:
        """Yield each name that is imported or used, in full as far as it is spelt: `os.environ`, `open`."""
        known = {
            alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else alias.name.partition(".")[0]
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        known |= {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        yield from self.imports()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                if node.id in known or hasattr(builtins, node.id):
                    yield node.lineno, known.get(node.id, node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
                yield node.lineno, f"{known[node.value.id]}.{node.attr}"


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


MODULES: Final = tuple(Module(path) for path in sorted(PACKAGE.rglob("*.py")))
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


def is_within(name: str, banned: str) -> bool:
    return name == banned or name.startswith(f"{banned}.")


def layer_of(name: str) -> tuple[int, str]:
    """Tell the layer and the room of a module, or of a name in one."""
    rooms = [(number, room) for number, layer in enumerate(LAYERS) for room in layer if is_within(name, room)]
    number, room = max(rooms, key=lambda found: len(found[1]))
    assert room != "proxy" or name.count(".") <= 1, f"{name} stands in no layer"
    return number, room


@each_module
def test_a_module_stands_in_a_layer(module: Module) -> None:
    assert any(module.is_in(room) for layer in LAYERS for room in layer), "name it in LAYERS"


@each_module
def test_imports_point_down(module: Module) -> None:
    layer, room = layer_of(module.name)
    wrong = [
        f"line {line}: {name}"
        for line, name in module.imports()
        if is_within(name, "proxy") and (found := layer_of(name))[1] != room and found[0] >= layer
    ]
    assert not wrong, f"{module.name} imports what does not stand below it"


@pytest.mark.parametrize("name", ONLY_IN)
def test_what_belongs_to_a_room_is_used_there_alone(name: str) -> None:
    strangers = (module for module in MODULES if not any(module.is_in(room) for room in ONLY_IN[name]))
    found = [
        f"{module.name}, line {line}: {used}"
        for module in strangers
        for line, used in module.uses()
        if is_within(used, name)
    ]
    assert not found, f"{name} belongs to {', '.join(ONLY_IN[name]) or 'no room'}"


@each_module
def test_core_is_pure(module: Module) -> None:
    if not module.is_in("proxy.core"):
        return
    found = [
        f"line {line}: {used}" for line, used in module.uses() if any(is_within(used, banned) for banned in NOT_IN_CORE)
    ]
    waits = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
    found += [f"line {node.lineno}: waits" for node in ast.walk(module.tree) if isinstance(node, waits)]
    assert not found


@each_module
def test_a_module_says_what_it_is_for(module: Module) -> None:
    assert ast.get_docstring(module.tree)


@each_module
def test_dataclasses_are_slotted_and_but_for_private_builders_frozen(module: Module) -> None:
    wrong = []
    for made in module.classes():
        for decorator in made.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if not (isinstance(called, ast.Name) and called.id == "dataclass"):
                continue
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
            told = {keyword.arg for keyword in keywords if ast.unparse(keyword.value) == "True"}
            wanted = {"slots"} if made.name.startswith("_") else {"slots", "frozen"}
            if not wanted <= told:
                wrong.append(f"{made.name} lacks {wanted - told}")
    assert not wrong


@each_module
def test_structs_are_frozen(module: Module) -> None:
    for made in module.classes():
        if any(ast.unparse(base) == "Struct" for base in made.bases):
            told = {keyword.arg for keyword in made.keywords if ast.unparse(keyword.value) == "True"}
            assert "frozen" in told, made.name


@each_module
def test_exceptions_have_one_root(module: Module) -> None:
    """All that is raised on purpose, and may leave a room, is told by `core.errors`."""
    if module.is_in("proxy.core.errors") or module.is_in("proxy.demo"):
        return
    roots = {"Exception", "BaseException", "RuntimeError", "OSError"}
    assert not [made.name for made in module.classes() if any(ast.unparse(base) in roots for base in made.bases)]


@pytest.mark.parametrize(
    "module",
    [module for module in MODULES if module.path.name != "__init__.py" and not module.is_in("proxy.demo")],
    ids=lambda module: module.name,
)
def test_a_module_has_a_test_file_of_its_name(module: Module) -> None:
    place = module.path.relative_to(ROOT)
    mirror = ROOT / "tests" / place.parent.relative_to("proxy") / f"test_{place.name}"
    if str(place) in WITHOUT_MIRROR:
        assert not mirror.exists(), f"{place} is tested now: take it off the list"
    else:
        assert mirror.exists(), f"write {mirror.relative_to(ROOT)}, or tell in WITHOUT_MIRROR why not"


def test_the_lists_name_nothing_that_is_gone() -> None:
    names = {module.name for module in MODULES}
    assert {room for layer in LAYERS for room in layer} <= names
    assert all((ROOT / place).exists() for place in WITHOUT_MIRROR)


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("import os\nos.environ['x']", "os.environ"),
        ("import os as system\nsystem.environ", "os.environ"),
        ("from os import environ as e\ne['x']", "os.environ"),
        ("import aiohttp\naiohttp.ClientSession()", "aiohttp.ClientSession"),
        ("from aiohttp import web", "aiohttp.web"),
        ("import sqlalchemy.orm", "sqlalchemy.orm"),
        ("def f():\n    from time import sleep\n", "time.sleep"),
        ("with open('x') as file: pass", "open"),
    ],
)
def test_the_rules_see_a_name_however_it_is_spelt(tmp_path: Path, source: str, used: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    assert used in {name for _, name in Module(file).uses()}


def test_the_rules_take_no_variable_for_a_module(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("def f(secrets, time):\n    return secrets + time")
    assert list(Module(file).uses()) == []
