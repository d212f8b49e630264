"""The other codes under which the portal holds dossiers: those that it gave, and its own national ones.

Seen: a dossier whose code lacks the agency is stored under a code made for it, so that a look-up by the sender's code
misses it; and records that carry the portal's code as ``MaHoSo`` beside the sender's as ``MaHoSoDonVi``.
Assumed: that a portal which gives codes tells them in that pair of fields, in the answer to a record and to a look-up.
One that does not is found out by the look-up under the national code, or not at all.
"""

from collections.abc import Mapping
from typing import Any

from connectors.errors import BrokenAnswer
from connectors.http import Answer
from connectors.targets.held import canonical_code


def other_code(record: Mapping[str, Any], form: str) -> str | None:
    """The code of a record, when it is another one than the ``form`` of a code that was asked for."""
    held = record.get("MaHoSo")
    if not isinstance(held, str) or not held.strip() or canonical_code(held) == canonical_code(form):
        return None
    return held.strip()


def given_codes(answer: Answer) -> dict[str, str]:
    """What a successful answer says of codes that the portal gave: our canonical code to theirs; mostly nothing."""
    try:
        rows = answer.json_object().get("result")
    except BrokenAnswer:
        return {}
    pairs: dict[str, str] = {}
    for row in rows if isinstance(rows, list) else []:
        ours = row.get("MaHoSoDonVi") if isinstance(row, Mapping) else None
        if isinstance(ours, str) and ours and (theirs := other_code(row, ours)):
            pairs[canonical_code(ours)] = theirs
    return pairs
