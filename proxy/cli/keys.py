"""`explain`, `lint` and `rekey`: why requests have their keys, and how to make keys that last.

Rule: the rules are those of the config, as in a replay. Only `rekey` writes. Exit status 1 where something was found:
text that will miss tomorrow, or recordings that may not share a key.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cassette.reader import Reader
from proxy.cassette.shelf import Tape
from proxy.cli import linting, wording
from proxy.cli.arguments import CASSETTE, CONFIG, DRY_RUN, JSON, config_of, rules_of
from proxy.cli.document import rekeyed
from proxy.cli.explanation import Layout, config_lines, merging_lines
from proxy.cli.linting import Advice
from proxy.cli.screen import Screen, styled
from proxy.config import places
from proxy.core import keep
from proxy.core.deck import Deck
from proxy.core.errors import ConfigError
from proxy.core.explain import explain as explained
from proxy.core.marks import marks, placed
from proxy.core.meaning import meaning
from proxy.core.mismatch import MISSING
from proxy.core.miss import Miss
from proxy.core.model import Request, Track
from proxy.core.modes import Found
from proxy.core.normalize import normalize
from proxy.core.redact import credentials, redactor
from proxy.core.rekeying import Rekeying, plan
from proxy.core.remedy import remedy
from proxy.core.rules import added

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.config import Config
    from proxy.core.canonical import Json
    from proxy.core.deck import Drawn
    from proxy.core.explain import Explanation
    from proxy.core.model import Take
    from proxy.core.rules import Rules


@click.command(short_help="Say why a request has its key.")
@CASSETTE
@click.argument("key", metavar="[KEY[:TAKE]]", required=False)
@click.option("--request", "source", metavar="FILE", help="A request's body, not a recording; - is standard input.")
@click.option("--path", default="/v1/chat/completions", show_default=True, help="The path that --request is sent to.")
@click.option("--header", "fields", multiple=True, metavar="NAME:VALUE", help="A header field that --request bears.")
@click.option("--rule", metavar="NAME", help="What a scrubber or switch would merge, before it is adopted.")
@CONFIG
@JSON
def explain(  # noqa: PLR0913  an argument an option
    cassette: Path,
    key: str | None,
    source: str | None,
    path: str,
    fields: tuple[str, ...],
    rule: str | None,
    file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Explain the key of a recording, or of a request that may have been recorded.

    Told are the key, whether it would play, each rule that touched the request (what was, what is, why), and the
    canonical request. With --rule: which recordings would become takes of one call, and whether their answers differ.

    \b
    llmtape explain cassettes/default.sqlite 3f2a9c
    llmtape explain cassettes/default.sqlite --request body.json
    llmtape explain cassettes/default.sqlite --rule date

    \b
    --json is an object: key, variant, rules (the text that a cassette carries), found (playable, or the
    code of the miss), take, touches [{path, was, now, rule, why}] (what is absent is left out), content;
    with --rule: rule, rules, recordings, changed, merges [{key, takes, differs}].
    """  # noqa: D301  click wants the character
    if sum(value is not None for value in (key, source, rule)) != 1:
        raise click.UsageError("Name one of these: a KEY, --request FILE, or --rule NAME.")
    config = config_of(file)
    with Reader(cassette, config.rules) as reader:
        if rule is not None:
            _explain_rule(reader, config.rules, rule, file, as_json=as_json)
            return
        take = reader.find(key)[0] if key is not None else None
        request = reader.request(take) if take else _given(source or "", path, fields, config)
        explanation = explained(request, config.rules)
        asked = Track(explanation.canonical.key, explanation.canonical.variant, take.track.lane if take else "")
        tape = Tape(cassette, _deck(config), reader=reader, rules=config.rules)
        drawn = tape.look_up(asked, retry=False)
        if as_json:
            _print(_explained(explanation, config.rules, drawn))
            return
        screen = Screen()
        miss = _miss(tape, request, asked, explanation, drawn) if drawn.found is not Found.PLAYABLE else None
        screen.show(Layout(screen, explanation, config.rules.text, drawn, miss).lines())


@click.command(short_help="Find text in requests that will miss tomorrow.")
@CASSETTE
@click.argument("other", type=click.Path(path_type=Path), required=False)
@CONFIG
@JSON
def lint(cassette: Path, other: Path | None, file: Path | None, *, as_json: bool) -> None:
    """Find text that looks volatile and that no rule covers, and the lines of config that cover it.

    With two cassettes, recordings of the same run: what differed between their requests, and rules, tried on them, that
    make them equal. The exit status is 1 where something was found.

    \b
    llmtape lint cassettes/default.sqlite
    llmtape lint monday.sqlite tuesday.sqlite

    \b
    --json is an object: of one cassette, volatile [{rule, value, path, take, count}], lines (of config)
    and conflicts [[names]] (recordings with different answers that the lines would make one call); of two,
    equal and pairs (that differ; how many), alone (names), solved (pairs that the lines make equal),
    rest [{take, other, path, recorded, asked}], lines and conflicts.
    """  # noqa: D301  click wants the character
    rules = rules_of(file)
    screen = Screen()
    with Reader(cassette, rules) as reader:
        if other is None:
            found = linting.volatile(reader, rules)
            covering = linting.covering(found, rules)
            lines, merging = added(rules, covering), linting.conflicts(reader, covering)
            if as_json:
                volatile = list(map(wording.fields, found))
                _print({"volatile": volatile, "lines": lines, "conflicts": linting.names(merging)})
            else:
                screen.show(linting.volatile_lines(screen, found, lines, Advice([cassette], file), merging))
            sys.exit(1 if found else 0)
        with Reader(other, rules) as its:
            compared = linting.compare(reader, its, rules)
    if as_json:
        _print(linting.comparison_json(compared, rules))
    else:
        screen.show(linting.comparison_lines(screen, compared, rules, Advice([cassette, other], file)))
    sys.exit(1 if compared.pairs or compared.alone else 0)


