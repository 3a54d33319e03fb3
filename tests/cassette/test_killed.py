"""Commands that change a cassette, killed at any moment: the short form of `make torture`'s `changed`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from torture.item import nothing
from torture.killed import changed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["redact", "rekey", "merge", "import new", "git merge"])
def test_a_command_that_is_killed_has_changed_the_cassette_or_has_not(tmp_path: Path, name: str) -> None:
    if name.startswith("git") and not shutil.which("git"):
        pytest.skip("there is no git")
    assert "ran to its end afterwards" in changed(1, tmp_path, nothing, names=(name,))
