"""One page of a source, looked at and thrown away: does it still keep its contract, and is all of it understood?

Nothing is stored, nothing is acknowledged. What is said names fields, rules and counts, never a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import mappings
from connectors.api import CheckResult, CheckStatus, Window
from connectors.catalog_models import PullStyle
from connectors.contract import Drift, record_contract
from connectors.errors import CatalogError, ConnectorError
from mappings import coverage

if TYPE_CHECKING:
    from connectors.api import Source
    from connectors.catalog_models import SourceEntry

RECORDS = 20
"""So many records are looked at: enough to see a drift, few enough for a system that is asked one by one."""

_SPANS = (timedelta(days=3), timedelta(days=30), timedelta(days=180))
_BY_TIME = frozenset({PullStyle.WINDOW, PullStyle.CHANGED_SINCE})
_SHOWN = 8
_DRIFTS = {
    Drift.NEW: "not in the contract",
    Drift.MISSING: "promised and missing",
    Drift.OTHER_KIND: "of another kind than promised",
}


def small_pages(entry: SourceEntry) -> SourceEntry:
    """The same entry, read in pages that suit a look."""
    pull = entry.pull.model_copy(update={"page_size": min(RECORDS, entry.pull.page_size)})
    return entry.model_copy(update={"pull": pull})


def dry_run(
    entry: SourceEntry, source: Source, mapping: mappings.Mapping, *, open_codes: Sequence[str], now: datetime
) -> Iterator[CheckResult]:
    """The lines of ``hosync check`` about what the source tells. Never raises for what it finds at the system."""
    if entry.pull.style is PullStyle.INBOUND:
        yield CheckResult("page", CheckStatus.OK, "this system calls us; what it said is in the inbox")
        return
    if entry.pull.style is PullStyle.OPEN_LIST and not open_codes:
        yield CheckResult(
            "page",
            CheckStatus.WARNING,
            "it is only asked about dossiers that we hold, and none is known here",
            "Pull the systems that bring those dossiers, then check again",
        )
        return
    try:
        records = _records(entry, source, open_codes, now)
    except ConnectorError as error:
        yield CheckResult("page", CheckStatus.FAILED, error.message, error.next_step)
        return
    if not records:
        yield CheckResult("page", CheckStatus.WARNING, "no record to look at", "Check again once there is one")
        return
    yield from _contract(entry, records)
    yield from _mapping(entry, mapping, records)


def _records(
    entry: SourceEntry, source: Source, open_codes: Sequence[str], now: datetime
) -> Sequence[Mapping[str, Any]]:
    """The first records of the last days, or of longer ago when there is none."""
    asked = open_codes[:RECORDS]
    spans: Sequence[Window | None] = [None]
    if entry.pull.style in _BY_TIME:
        spans = [Window(now - span, now) for span in _SPANS]
    for window in spans:
        pages = source.pull(window=window, cursor=None, open_codes=asked, now=now)
        found = list(islice(chain.from_iterable(page.records for page in pages), RECORDS))
        if found:
            return found
    return []


def _contract(entry: SourceEntry, records: Sequence[Mapping[str, Any]]) -> Iterator[CheckResult]:
    try:
        contract = record_contract(entry)
    except CatalogError as error:
        yield CheckResult("contract drift", CheckStatus.FAILED, str(error.problems[0].problem), error.problems[0].fix)
        return
    if contract is None:  # a WSDL: the source itself compares it with the live one
        return
    found = contract.departures(records)
    if not found:
        yield CheckResult("contract drift", CheckStatus.OK, f"{len(records)} records are as the contract says")
        return
    said = ", ".join(f"{each.at} {_DRIFTS[each.drift]} ({each.records} of {len(records)})" for each in found[:_SHOWN])
    harmless = all(each.drift is Drift.NEW for each in found)
    yield CheckResult(
        "contract drift",
        CheckStatus.WARNING if harmless else CheckStatus.FAILED,
        said,
        f"Ask the owner what has changed, then correct schemas/wire/{entry.contract} and mapping '{entry.mapping}'",
    )


def _strange(entry: SourceEntry, paths: Sequence[str]) -> list[str]:
    """Those of the paths that the contract knows nothing of: misspelt, most likely. A WSDL is not asked."""
    try:
        contract = record_contract(entry)
    except CatalogError:  # told by another line
        return []
    return [] if contract is None else [path for path in paths if not contract.knows(path.replace("[]", ""))]


def _mapping(
    entry: SourceEntry, mapping: mappings.Mapping, records: Sequence[Mapping[str, Any]]
) -> Iterator[CheckResult]:
    found = coverage.measure(mapping, records)
    gaps = [
        *(f"{path} holds something and is neither mapped nor ignored" for path in found.unmapped),
        # A field that only some records have may be missing in these few.
        *(f"{path} is read and never there" for path in _strange(entry, found.never_present)),
    ]
    yield CheckResult(
        "mapping coverage",
        CheckStatus.WARNING if gaps else CheckStatus.OK,
        "; ".join(gaps[:_SHOWN]) or "every field that holds something is mapped or ignored with a reason",
        f"Map it, or name it under 'ignore' in mappings/sources/{mapping.file.name}" if gaps else "",
    )
    validated = mappings.validate_page(mapping, records)
    reasons = Counter(f"{problem.field} {problem.rule}" for problem in validated.bad)
    codes = [f"{each.table}: {each.code}" for each in found.unknown_codes]
    said = f"{len(validated.good)} of {len(records)} records are understood"
    if reasons:
        said += "; set aside: " + ", ".join(f"{reason} ({number})" for reason, number in reasons.most_common(_SHOWN))
    if codes:
        said += f"; unknown codes: {', '.join(codes[:_SHOWN])}"
    broken = CheckStatus.FAILED if not validated.good else CheckStatus.WARNING
    yield CheckResult(
        "page",
        broken if reasons else CheckStatus.OK,
        said,
        f"Correct mappings/sources/{mapping.file.name}; `hosync preview {mapping.system}` shows the records"
        if reasons
        else "",
    )