@click.command(short_help="Give recordings the keys of other rules.")
@CASSETTE
@DRY_RUN
@click.option("--force", is_flag=True, help="Also where requests with different answers come to share a key.")
@CONFIG
@JSON
def rekey(cassette: Path, file: Path | None, *, dry_run: bool, force: bool, as_json: bool) -> None:
    """Give all recordings of a cassette the keys that the rules of the config make.

    Recordings that come to share a key become takes of one call, in the order in which they were recorded. Where their
    answers differ nothing is written, and the exit status is 1; --force writes all the same. All of it is written, or
    nothing. What was asked and answered stays as it is, so that other rules can part again what these merge.

    \b
    llmtape rekey cassettes/default.sqlite --dry-run
    llmtape rekey cassettes/default.sqlite

    \b
    --json is an object: recordings, changed (how many), written, merges [{key, takes, differs}].
    """  # noqa: D301  click wants the character
    from proxy.cassette.rekey import rekey as give_keys  # noqa: PLC0415  it imports SQLAlchemy

    rules = rules_of(file)

    def accepts(planned: Rekeying) -> bool:
        return not dry_run and (force or not planned.conflicts)

    planned = give_keys(cassette, rules, accepts)
    is_written = bool(planned.takes) and accepts(planned)
    if as_json:
        with Reader(cassette, rules) as reader:
            _print({"recordings": len(reader), "written": is_written, **rekeyed(planned)})
    elif planned.takes:
        screen = Screen()
        screen.show(merging_lines(screen, planned, is_done=is_written))
    else:
        click.echo(f"The keys in {cassette} are those that the rules make: there is nothing to change.")
    if planned.conflicts and not force:
        click.echo(
            "Nothing was written: a test could get another test's answer. --force writes all the same.", err=True
        )
        sys.exit(1)


def _explain_rule(reader: Reader, rules: Rules, name: str, file: Path | None, *, as_json: bool) -> None:
    """Tell which recordings a rule merges, that is in force or may come to be."""
    without = rules.without(name)
    is_in_force = without != rules
    adopted = rules if is_in_force else rules.adopting(name)
    recordings = (
        (_keyed(take, normalize(request, without).key), normalize(request, adopted).key)
        for take, _, request in reader.requests()
    )
    planned = plan(recordings, lambda take: meaning(reader.response(take)[0]))
    if as_json:
        _print({"rule": name, "rules": adopted.text, "recordings": len(planned.takes), **rekeyed(planned)})
        return
    screen = Screen()
    if is_in_force:
        screen.show(screen.block(styled(f"The rule {name} is in force.")))
    screen.show(merging_lines(screen, planned, is_done=False))
    if planned.changed and not is_in_force:
        screen.show(config_lines(screen, "To adopt the rule", added(rules, adopted), file))


def _keyed(take: Take, key: str) -> Take:
    return replace(take, track=replace(take.track, key=key))


def _given(source: str, path: str, fields: Iterable[str], config: Config) -> Request:
    """Read a request as the proxy would take it: redacted, with the folders of this process."""
    try:
        with click.open_file(source, "rb") as stream:
            body = stream.read()
    except OSError as error:
        raise ConfigError(f"cannot read the request {source}: {error.strerror}") from error
    sent = tuple((name.strip(), value.strip()) for name, _, value in (field.partition(":") for field in fields))
    here = places()
    kept = placed(keep.of_request(sent) + marks(sent, "", config.rules, here), here)
    asked = Request("POST", path, "", kept, body)
    return redactor(config.redact.patterns).request(asked, credentials(sent))


def _deck(config: Config) -> Deck:
    return Deck(config.replay.repeats, config.replay.incomplete)


def _miss(tape: Tape, request: Request, asked: Track, explanation: Explanation, drawn: Drawn) -> Miss:
    nearest = tape.nearest(explanation.canonical) if drawn.found is Found.NOT_RECORDED else None
    return Miss(
        drawn.found,
        tape.title,
        asked,
        explanation.canonical,
        held=tape.held,
        take=drawn.take,
        nearest=nearest,
        remedy=remedy(nearest.request, request, tape.rules) if nearest else None,
    )


def _explained(explanation: Explanation, rules: Rules, drawn: Drawn) -> dict[str, Json]:
    form = explanation.canonical
    return {
        "key": form.key,
        "variant": form.variant,
        "rules": rules.text,
        "found": drawn.found,
        "take": drawn.take.name if drawn.take else None,
        "touches": [
            {name: value for name, value in wording.fields(touch).items() if value is not MISSING}
            for touch in explanation.touches
        ],
        "content": form.content,
    }


def _print(value: Json) -> None:
    click.echo(wording.document(value, indent=2))
