"""What the docs say is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import generate
from proxy.cassette.shelf import Shelf
from proxy.cli import COMMANDS
from proxy.config import load, settings
from proxy.control import Control
from proxy.core.deck import Deck
from proxy.core.ledger import Ledger
from proxy.core.miss import Miss
from proxy.core.model import Request, Track
from proxy.core.modes import Found, Mode
from proxy.core.normalize import normalize
from proxy.core.parameters import PARAMETERS
from proxy.core.rules import DEFAULT, OPTIONS
from proxy.core.scrubbers import SCRUBBERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_page_on_keys_has_the_codes_own_tables() -> None:
    page = generate.PAGE.read_text()
    assert generate.written(page) == page, "make docs"
    assert all(f"| `{name}` |" in page for name in (*PARAMETERS, *SCRUBBERS, *OPTIONS))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_knows_every_mode_and_no_command_that_is_not_there() -> None:
    assert [mode for mode in Mode if f"| `{mode}` |" not in README] == []
    named = set(re.findall(r"(?m)^llmtape (\w+)", README)) - {"replay"}
    assert named <= set(COMMANDS)


def test_the_readme_names_every_dependency() -> None:
    wanted = re.findall(r'(?m)^  "([A-Za-z0-9-]+)[><=]', (ROOT / "pyproject.toml").read_text())
    assert [name for name in wanted if name.lower() not in README.lower()] == []


def test_the_page_on_http_has_every_code_and_endpoint() -> None:
    page = (ROOT / "docs/http.md").read_text()
    codes = [found for found in Found if found is not Found.PLAYABLE]
    assert [code for code in codes if f"`{code}`" not in page] == []
    control = Control(None, [], Ledger(), DEFAULT, str)  # type: ignore[arg-type]  # none is asked for its routes
    assert [name for verb, name in control._endpoints if f"`{verb} /_llmtape/{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_pages_show_as_config_is_one(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"(?s)```toml\n(.*?)```", page.read_text())):
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        load({}, file=file, environment={})


def test_the_example_config_names_every_setting() -> None:
    example = (ROOT / "config.example.toml").read_text()
    assert [name for name, _, _ in settings() if f"{name.rpartition('.')[2]} =" not in example] == []


def test_the_readmes_miss_is_what_the_samples_give() -> None:
    question = b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is a casette?"}]}'
    asked = normalize(Request("POST", "/v1/chat/completions", body=question))
    shelf = Shelf(ROOT / "cassettes/samples.sqlite", ROOT / "cassettes", mode=Mode.REPLAY, deck=Deck)
    tape = shelf.tape("")
    track = Track(asked.key, asked.variant)
    held, nearest = tape.held, tape.nearest(asked)
    shelf.close()
    miss = Miss(Found.NOT_RECORDED, "cassettes/samples.sqlite", track, asked, held=held, nearest=nearest)
    assert miss.report() in README
