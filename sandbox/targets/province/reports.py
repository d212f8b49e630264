"""What UpdateStatistic and UpdateVote must look like, and what they are known by. Pure.

Seen in public sources: the field names and their spelling, that counts are whole numbers and percentages numbers, and a
date with an offset (``+0700``) in UpdateVote, which names no month.
Assumed: that all are required but Note; that percentages go to 100; that a report takes the place of the one before it
of the same month and agency, the month of UpdateVote being that of its date; and that numbers must add up.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sandbox.targets.province.documents import InvalidMessageError
from sandbox.targets.reports import Told

STATISTICS, VOTES = "UpdateStatistic", "UpdateVote"
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0700", re.ASCII)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _percentage(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _month(value: Any) -> bool:
    return _count(value) and value <= 12


def _date(value: Any) -> bool:
    return isinstance(value, str) and _DATE.fullmatch(value) is not None


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


_AGENCY: Mapping[str, Callable[[Any], bool]] = {
    "OrganizationInchargeIdlevel1": _filled,
    "OrganizationInchargeName": _text,
}
_SATISFACTION: Mapping[str, Callable[[Any], bool]] = {
    "PercentVeryGood": _percentage,
    "PercentGood": _percentage,
    "PercentBad": _percentage,
}
_STATISTICS: Mapping[str, Callable[[Any], bool]] = {
    "Month": _month,
    "Year": _count,
    "IsMonthStatistic": _flag,
    **dict.fromkeys(("NewReception", "PreExtisting", "Total", "TotalSolved", "SolvedInTime", "SolvedLate"), _count),
    **dict.fromkeys(("TotalPending", "Pending", "PendingLate"), _count),
    **dict.fromkeys(("SolvedInTimePercent", "SolvedLatePercent", "PendingPercent", "PendingLatePercent"), _percentage),
    **_AGENCY,
}
_VOTES: Mapping[str, Callable[[Any], bool]] = {
    "DateCreated": _date,
    "TotalVoted": _count,
    **_SATISFACTION,
    "Questions": lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value),
    **_AGENCY,
}
_QUESTION: Mapping[str, Callable[[Any], bool]] = {"DocTypeCode": _text, "Content": _filled, **_SATISFACTION}
_SUMS = (
    ("Total", "NewReception", "PreExtisting"),
    ("Total", "TotalSolved", "TotalPending"),
    ("TotalSolved", "SolvedInTime", "SolvedLate"),
    ("TotalPending", "Pending", "PendingLate"),
)


def parse_statistics(body: Mapping[str, Any]) -> Told:
    """Check an UpdateStatistic body; InvalidMessageError names the first field that is wrong."""
    _check(body, _STATISTICS)
    for total, *parts in _SUMS:
        if body[total] != sum(body[part] for part in parts):
            raise InvalidMessageError(f"Trường {total} không bằng tổng {' + '.join(parts)}")
    unit = body["OrganizationInchargeIdlevel1"]
    return Told(service=STATISTICS, unit=unit, key=f"{body['Year']}-{body['Month']:02d}|{unit}", body=body)


def parse_votes(body: Mapping[str, Any]) -> Told:
    """Check an UpdateVote body; InvalidMessageError names the first field that is wrong."""
    _check(body, _VOTES)
    for question in body["Questions"]:
        _check(question, _QUESTION)
    try:
        month = datetime.strptime(body["DateCreated"], "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        raise InvalidMessageError("Trường DateCreated không hợp lệ") from None
    unit = body["OrganizationInchargeIdlevel1"]
    return Told(service=VOTES, unit=unit, key=f"{month:%Y-%m}|{unit}", body=body)


def _check(body: Mapping[str, Any], rules: Mapping[str, Callable[[Any], bool]]) -> None:
    for name, fits in rules.items():
        if body.get(name) is None:
            raise InvalidMessageError(f"Thiếu trường {name}")
        if not fits(body[name]):
            raise InvalidMessageError(f"Trường {name} không hợp lệ")
