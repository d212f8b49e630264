"""The inside of ``intake.store_page``: look up, lock, judge, write. Runs in the caller's transaction.

Dossiers that a page merely repeats are neither locked nor written, so that re-reading a window costs one query a page;
that a neighbour changes them meanwhile is the same as if it had changed them afterwards. All others are locked in id
order and judged on what they hold then.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import sql

from ledger import intake_sql
from ledger.engine import Cursor
from ledger.judging import Judgement, Known, SystemReading, Verdict, repeats
from ledger.reading import Reading
from ledger.rows import home_row, step_row
from ledger.sealing import Sealer
from ledger.sorting import Sorted, sort_page
from schemas.dossier import Dossier


def judge_page(cursor: Cursor, readings: Sequence[Reading], *, system: str, precedence: int) -> Sorted:
    """Judge the page; whatever its judgements will write is locked when this returns."""
    known = _known(cursor, readings, system)
    touched = {
        dossier.dossier_id
        for reading in readings
        if (dossier := known.get(reading.dossier.code)) and not repeats(dossier, reading, system)
    }
    if touched:
        locked = {fresh.dossier_id: fresh for _, fresh in fetch_known(cursor, intake_sql.LOCK_KNOWN, sorted(touched))}
        known = {code: locked.get(dossier.dossier_id, dossier) for code, dossier in known.items()}
    return sort_page(readings, known, system=system, precedence=precedence)


def count(judged: Sorted) -> Counter[Verdict]:
    """How many records of the page got which verdict."""
    verdicts = Counter(each.verdict for each in judged.judgements)
    verdicts.update(verdict for each in judged.judgements for _, verdict in each.older)
    return verdicts


def only_repeats(judged: Sorted, system: str) -> bool:
    """Whether every reading of the page is, word for word, the last one that this system gave before."""
    return all(
        each.known is not None
        and (held := each.known.reading_of(system)) is not None
        and held.content_hash == each.newest.content_hash
        and all(verdict is Verdict.UNCHANGED for _, verdict in each.older)
        for each in judged.judgements
    )


def write_page(cursor: Cursor, judged: Sorted, *, system: str, sealer: Sealer, change_no: int) -> None:
    """Write what the judgements say. Raises ``UniqueViolation`` when another page has just created a dossier."""
    new = sorted((each for each in judged.judgements if each.known is None), key=lambda each: each.newest.dossier.code)
    ids = _write_new(cursor, new, sealer, change_no)
    held = [each for each in judged.judgements if each.known is not None]
    _write_changed(cursor, held, sealer)
    _write_readings(cursor, held, system)
    _add_steps(cursor, held, sealer)
    _add_aliases(cursor, [*zip(ids, new, strict=True), *((_id(each), each) for each in held)], system)


def _id(judgement: Judgement) -> int:
    assert judgement.known is not None
    return judgement.known.dossier_id


# --- what is known ----------------------------------------------------------------------------------------------


def _known(cursor: Cursor, readings: Sequence[Reading], system: str) -> dict[str, Known]:
    codes = {reading.dossier.code for reading in readings}
    known = dict(fetch_known(cursor, intake_sql.KNOWN_BY_CODE, list(codes)))
    unknown = [reading for reading in readings if reading.dossier.code not in known]
    if unknown:
        known.update(_known_by_national_code(cursor, unknown, system))
    return known


def _known_by_national_code(cursor: Cursor, readings: Sequence[Reading], system: str) -> dict[str, Known]:
    national = {reading.national_code for reading in readings if reading.national_code}
    either = national | {reading.dossier.code for reading in readings}
    cursor.execute(intake_sql.BY_NATIONAL_CODE, {"either": list(either), "national": list(national)})
    ids: dict[str | None, int] = dict(cursor.fetchall())
    if not ids:
        return {}
    dossiers = {
        known.dossier_id: known for _, known in fetch_known(cursor, intake_sql.KNOWN_BY_ID, list(set(ids.values())))
    }
    found = {}
    for reading in readings:
        dossier_id = ids.get(reading.dossier.code) or ids.get(reading.national_code)
        if dossier_id is not None:
            bound = dossiers[dossier_id].reading_of(system)
            # A system that holds the dossier under another id of its own means another dossier by this one.
            if bound is None or bound.source_id == reading.dossier.source_id:
                found[reading.dossier.code] = dossiers[dossier_id]
    return found


def fetch_known(cursor: Cursor, statement: str, keys: Sequence[str] | Sequence[int]) -> Iterable[tuple[str, Known]]:
    """The dossiers that one of the ``KNOWN_…`` statements finds for the keys, each with its code."""
    rows = cursor.execute(statement, [keys]).fetchall()
    if not rows:
        return []
    guests = _guests(cursor, [row[0] for row in rows])
    return [
        (
            code,
            Known(
                dossier_id=dossier_id,
                home=SystemReading(*home),
                guests=tuple(guests.get(dossier_id, ())),
                state=state,
                last_step=last_step,
                last_step_at=last_step_at,
                illegal_jumps=illegal_jumps,
            ),
        )
        for dossier_id, code, *home, state, last_step, last_step_at, illegal_jumps in rows
    ]


def _guests(cursor: Cursor, ids: Sequence[int]) -> Mapping[int, list[SystemReading]]:
    guests: dict[int, list[SystemReading]] = {}
    for dossier_id, *kept in cursor.execute(intake_sql.GUEST_READINGS, [ids]):
        guests.setdefault(dossier_id, []).append(SystemReading(*kept))
    return guests


# --- what is written --------------------------------------------------------------------------------------------


def _copy(cursor: Cursor, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    with cursor.copy(sql.SQL(statement)) as copy:
        for row in rows:
            copy.write_row(row)


def _write_new(cursor: Cursor, new: Sequence[Judgement], sealer: Sealer, change_no: int) -> list[int]:
    if not new:
        return []
    ids = [row[0] for row in cursor.execute(intake_sql.TAKE_IDS, [len(new)])]
    numbered = list(zip(ids, new, strict=True))
    _copy(cursor, intake_sql.COPY_NEW_DOSSIERS, (_new_row(key, each, sealer, change_no) for key, each in numbered))
    steps = (step_row(key, step, sealer) for key, each in numbered for step in each.steps)
    _copy(cursor, intake_sql.COPY_NEW_STEPS, steps)
    return ids


def _new_row(dossier_id: int, each: Judgement, sealer: Sealer, change_no: int) -> tuple[Any, ...]:
    assert each.after is not None
    first_step_at = min(step.at for step in each.steps)
    dossier = _attributes(each)
    home = home_row(each.mine, dossier, sealer)
    return dossier_id, dossier.code, *home, *each.after, first_step_at, 1, change_no


def _attributes(judgement: Judgement) -> Dossier:
    """What the home tells of the dossier; a home has always told that."""
    dossier = judgement.newest.dossier
    assert isinstance(dossier, Dossier)
    return dossier


def _write_changed(cursor: Cursor, held: Sequence[Judgement], sealer: Sealer) -> None:
    full = [each for each in held if each.after and each.is_home]
    if full:
        cursor.execute(intake_sql.STAGE_CHANGED)
        rows = (
            (_id(each), *home_row(each.mine, _attributes(each), sealer), *each.after) for each in full if each.after
        )
        _copy(cursor, intake_sql.COPY_CHANGED, rows)
        cursor.execute(intake_sql.APPLY_CHANGED)
    moved = [(_id(each), *each.after) for each in held if each.after and not each.is_home]
    if moved:
        cursor.execute(intake_sql.APPLY_STATE, _columns(moved))


def _write_readings(cursor: Cursor, held: Sequence[Judgement], system: str) -> None:
    advanced = [
        (_id(each), each.mine.source_at, each.mine.observed_at, each.mine.mapping_no)
        for each in held
        if each.keep and each.is_home and each.after is None
    ]
    if advanced:
        cursor.execute(intake_sql.ADVANCE_HOME, _columns(advanced))
    guests = [(_id(each), *each.mine) for each in held if each.keep and not each.is_home]
    replaced = [(_id(each), *each.former_home) for each in held if each.former_home]
    if replaced:
        cursor.execute(intake_sql.FORGET_GUEST_READINGS, [[row[0] for row in replaced], system])
    if guests or replaced:
        cursor.execute(intake_sql.KEEP_GUEST_READINGS, _columns([*guests, *replaced]))


def _add_steps(cursor: Cursor, held: Sequence[Judgement], sealer: Sealer) -> None:
    steps = [step_row(_id(each), step, sealer) for each in held for step in each.steps]
    if steps:
        cursor.execute(intake_sql.STAGE_STEPS)
        _copy(cursor, intake_sql.COPY_STEPS, steps)
        cursor.execute(intake_sql.ADD_STEPS)


def _add_aliases(cursor: Cursor, named: Sequence[tuple[int, Judgement]], system: str) -> None:
    aliases: list[tuple[str, str, int]] = []
    for dossier_id, each in named:
        if not each.known or not each.known.reading_of(system):
            aliases.append((system, each.newest.dossier.source_id, dossier_id))
        if each.keep and each.newest.national_code:
            aliases.append(("national", each.newest.national_code, dossier_id))
    if aliases:
        cursor.execute(intake_sql.ADD_ALIASES, _columns(aliases))


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
