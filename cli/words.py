"""Small pieces of text that several commands print."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.text import Text

from cli.messages import Texts
from schemas.times import VN

_RESTING = {
    "paused": "paused",
    "restored": "our ledger was restored and reads everything again first",
    "quiet": "quiet hours",
    "asked": "wants to be left alone",
    "broken": "does not answer",
    "day": "calls of the day used up",
    "full": "others make all the calls it takes",
}


def breaks_in_words(texts: Texts, breaks: Mapping[str, int]) -> Text:
    """``2 missing at target, 1 duplicate``, red; a green "none" when there are none."""
    found = [f"{number:,} {texts(str(kind).replace('_', ' '))}" for kind, number in breaks.items() if number]
    return Text(", ".join(found), style="red") if found else Text(texts("none"), style="green")


def moment_in_words(moment: datetime, now: datetime) -> str:
    """The hour in Vietnam, with the day where that is not today's."""
    local = moment.astimezone(VN)
    return f"{local:%H:%M:%S}" if local.date() == now.astimezone(VN).date() else f"{local:%d/%m/%Y %H:%M}"


def seconds_in_words(seconds: float) -> str:
    """``0.8 s``, ``42 s``, ``17 min``, ``5 h``, ``3 d``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def resting_in_words(texts: Texts, why: str, until: datetime | None) -> str:
    """Why a target is not called now, and until when."""
    end = f" → {moment_in_words(until, datetime.now(UTC))}" if until else ""
    return texts(_RESTING[why]) + end
