"""Which records of a page speak of the same dossier, and which clash over one. Pure.

A dossier's identity is its code. A record whose code nobody knows may still name a known dossier by its national code.
Two records of one system with one code but different ids of that system are two cases under one number: only a person
can tell which is right, so the one that came later is set aside. Progress needs a dossier that another system has told
of; until then it waits.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ledger.judging import Judgement, Known, judge
from ledger.reading import Reading
from schemas.dossier import Dossier


class Sorted(NamedTuple):
    """All judgements of a page; the readings that clash with a dossier of the same code; those without a dossier."""

    judgements: tuple[Judgement, ...]
    clashes: tuple[Reading, ...]
    homeless: tuple[Reading, ...]


def sort_page(readings: Sequence[Reading], known: Mapping[str, Known], *, system: str, precedence: int) -> Sorted:
    """Judge every reading of one page. ``known`` maps codes, as the page's records write them, to dossiers."""
    groups: dict[int | str, list[Reading]] = {}
    dossiers: dict[int | str, Known | None] = {}
    homeless: list[Reading] = []
    for reading in readings:
        found = known.get(reading.dossier.code)
        if not isinstance(reading.dossier, Dossier) and (found is None or found.home.system == system):
            homeless.append(reading)
            continue
        key = found.dossier_id if found else reading.dossier.code
        groups.setdefault(key, []).append(reading)
        dossiers[key] = found
    judgements = []
    clashes: list[Reading] = []
    for key, group in groups.items():
        dossier = dossiers[key]
        mine, others = _one_id_only(dossier, group, system)
        clashes.extend(others)
        if mine:
            judgements.append(judge(dossier, mine, system, precedence))
    return Sorted(tuple(judgements), tuple(clashes), tuple(homeless))


def _one_id_only(
    known: Known | None, group: Sequence[Reading], system: str
) -> tuple[Sequence[Reading], Iterable[Reading]]:
    bound = known.reading_of(system) if known else None
    if bound is None and len(group) == 1:
        return group, ()
    owner = bound.source_id if bound else max(group, key=lambda reading: reading.order).dossier.source_id
    mine = [reading for reading in group if reading.dossier.source_id == owner]
    if len(mine) == len(group):
        return group, ()
    return mine, [reading for reading in group if reading.dossier.source_id != owner]
