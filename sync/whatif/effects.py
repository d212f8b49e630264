"""What targets would be told anew about a dossier, once a changed mapping is deployed and its record is read again.

A target that takes dossier records gets one when its payload would be another; one that takes steps gets the new ones:
those that would be reported behind the last numbered step, and the one that another state makes. Which system leads a
dossier is taken as it is now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mappings
from connectors.catalog_models import Message
from schemas.dossier import Dossier
from sync.outgoing import outgoing_dossier
from sync.whatif.report import TargetEffect

if TYPE_CHECKING:
    from connectors.catalog import Catalog
    from ledger.holding import Holding
    from schemas.dossier import Progress
    from sync.whatif.readings import Compared


@dataclass(frozen=True, slots=True)
class Effect:
    """One dossier as targets read it, before (``None``: they were not told of it) and after."""

    before: Mapping[str, Any] | None = field(repr=False)
    after: Mapping[str, Any] = field(repr=False)
    state_before: int | None
    state_after: int
    has_new_step: bool

    @property
    def moves(self) -> bool:
        """Whether the state would be another one."""
        return self.state_before != self.state_after


def effect_of(compared: Compared) -> Effect | None:
    """What would come of a record that is read otherwise; ``None`` for progress that waits for its dossier."""
    told, held = compared.after, compared.held
    if told is None or (held is None and not isinstance(told, Dossier)):
        return None
    before: Mapping[str, Any] | None = None
    state_before: int | None = None
    if compared.before is not None:
        before, state_before = _outgoing(compared.before, held), int(compared.before.state)
    elif held is not None:
        before, state_before = held.record, held.state
    leads = held is None or held.leads
    return Effect(
        before=before,
        after=_outgoing(told, held),
        state_before=state_before,
        state_after=int(told.state),
        has_new_step=(leads and state_before != int(told.state)) or _reports_more(compared, held),
    )


def _outgoing(told: Dossier | Progress, held: Holding | None) -> dict[str, Any]:
    """The dossier as a target's mapping would read it if this were its system's newest reading."""
    record = dict(held.record) if held is not None else {}
    if isinstance(told, Dossier) and (held is None or held.is_home):
        record = {**outgoing_dossier(told), "version": record.get("version", 1)}
    if held is None:
        return record
    if not held.leads:
        return {**record, "state": held.record["state"], "state_at": held.record["state_at"]}
    since = told.state_at or (told.changed_at if told.state != held.state else None)
    return {**record, "state": told.state, "state_at": since or held.record["state_at"]}


def _reports_more(compared: Compared, held: Holding | None) -> bool:
    """Whether steps are reported that were not, behind those that targets are told of already."""
    known = {(step.at, step.state) for step in compared.before.steps} if compared.before is not None else set()
    reported = {(step.at, step.state) for step in compared.after.steps} if compared.after is not None else set()
    return any(held is None or at > held.last_step_at for at, _ in reported - known)


class Targets:
    """Counts what each target of a catalog would be told."""

    def __init__(self, catalog: Catalog) -> None:
        self._entries = [(entry, mappings.load(entry.mapping, mappings.Direction.TARGET)) for entry in catalog.targets]
        self._dossiers: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    def see(self, effects: Sequence[Effect]) -> None:
        """Count these in."""
        for entry, mapping in self._entries:
            told: set[int] = set()
            if Message.DOSSIER in entry.messages:
                before, after = (
                    _payloads(mapping, [one.before for one in effects]),
                    _payloads(mapping, [one.after for one in effects]),
                )
                told |= {index for index, payload in after.items() if payload != before.get(index)}
                self._refused[entry.system] += len((before.keys() | _new(effects)) - after.keys())
            if Message.STEP in entry.messages:
                told |= {index for index, one in enumerate(effects) if one.has_new_step}
            self._dossiers[entry.system] += len(told)

    def result(self) -> tuple[TargetEffect, ...]:
        """One for each target."""
        return tuple(
            TargetEffect(target=name, dossiers=self._dossiers[name], refused=self._refused[name])
            for name in (entry.system for entry, _ in self._entries)
        )


def _payloads(mapping: mappings.Mapping, records: Sequence[Mapping[str, Any] | None]) -> dict[int, Mapping[str, Any]]:
    """What a target would get of each record, by its place; those that cannot be sent are left out."""
    given = [(index, record) for index, record in enumerate(records) if record is not None]
    good = mapping.convert_dossiers([record for _, record in given]).good
    return {given[place][0]: payload for place, payload in good}


def _new(effects: Sequence[Effect]) -> set[int]:
    return {index for index, one in enumerate(effects) if one.before is None}
