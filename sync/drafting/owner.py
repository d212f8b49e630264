"""Who runs a system: an agency of the province, by its code."""

from __future__ import annotations

from mappings import catalogues
from schemas import identifiers
from sync.errors import SyncError


def agency_code(text: str) -> str:
    """The code in its short form; raises ``SyncError`` for a text that is none."""
    try:
        return identifiers.agency_short(text)
    except ValueError:
        raise SyncError(
            f"'{text}' is no agency code.",
            next_step="Write it as H12.06 or 000.00.06.H12; mappings/catalogues/agencies.yaml lists those known here.",
        ) from None


def agency_name(code: str) -> str | None:
    """Its name by the catalogue of agencies; ``None`` when it is not listed."""
    found = catalogues.finder("agencies", "name")(code)
    return str(found) if found else None
