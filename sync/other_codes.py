"""Dossiers that a target holds under another code: which one a message goes under, and what is asked for.

A target may give a dossier a code of its own, or hold one that was filed with it under the national code. What it says
is kept in the ledger. Until it has said anything, a dossier with a national code is taken to be there under that: a
message under the national code that the target does not know is followed by one under our code, while a message under
our code would make a second dossier beside the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connectors.api import Held, Outcome, Verdict
from ledger import other_codes as ledger
from ledger.types import Claimed
from schemas.identifiers import dossier_short

if TYPE_CHECKING:
    from sqlalchemy import Engine

    import mappings
    from connectors.catalog_models import TargetEntry


class OtherCodes:
    """What is known of other codes while one run delivers. Knows nothing of targets whose entry has no other codes."""

    def __init__(self, engine: Engine, entry: TargetEntry) -> None:
        self._engine = engine
        self._target = entry.system
        self._is_on = entry.other_codes
        self._known: dict[int, str | None] = {}

    def load(self, rows: Sequence[Claimed]) -> None:
        """Begin with what the target has said of these dossiers so far."""
        self._known = {row.dossier_id: row.held_as for row in rows if row.held_as is not None}

    def of(self, row: Claimed) -> str | None:
        """The code that a message about this dossier goes under; ``None``: our own."""
        if not self._is_on or row.dossier_id in self._known:
            return self._known.get(row.dossier_id)
        never_there = not row.known and row.acked_version == 0
        return row.dossier.get("national_code") if never_there else None

    def notices(
        self, mapping: mappings.Mapping, rows: Sequence[Claimed], steps: Sequence[Mapping[str, Any]]
    ) -> dict[int, dict[str, Any]]:
        """What ``steps`` (one of each row) are told as besides, by position, of dossiers filed on the target itself."""
        filed_there = [index for index, row in enumerate(rows) if self._is_filed_there(row)]
        converted = mapping.convert_notices([steps[index] for index in filed_there])
        return {filed_there[index]: payload for index, payload in converted.good}

    def _is_filed_there(self, row: Claimed) -> bool:
        national, there = row.dossier.get("national_code"), self.of(row)
        return national is not None and there is not None and dossier_short(there) == national

    def to_ask(self, rows: Iterable[Claimed]) -> dict[str, list[str]]:
        """More codes to ask for, by our code."""
        if not self._is_on:
            return {}
        asked = {row.code: (self._known.get(row.dossier_id), row.dossier.get("national_code")) for row in rows}
        return {code: [other for other in others if other] for code, others in asked.items() if any(others)}

    def found(self, rows: Iterable[Claimed], answers: Mapping[str, Held | Exception | None]) -> None:
        """Keep under which codes dossiers were found that were asked for."""
        told = {row.dossier_id: answers[row.code] for row in rows}
        self._learn(
            {
                key: answer.held_as if isinstance(answer, Held) else None
                for key, answer in told.items()
                if not isinstance(answer, Exception)
            }
        )

    def accepted(self, rows: Mapping[str, Claimed], verdicts: Iterable[Verdict]) -> None:
        """Keep under which codes dossier records were accepted. ``rows`` by the items' keys."""
        done = [verdict for verdict in verdicts if verdict.outcome is Outcome.ACCEPTED]
        self._learn({rows[verdict.key].dossier_id: verdict.held_as for verdict in done})

    def _learn(self, told: Mapping[int, str | None]) -> None:
        if self._is_on:
            news = {key: code for key, code in told.items() if code != self._known.get(key)}
            ledger.keep(self._engine, self._target, news)
            self._known.update(told)
