"""One page of a source, looked at and thrown away: does it still keep its contract, and is all of it understood?

Would the targets take it? Nothing is stored, nothing is acknowledged. What is said names fields, rules and counts, and
codes that no table knows; never another value.
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
from mappings.errors import MappingError
from mappings.places import shown
from schemas.dossier import Dossier
from sync.ahead import at_target

if TYPE_CHECKING:
    from connectors.api import Source
    from connectors.catalog_models import SourceEntry, TargetEntry

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
    entry: SourceEntry,
    source: Source,
    mapping: mappings.Mapping,
    *,
    targets: Sequence[TargetEntry],
    open_codes: Sequence[str],
    now: datetime,
) -> Iterator[CheckResult]:
    """The lines of ``hosync check`` about what the source tells. Never raises for what it finds at the system.

    What is understood is also mapped for each of the ``targets``, as a delivery would.
    """
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
    yield _coverage(entry, mapping, records)
    understood = mappings.validate_page(mapping, records)
    yield _page(mapping, records, understood)
    dossiers = [dossier for _, dossier in understood.good if isinstance(dossier, Dossier)]
    if dossiers and targets:
        yield _targets(mapping, dossiers, targets, now)


def _records(
    entry: SourceEntry, source: Source, open_codes: Sequence[str], now: datetime
) -> Sequence[Mapping[str, Any]]:
    """Some records of the last days, and of longer ago while they are too few: recent ones are in more states."""
    asked = open_codes[:RECORDS]
    spans: Sequence[Window | None] = [None]
    if entry.pull.style in _BY_TIME:
        spans = [Window(now - span, now) for span in _SPANS]
    found: list[Mapping[str, Any]] = []
    for window in spans:
        pages = source.pull(window=window, cursor=None, open_codes=asked, now=now)
        more = islice(chain.from_iterable(page.records for page in pages), RECORDS)
        found += [record for record in more if record not in found]
        if len(found) >= RECORDS:
            break
    return found[:RECORDS]


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
    names = {name for record in records for name in record}
    if sum(not contract.knows(name) for name in names) * 2 > len(names):
        fix = f"Is 'contract: {entry.contract}' in {entry.file} right? Most of these fields are not in it"
    else:
        fix = (
            f"Ask the owner what has changed, then correct schemas/wire/{entry.contract} and mapping '{entry.mapping}'"
        )
    yield CheckResult("contract drift", CheckStatus.WARNING if harmless else CheckStatus.FAILED, said, fix)


def _strange(entry: SourceEntry, paths: Sequence[str]) -> list[str]:
    """Those of the paths that the contract knows nothing of: misspelt, most likely. A WSDL is not asked."""
    try:
        contract = record_contract(entry)
    except CatalogError:  # told by another line
        return []
    return [] if contract is None else [path for path in paths if not contract.knows(path.replace("[]", ""))]


def _coverage(entry: SourceEntry, mapping: mappings.Mapping, records: Sequence[Mapping[str, Any]]) -> CheckResult:
    found = coverage.measure(mapping, records)
    gaps = [
        *(f"{path} holds something and is neither mapped nor ignored" for path in found.unmapped),
        # A field that only some records have may be missing in these few.
        *(f"{path} is read and never there" for path in _strange(entry, found.never_present)),
    ]
    return CheckResult(
        "mapping coverage",
        CheckStatus.WARNING if gaps else CheckStatus.OK,
        "; ".join(gaps[:_SHOWN]) or "every field that holds something is mapped or ignored with a reason",
        f"Map it, or name it under 'ignore' in {shown(mapping.file)}" if gaps else "",
    )


def _page(
    mapping: mappings.Mapping, records: Sequence[Mapping[str, Any]], understood: mappings.Validated
) -> CheckResult:
    reasons = Counter(f"{problem.field} {problem.rule}" for problem in understood.bad)
    codes = [f"{each.table}: {each.code}" for each in coverage.measure(mapping, records).unknown_codes]
    said = f"{len(understood.good)} of {len(records)} records are understood"
    if not reasons:
        return CheckResult("page", CheckStatus.OK, said)
    said += "; set aside: " + ", ".join(f"{reason} ({number})" for reason, number in reasons.most_common(_SHOWN))
    file = shown(mapping.file)
    if codes:
        said += f"; unknown codes: {', '.join(codes[:_SHOWN])}"
        fix = f"Ask the owner what the codes mean and add them to 'tables' in {file}"
    else:
        fix = f"Correct {file}; `hosync preview {mapping.system} --reveal` shows the records"
    return CheckResult("page", CheckStatus.WARNING if understood.good else CheckStatus.FAILED, said, fix)


def _targets(
    mapping: mappings.Mapping, dossiers: Sequence[Dossier], targets: Sequence[TargetEntry], now: datetime
) -> CheckResult:
    """What was understood, mapped on for the targets: what one of them requires and no record fills is told here."""
    said: list[str] = []
    remedies: list[str] = []
    is_whole = False
    for entry in targets:
        try:
            refused = [ahead.refusals for dossier in dossiers if (ahead := at_target(entry, dossier, now)).refusals]
        except MappingError:  # its own line of the check tells
            continue
        if not refused:
            continue
        fields = Counter(f"{each.field} {each.rule}" for refusals in refused for each in dict.fromkeys(refusals))
        named = ", ".join(field for field, _ in fields.most_common(_SHOWN))
        said.append(f"{entry.system} would not get {len(refused)} of {len(dossiers)} dossiers: {named}")
        remedies += [each.remedy(mapping) for refusals in refused for each in refusals]
        is_whole |= len(refused) == len(dossiers)
    if not said:
        names = ", ".join(entry.system for entry in targets)
        return CheckResult("targets", CheckStatus.OK, f"{len(dossiers)} dossiers are fit for {names}")
    known = list(dict.fromkeys(filter(None, remedies)))
    look = f"`hosync preview {mapping.system}` shows what each target would get"
    fix = "; ".join([*known[:_SHOWN], look])
    worst = CheckStatus.FAILED if is_whole else CheckStatus.WARNING
    return CheckResult("targets", worst, "; ".join(said), fix[:1].upper() + fix[1:])
