"""A ledger that has woken up, in words for reports: what waits until its systems have been read again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ledger import life

if TYPE_CHECKING:
    from sqlalchemy import Engine


class Woken(BaseModel):
    """``since``: when it was noticed. ``restored``: nothing is delivered or healed until all ``unread`` systems have
    been read, and where systems are ``telling_once``, until a person says that the ledger has caught up. Otherwise the
    server was started, and only corrections of what ``unread`` systems have told of wait.
    """

    model_config = ConfigDict(frozen=True)

    since: datetime
    restored: bool
    unread: tuple[str, ...]
    telling_once: tuple[str, ...]


def woken(engine: Engine) -> Woken | None:
    """``None`` while nothing waits."""
    found = life.standing(engine)
    if found is None:
        return None
    return Woken(
        since=found.since,
        restored=found.is_behind,
        unread=tuple(found.unread),
        telling_once=tuple(found.telling_once),
    )
