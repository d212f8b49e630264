"""What an inbound source needs of the place where calls wait. The use cases hand it one that is made of the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class StoredCall(Protocol):
    """One call that was stored. ``position`` orders the calls of a system; ``body`` is a JSON object, as it came."""

    @property
    def position(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @property
    def received_at(self) -> datetime: ...

    @property
    def body(self) -> bytes: ...


class Inbox(Protocol):
    """The calls of one system, and which dossiers it was told about."""

    def after(self, position: int, limit: int) -> Sequence[StoredCall]:
        """The next calls behind ``position``; 0 is before the first. None is ever added below those given."""
        ...

    def received(self, start: datetime, end: datetime, *, position: int, limit: int) -> Sequence[StoredCall]:
        """The next calls behind ``position`` that came in that time, as far as they are kept."""
        ...

    def forget(self, before: datetime) -> int:
        """Drop older calls, unless they have not been pulled yet."""
        ...

    def to_announce(self, codes: Sequence[str]) -> Sequence[str]:
        """Those of the dossiers that the system should be told about now."""
        ...

    def note_announced(self, code: str, *, accepted: bool) -> None:
        """The system was told about this dossier, and took it or refused it."""
        ...
