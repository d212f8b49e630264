"""What a person makes due again: a target's dead, or what changed in some span of time. The next push sends it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from connectors.catalog_models import InDoubt
from ledger import again
from ledger.delivery import expand_feed
from schemas.identifiers import dossier_short
from sync.errors import SyncError
from sync.woken import woken

if TYPE_CHECKING:
    from connectors.catalog_models import TargetEntry
    from sync.context import Context


class RepeatRefused(SyncError):
    """The target would count what it is told again as new, or knows it better than we do."""


def dead(context: Context, target: str | None) -> list[again.DeadGroup]:
    """What one target, or any, does not get, by agency and reason. Raises ``CatalogError`` for an unknown target."""
    name = context.catalog.target(target).system if target else None
    return again.dead_groups(context.engine, name)


def resend(context: Context, target: str, *, by: str, codes: Sequence[str] = (), reason: str | None = None) -> int:
    """Make dead deliveries due again: of these dossiers (codes in either form), for this reason, or all; how many.

    ``by``: the person who does it."""
    name = context.catalog.target(target).system
    short = [_short(code) for code in codes]
    return again.resend_dead(context.engine, name, by=by, codes=short or None, reason=reason)


def replay(
    context: Context, target: str, *, by: str, start: datetime, end: datetime, force: bool = False
) -> again.Replayed:
    """Make what changed its state in [``start``, ``end``) due again, acknowledged or not, behind all news.

    The newest record and the last step of each dossier are sent, whatever was sent before. Raises ``RepeatRefused`` for
    a target that can neither recognise a repetition nor be asked, unless ``force``; and while a restored ledger has
    not caught up.
    """
    entry = context.catalog.target(target)
    if not force and not _may_repeat(entry):
        raise RepeatRefused(
            f"{target} cannot recognise what it was told before: a replay would be counted twice, and nobody could "
            "take it back.",
            next_step=f"Compare with `hosync reconcile {target}` first. If {target} has really lost these events, "
            "say so: --force.",
        )
    while expand_feed(context.engine, target):
        pass
    found = woken(context.engine)
    if found and found.restored:
        raise RepeatRefused(
            f"The ledger was restored from a backup: what {target} was told since may be newer than what it would get.",
            next_step="Run `hosync status`: it says what must be read first.",
        )
    return again.replay(context.engine, target, by=by, start=start, end=end)


def _may_repeat(entry: TargetEntry) -> bool:
    operations = (entry.operations.dossier, entry.operations.step)
    once = (InDoubt.GIVE_UP, InDoubt.RISK_DOUBLE)
    return all(each is None or each.in_doubt not in once for each in operations)


def _short(code: str) -> str:
    try:
        return dossier_short(code)
    except ValueError:
        return code
