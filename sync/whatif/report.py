"""What ``hosync whatif`` found, for people and machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from ledger.reading import mapping_number
from schemas.states import State


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Example(_Part):
    """One record that would be read otherwise; values are fit for JSON, personal ones masked unless revealed."""

    code: str | None
    before: Any
    after: Any


class FieldChange(_Part):
    """A field of the common schema, and how many records would have another value in it."""

    field: str
    records: int
    examples: tuple[Example, ...]


class Reason(_Part):
    """Why records would newly be set aside; ``keys`` names some of them by their own id."""

    field: str
    rule: str
    records: int
    keys: tuple[str, ...]


class Move(_Part):
    """Dossiers whose state would be another one. ``before`` is ``None`` where the record was not understood."""

    before: int | None
    after: int
    dossiers: int


class TargetEffect(_Part):
    """How many dossiers one target would be told of anew, and how many could not be sent to it any more."""

    target: str
    dossiers: int
    refused: int


class WhatIf(_Part):
    """``records = same + changed + newly_set_aside + newly_understood + still_set_aside + passed_over``.

    ``records`` are different ones: one that came again with equal content is only counted as ``repeated``.
    ``passed_over``: compared with the ledger only, where a newer reading counts by now or nothing is held of the
    dossier; ``stands`` of them hold an end state, which only a mapping with a greater number takes back.
    ``current``: records of pages that the very same mapping has stored, which therefore need no look.
    ``dossiers`` is how many different dossiers the records tell of; what would become of states and targets is told of
    the newest record of each. ``since``: when the oldest page looked at was fetched. ``whole``: there was no more to
    look at. ``mapping`` and ``candidate`` are versions; without a candidate the ledger is compared with.
    """

    system: str
    mapping: str
    candidate: str | None
    pages: int
    since: AwareDatetime | None
    whole: bool
    unreadable: int
    unreadable_because: str
    current: int
    repeated: int
    records: int
    same: int
    changed: int
    newly_set_aside: int
    newly_understood: int
    still_set_aside: int
    passed_over: int
    stands: int
    dossiers: int
    new_steps: int
    fields: tuple[FieldChange, ...]
    reasons: tuple[Reason, ...]
    states: tuple[Move, ...]
    targets: tuple[TargetEffect, ...]

    @property
    def needs_a_look(self) -> bool:
        """Whether records that are understood would not be any more, or could not be tried."""
        return bool(self.newly_set_aside or self.unreadable or self.keeps_an_end)

    @property
    def keeps_an_end(self) -> bool:
        """Whether an end state would have to be taken back, and the mapping's number does not allow it."""
        if self.candidate is None:
            return self.stands > 0
        grown = mapping_number(self.candidate) > mapping_number(self.mapping)
        return not grown and any(
            move.before is not None and State(move.before).is_terminal and not State(move.after).is_terminal
            for move in self.states
        )


Counts = Mapping[str, int]
"""Running numbers for whoever watches."""
