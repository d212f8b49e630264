"""Reading text by the simple types of XML Schema: strictly, so that nothing unreadable passes for nothing.

A reader takes the text of an element and gives its value, or raises ``ValueError``. Integers become integers and
booleans booleans. Moments, dates and decimals stay text, blanks around them removed: the source's own writing is kept
(a seventh fraction digit, 24:00:00, a ``Z`` that may not mean UTC), and only its form is checked.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from zeep.xsd.types import builtins

Read = Callable[[str], Any]

_BLANKS = " \t\r\n"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?INF|NaN")
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"
_DATE = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){_ZONE}")
_MOMENT = re.compile(
    rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})T(?:24:00:00(?:\.0+)?|([0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}})(?:\.[0-9]+)?){_ZONE}"
)
_TIME = re.compile(
    rf"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?|24:00:00(?:\.0+)?){_ZONE}",
)
_COMMON_ZONES = ("", "Z", "+07:00", "+00:00")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.strip(_BLANKS))
    if value is None:
        raise ValueError("not a boolean")
    return value


def _moment(text: str) -> str:
    # Most are of these forms, and a listing has many: this is three times as fast as the pattern below.
    if text[4:17:3] == "--T::" and text[19:] in _COMMON_ZONES and text[11:13] != "24":
        datetime.fromisoformat(text[:19])
        return text
    text = text.strip(_BLANKS)
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError("not a moment")
    day, time = match.groups()
    # The calendar is Python's: a thirtieth of February raises ValueError, and so do hour 25 and the year 0000.
    datetime.fromisoformat(day if time is None else f"{day}T{time}")
    return text


def _date(text: str) -> str:
    if len(text) == 10 and text[4:8:3] == "--":
        date.fromisoformat(text)
        return text
    text = text.strip(_BLANKS)
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError("not a date")
    date.fromisoformat(match[1])
    return text


def _decimal(text: str) -> str:
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return text
    return str(_any_decimal(text))


def _formed(pattern: re.Pattern[str]) -> Read:
    def read(text: str) -> str:
        text = text.strip(_BLANKS)
        if pattern.fullmatch(text) is None:
            raise ValueError("not of the type's form")
        return text

    return read


_any_decimal = _formed(_DECIMAL)


def _whole(low: int | None, high: int | None) -> Read:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            text = text.strip(_BLANKS)
            if _INTEGER.fullmatch(text) is None:
                raise ValueError("not a whole number")
        if len(text) > 64:  # nothing counts in hundreds of digits, and Python would be slow to read them
            raise ValueError("not a whole number that anybody needs")
        value = int(text)
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError("outside the type's range")
        return value

    return read


def _stripped(text: str) -> str:
    return text.strip(_BLANKS)


_READERS: Mapping[type, tuple[str, Read]] = MappingProxyType(
    {
        builtins.Boolean: ("boolean", _boolean),
        builtins.DateTime: ("dateTime", _moment),
        builtins.Date: ("date", _date),
        builtins.Time: ("time", _formed(_TIME)),
        builtins.Float: ("float", _formed(_FLOAT)),
        builtins.Double: ("double", _formed(_FLOAT)),
        builtins.Decimal: ("decimal", _decimal),
        builtins.Integer: ("integer", _whole(None, None)),
        builtins.NonPositiveInteger: ("nonPositiveInteger", _whole(None, 0)),
        builtins.NegativeInteger: ("negativeInteger", _whole(None, -1)),
        builtins.NonNegativeInteger: ("nonNegativeInteger", _whole(0, None)),
        builtins.PositiveInteger: ("positiveInteger", _whole(1, None)),
        builtins.Long: ("long", _whole(-(2**63), 2**63 - 1)),
        builtins.Int: ("int", _whole(-(2**31), 2**31 - 1)),
        builtins.Short: ("short", _whole(-(2**15), 2**15 - 1)),
        builtins.Byte: ("byte", _whole(-(2**7), 2**7 - 1)),
        builtins.UnsignedLong: ("unsignedLong", _whole(0, 2**64 - 1)),
        builtins.UnsignedInt: ("unsignedInt", _whole(0, 2**32 - 1)),
        builtins.UnsignedShort: ("unsignedShort", _whole(0, 2**16 - 1)),
        builtins.UnsignedByte: ("unsignedByte", _whole(0, 2**8 - 1)),
        builtins.Token: ("token", _stripped),
        builtins.Base64Binary: ("base64Binary", _stripped),
    }
)


def reader(kind: Any) -> tuple[str, Read | None]:
    """The name and the reader of a simple type of zeep, by its nearest ancestor; no reader where any text will do."""
    for ancestor in type(kind).__mro__:
        if ancestor in _READERS:
            return _READERS[ancestor]
    return "text", None
