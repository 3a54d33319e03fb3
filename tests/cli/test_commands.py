"""What holds for every command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
import pytest
from click.testing import CliRunner

from proxy.cli import Commands
from proxy.core.model import Outcome
from tests.cassette.making import answer, store, taken
from tests.cli.recorded import ask, run, say

if TYPE_CHECKING:
    from pathlib import Path

LANE: Final = "a lane\nof two\r\nlines"
SHOWN: Final = "a lane\\nof two\\nlines"
ITEM = taken(ask("Say hello", model="m\nn"), say({"content": "Hello."}), lane=LANE)
KEY: Final = ITEM.track.key
CUT: Final = answer(b"{", outcome=Outcome.CUT)


class _Stops(Commands):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx

        def stop() -> None:
            raise KeyboardInterrupt

        return click.Command(cmd_name, callback=stop)


def test_ctrl_c_ends_a_command_as_shells_say_it_and_without_a_word() -> None:
    result = CliRunner().invoke(_Stops(), ["ls"])
    assert (result.exit_code, result.output) == (130, "")


@pytest.mark.parametrize(
    "command",
    [
        ("ls", "a"),
        ("ls", "a", "--lane", "other"),
        ("show", "a", KEY),
        ("stats", "a"),
        ("diff", "a", "b"),
        ("rm", "-n", "a", KEY),
        ("verify", "spoilt"),
    ],
    ids=" ".join,
)
def test_a_lane_of_several_lines_is_shown_on_one(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, response in {"a": say({"content": "Hello."}), "b": say({"content": "Bye."}), "spoilt": CUT}.items():
        store(tmp_path / name, [taken(ITEM.request, response, lane=LANE)])
    told = run(*command).output
    assert SHOWN in told
    assert "\nof two" not in told


def test_models_are_shown_on_one_line_as_well(tmp_path: Path) -> None:
    store(tmp_path / "a", [ITEM])
    for command in ("ls", "stats"):
        assert "m\\nn" in run(command, tmp_path / "a").output
