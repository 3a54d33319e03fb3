"""Where a test's recordings are: names that are the same on each machine, in any order and on any worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.core.address import check_lane, check_name
from proxy.core.errors import ConfigError
from proxy.pytest_plugin.place import Place, names_of, place_of, said

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]


@pytest.fixture
def base(pytester: pytest.Pytester) -> Path:
    return pytester.path


def items(pytester: pytest.Pytester, source: str, path: str = "tests/test_it.py") -> list[pytest.Item]:
    """Collect the tests of a module."""
    file = pytester.path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"import pytest\n{source}", encoding="utf-8")
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    found, _ = pytester.inline_genitems(file, "-p", "no:randomly")
    return found


def test_a_module_is_a_cassette_and_a_test_a_lane(pytester: pytest.Pytester, base: Path) -> None:
    found = [
        place_of(item, base) for item in items(pytester, "def test_a(): pass\nclass TestB:\n def test_b(self): pass")
    ]
    assert found == [
        Place("tests/test_it", "tests/test_it.py::test_a"),
        Place("tests/test_it", "tests/test_it.py::TestB::test_b"),
    ]


def test_each_parameter_is_a_lane(pytester: pytest.Pytester, base: Path) -> None:
    source = "@pytest.mark.parametrize('n', ['a b', 'é', ''])\ndef test_a(n): pass"
    lanes = [place_of(item, base).lane for item in items(pytester, source)]
    assert len(set(lanes)) == 3
    assert lanes[0] == "tests/test_it.py::test_a[a b]"


@pytest.mark.parametrize("path", ["my tests/test_it.py", "-x/test_it.py", ".hidden/test_it.py", "a(b)/test_+é.py"])
def test_a_place_is_always_one_that_an_address_can_name(pytester: pytest.Pytester, base: Path, path: str) -> None:
    (item,) = items(pytester, "def test_a(): pass", path)
    place = place_of(item, base)
    assert check_name(place.cassette)
    assert check_lane(place.lane)


def test_a_module_outside_of_the_base_folder_goes_by_the_way_there(pytester: pytest.Pytester, base: Path) -> None:
    (item,) = items(pytester, "def test_a(): pass")
    place = place_of(item, base / "elsewhere")
    assert place == Place("_../tests/test_it", "../tests/test_it.py::test_a")
    assert check_name(place.cassette)


def test_a_very_long_id_is_cut_and_still_its_own(pytester: pytest.Pytester, base: Path) -> None:
    source = "@pytest.mark.parametrize('n', ['x' * 2000 + 'a', 'x' * 2000 + 'b'])\ndef test_a(n): pass"
    one, other = (place_of(item, base).lane for item in items(pytester, source))
    assert one != other
    assert check_lane(one)


MARKED = """
pytestmark = pytest.mark.llmtape(pace="10x", mode="auto")
@pytest.mark.llmtape("shared", rules={"scrub": ["uuid"]})
class TestB:
    @pytest.mark.llmtape(mode="replay")
    def test_b(self): pass
"""


def test_markers_weigh_more_the_nearer_they_are(pytester: pytest.Pytester) -> None:
    (item,) = items(pytester, MARKED)
    words, owner = said(item)
    assert words == {"mode": "replay", "cassette": "shared", "rules": {"scrub": ["uuid"]}, "pace": "10x"}
    assert owner is not None
    assert owner.name == "TestB"


def test_rules_of_a_module_have_no_other_owner(pytester: pytest.Pytester) -> None:
    (item,) = items(pytester, "pytestmark = pytest.mark.llmtape(rules={'sort_tools': True})\ndef test_a(): pass")
    assert said(item) == ({"rules": {"sort_tools": True}}, None)


@pytest.mark.parametrize("words", ["modus='auto'", "'a', 'b'", "lane='x'", "current=True"])
def test_a_marker_that_says_what_is_not_known_is_told(pytester: pytest.Pytester, words: str) -> None:
    (item,) = items(pytester, f"@pytest.mark.llmtape({words})\ndef test_a(): pass")
    with pytest.raises(ConfigError, match="Known are: cassette, mode, pace, repeats, rules, faults"):
        said(item)


def test_an_owner_is_named_from_its_module_on(pytester: pytest.Pytester) -> None:
    mark = "@pytest.mark.llmtape(rules={'sort_tools': True})"
    source = f"class TestB:\n @pytest.mark.parametrize('n', [1, 2])\n {mark}\n def test_b(self, n): pass"
    assert [list(names_of(item)) for item in items(pytester, source)] == [["TestB", "test_b"]] * 2


def test_parameters_that_bear_rules_are_owners_of_their_own(pytester: pytest.Pytester) -> None:
    rules = "pytest.mark.llmtape(rules={'sort_tools': True})"
    source = f"@pytest.mark.parametrize('n', [pytest.param(1, marks={rules}), 2])\ndef test_b(n): pass"
    assert [list(names_of(item)) for item in items(pytester, source)] == [["test_b-1-"], ["test_b"]]
