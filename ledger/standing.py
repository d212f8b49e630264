"""Where dossiers stand: which systems told what of them, which is the home, and whose state counts, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine

from ledger import intake_sql
from ledger.engine import transaction
from ledger.judging import UP_TO_FORWARDING, Known, SystemReading, leading
from ledger.page_store import fetch_known
from ledger.reading import TERMINAL_CODES


class Why(StrEnum):
    """Why one system's state is the dossier's."""

    ONLY = "only"  # no other system knows the dossier
    LATEST = "latest"  # its event is the latest
    END = "end"  # of events at the same time, an end stands
    PRECEDENCE = "precedence"  # of events at the same time, the system of higher precedence is believed
    END_STANDS = "end_stands"  # it has dated an end, and the others do not say since when their state holds
    FORWARDED = "forwarded"  # it does not say since when, but the others have at most forwarded the dossier


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one system told last. ``since``: when its state began; first seen here, when it is not ``dated``."""

    system: str
    is_home: bool
    precedence: int
    state: int
    since: datetime
    dated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one dossier stands: its ``state`` is that of ``system``, and ``why``. ``told`` begins with the home."""

    code: str
    state: int
    system: str
    why: Why
    told: tuple[Told, ...]


def standings(engine: Engine, codes: Sequence[str]) -> Mapping[str, Standing]:
    """Where the dossiers with these codes (short form, or national) stand; those not known are left out."""
    with transaction(engine) as cursor:
        found = {code: (code, known) for code, known in fetch_known(cursor, intake_sql.KNOWN_BY_CODE, list(codes))}
        others = [code for code in codes if code not in found]
        cursor.execute(intake_sql.BY_NATIONAL_CODE, {"either": others, "national": []})
        ids: dict[str, int] = dict(cursor.fetchall())
        by_id = {
            known.dossier_id: (code, known)
            for code, known in fetch_known(cursor, intake_sql.KNOWN_BY_ID, list(ids.values()))
        }
    found |= {alias: by_id[dossier_id] for alias, dossier_id in ids.items()}
    return {asked: _standing(code, known) for asked, (code, known) in found.items()}


def _standing(code: str, known: Known) -> Standing:
    kept = [known.home, *sorted(known.guests, key=lambda guest: guest.event_at)]
    lead = leading(kept, known.home.system)
    return Standing(
        code=code,
        state=lead.state,
        system=lead.system,
        why=_why(lead, [each for each in kept if each is not lead], known.home.system),
        told=tuple(
            Told(
                system=each.system,
                is_home=each is known.home,
                precedence=each.precedence,
                state=each.state,
                since=each.event_at,
                dated=each.dated,
            )
            for each in kept
        ),
    )


def _why(lead: SystemReading, others: Sequence[SystemReading], home: str) -> Why:
    if not others:
        return Why.ONLY
    dated = [each for each in others if each.dated or each.system == home]
    if not lead.dated and lead.system != home:
        return Why.FORWARDED if max(dated, key=_event).state in UP_TO_FORWARDING else Why.LATEST
    if any(_event(each) > _event(lead) for each in others):
        return Why.END_STANDS
    rivals = [each for each in others if each.event_at == lead.event_at]
    if not rivals:
        return Why.LATEST
    if lead.state in TERMINAL_CODES and any(each.state not in TERMINAL_CODES for each in rivals):
        return Why.END
    return Why.PRECEDENCE


def _event(kept: SystemReading) -> datetime:
    return kept.event_at
