"""Which recordings have lost their test, and which may not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.pytest_plugin.orphans import orphans, within
from tests.cassette.making import answer, question, store, taken

if TYPE_CHECKING:
    from pathlib import Path

LANES = ("", "by hand", "a.py::one", "a.py::two", "gone.py::one", "sub/b.py::one")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A project with two modules, and a cassette that has lanes of three."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.py").touch()
    (tmp_path / "sub/b.py").touch()
    store(tmp_path / "cassettes/x/a.sqlite", [taken(question(), answer(b"{}"), lane=lane) for lane in LANES])
    return tmp_path


def found(base: Path, lanes: set[str], whole: set[str]) -> list[str]:
    told = orphans(base / "cassettes", base, lanes, whole)
    assert {cassette for cassette, _ in told} <= {str(base / "cassettes/x/a.sqlite")}
    return [lane for _, lane in told]


def test_a_lane_whose_module_is_gone_is_an_orphan_whatever_is_known(base: Path) -> None:
    assert found(base, set(), set()) == ["gone.py::one"]


def test_a_lane_of_a_module_that_is_known_whole_is_one_without_its_test(base: Path) -> None:
    assert found(base, {"a.py::one"}, {"a.py"}) == ["a.py::two", "gone.py::one"]


def test_a_lane_of_a_module_that_is_known_in_part_is_none(base: Path) -> None:
    assert "a.py::two" not in found(base, {"a.py::one"}, set())


def test_what_is_no_cassette_is_passed_over(base: Path) -> None:
    (base / "cassettes/other.sqlite").write_bytes(b"something else")
    assert found(base, set(), set()) == ["gone.py::one"]


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert orphans(tmp_path / "cassettes", tmp_path, set(), set()) == []


def test_files_are_named_from_the_base_folder_and_others_not_at_all(tmp_path: Path) -> None:
    files = [tmp_path / "sub/b.py", tmp_path / "sub/../a.py", tmp_path.parent / "c.py"]
    assert list(within(tmp_path, files)) == ["sub/b.py", "a.py"]
