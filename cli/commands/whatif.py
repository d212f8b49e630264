"""`hosync whatif`: a changed mapping run over archived pages; what would change before it is deployed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from rich.text import Text

from cli.errors import ExitCode
from cli.messages import Texts
from cli.output import Output
from schemas.states import LABELS_VI, State
from schemas.times import VN
from sync.context import Context
from sync.whatif.look import whatif
from sync.whatif.report import FieldChange, WhatIf

_WIDEST = 60


def run(
    output: Output, system: str, *, mapping: Path | None, limit: int, since: datetime | None, reveal: bool
) -> ExitCode:
    """Show what a mapping would change. Fails when records would newly be set aside, or could not be tried."""
    with (
        Context.from_env() as context,
        output.working(output.texts("Trying on archived pages of {system}", system=system)) as ticker,
    ):
        found = whatif(
            context,
            system,
            candidate=mapping,
            limit=limit,
            since=since,
            reveal=reveal,
            on_page=lambda counts: ticker.show(dict(counts)),
        )
    if output.as_json:
        output.json(found.model_dump(mode="json"))
    else:
        _print(output, found)
    return ExitCode.FAILED if found.needs_a_look else ExitCode.OK


def _print(output: Output, found: WhatIf) -> None:
    texts = output.texts
    other = found.candidate or texts("what the ledger holds")
    output.out.print(Text(f"{found.system}: {found.mapping} ↔ {other}", style="bold"))
    if found.current:
        output.out.print(
            texts("{number} records were stored by this very mapping and need no look.", number=f"{found.current:,}")
        )
    if found.unreadable:
        output.out.print(
            Text(
                texts(
                    "{number} pages cannot be read again: {why}", number=found.unreadable, why=found.unreadable_because
                ),
                style="red",
            )
        )
    if not found.records:
        output.out.print(texts("The archive holds no record to try it on."))
        return
    if not found.whole and found.since is not None:
        text = "Looked back to {moment} only; --limit goes further."
        output.out.print(texts(text, moment=f"{found.since.astimezone(VN):%d/%m/%Y %H:%M}"), style="yellow")
    counts = (
        ("Records", found.records),
        ("Same", found.same),
        ("Read otherwise", found.changed),
        ("Newly set aside", found.newly_set_aside),
        ("Newly understood", found.newly_understood),
        ("Still set aside", found.still_set_aside),
        ("A newer reading counts", found.passed_over),
    )
    output.out.print(output.table("What would change", ("What", "Records"), [(texts(name), n) for name, n in counts]))
    _tables(output, found)


def _tables(output: Output, found: WhatIf) -> None:
    texts = output.texts
    if found.reasons:
        rows = [(one.field, one.rule, one.records, ", ".join(one.keys)) for one in found.reasons]
        output.out.print(output.table("Newly set aside", ("Field", "Rule", "Records", "Such as"), rows))
    if found.fields:
        changes = [_change(one) for one in found.fields]
        output.out.print(output.table("Fields", ("Field", "Records", "Such as"), changes))
    if found.states:
        moves = [(f"{_state(texts, one.before)} → {_state(texts, one.after)}", one.dossiers) for one in found.states]
        output.out.print(output.table("States that would move", ("State", "Dossiers"), moves))
    if found.new_steps:
        output.out.print(texts("{number} dossiers would get new steps.", number=f"{found.new_steps:,}"))
    if any(one.dossiers or one.refused for one in found.targets):
        sent = [(one.target, one.dossiers, one.refused) for one in found.targets]
        output.out.print(output.table("Sent again", ("Target", "Dossiers", "Could not be sent any more"), sent))
    if found.keeps_an_end:
        text = "An end state stays until the mapping's `version` is greater than the one it was read with: count it up."
        output.out.print(texts(text), style="yellow", soft_wrap=True)
    if found.changed or found.stands:
        text = "To have what is stored read so: `hosync pull {system} --full`."
        output.out.print(texts(text, system=found.system), soft_wrap=True)
    if found.newly_understood:
        text = "What was set aside comes in with `hosync redrive {system}`."
        output.out.print(texts(text, system=found.system), soft_wrap=True)


def _change(one: FieldChange) -> tuple[object, ...]:
    examples = [f"{each.code}: {_short(each.before)} → {_short(each.after)}" for each in one.examples]
    return one.field, one.records, Text("\n".join(examples))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _state(texts: Texts, code: int | None) -> str:
    if code is None:
        return texts("not understood")
    return texts.pick(vi=LABELS_VI[State(code)], en=State(code).name.replace("_", " ").capitalize())
