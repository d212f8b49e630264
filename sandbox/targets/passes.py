"""Sessions and bearer tokens: given out after a log-in, good until they expire.

Kept in memory: a restart forgets them, and clients have to log in again, as after an outage of the real thing.
"""

from datetime import datetime, timedelta


class Passes:
    """The passes one server has given out. Times are passed in."""

    def __init__(self, lifetime: timedelta) -> None:
        self.lifetime = lifetime
        self._expiry: dict[str, datetime] = {}

    def admit(self, token: str, now: datetime) -> None:
        """Make ``token`` good from now for one lifetime; forget the expired ones."""
        self._expiry = {known: until for known, until in self._expiry.items() if until > now}
        self._expiry[token] = now + self.lifetime

    def is_good(self, token: str, now: datetime) -> bool:
        """Whether ``token`` was given out here and has not expired."""
        until = self._expiry.get(token)
        return until is not None and until > now

    def newest(self, now: datetime) -> tuple[str, timedelta] | None:
        """The good token that lives longest, and how long still; None when there is none."""
        good = [(until, token) for token, until in self._expiry.items() if until > now]
        if not good:
            return None
        until, token = max(good)
        return token, until - now

    def expire_all(self) -> None:
        """Every pass given out so far is worthless from now on."""
        self._expiry.clear()

    def __len__(self) -> int:
        return len(self._expiry)
