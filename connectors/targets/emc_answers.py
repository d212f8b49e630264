"""What EMC shows on its dashboard: counts. Pure.

The dashboard's CSV export has a line per procedure
and status (``codeTTHC,status,events``) and ends with a line of the total of distinct dossiers, which has no status.
"""

import csv
from collections import Counter
from collections.abc import Mapping

from connectors.errors import BrokenAnswer
from connectors.http import Answer

_COLUMNS = ("codeTTHC", "status", "events")


def parse_export(answer: Answer) -> Mapping[str, int]:
    """Counts by bucket: ``status:<n>`` events of that status, ``dossiers`` distinct dossiers. Raises ``BrokenAnswer``.

    Without its last line the export was cut; a count from it would be too small and nobody would notice.
    """
    try:
        text = answer.body.decode("utf-8-sig")
        lines = [line for line in csv.reader(text.splitlines(), strict=True) if line]
    except (UnicodeDecodeError, csv.Error):
        lines = []
    if not lines or not set(_COLUMNS) <= set(lines[0]):
        raise _broken(answer, f"no CSV export with the columns {', '.join(_COLUMNS)}")
    procedure, status, events = (lines[0].index(name) for name in _COLUMNS)
    counts: Counter[str] = Counter()
    dossiers: int | None = None
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(lines[0]) or dossiers is not None:
            raise _broken(answer, f"line {number} of the export is not in its place or incomplete")
        count = _count(line[events])
        if count is None or (line[status] and _count(line[status]) is None):
            raise _broken(answer, f"line {number} of the export holds something that is no number")
        if not line[status]:
            dossiers = count
            continue
        if (line[procedure], line[status]) in seen:
            raise _broken(answer, f"line {number} of the export counts a procedure and status again")
        seen.add((line[procedure], line[status]))
        counts[f"status:{int(line[status])}"] += count
    if dossiers is None:
        raise _broken(answer, "the export ends without its line of totals")
    if dossiers > counts.total():
        raise _broken(answer, "the export counts more dossiers than events")
    return {**dict(sorted(counts.items())), "dossiers": dossiers}


def _count(text: str) -> int | None:
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 12 else None


def _broken(answer: Answer, problem: str) -> BrokenAnswer:
    return BrokenAnswer(
        answer.system, f"{answer.where}: {problem}", "Open the dashboard's export by hand and compare its form"
    )
