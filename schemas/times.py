"""Times always carry a zone. A source that gives none means Vietnamese local time.

Vietnam keeps UTC+7 all year, so local wall time is never ambiguous.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

VN = ZoneInfo("Asia/Ho_Chi_Minh")


def with_zone(value: datetime, zone: ZoneInfo = VN) -> datetime:
    """Return ``value`` unchanged when it has a zone, else as wall time in ``zone``."""
    return value if value.tzinfo is not None else value.replace(tzinfo=zone)


def parse(text: str) -> datetime:
    """Read an ISO 8601 time; without an offset it is Vietnamese local time. Raises ``ValueError``."""
    return with_zone(datetime.fromisoformat(text))
