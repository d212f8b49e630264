"""Moments as systems write them: from text to aware ``datetime`` and back.

Formats use the directives of ``strptime`` that have a fixed width (``%d %m %Y %H %M %S``), ``%f`` (1 to 9 digits of a
fraction; more than microseconds are cut), ``%z`` (``Z``, ``+07:00`` or ``+0700``), or the word ``iso``.
Nothing is guessed: text that does not fit a declared format is an error, and never silently nothing.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from mappings.errors import ConversionError

Parser = Callable[[str], datetime | None]

_DIRECTIVES = {
    "Y": r"(?P<year>\d{4})",
    "m": r"(?P<month>\d{2})",
    "d": r"(?P<day>\d{2})",
    "H": r"(?P<hour>\d{2})",
    "M": r"(?P<minute>\d{2})",
    "S": r"(?P<second>\d{2})",
    "f": r"(?P<fraction>\d{1,9})",
    "z": r"(?P<zone>Z|[+-]\d{2}:?\d{2})",
}
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_ISO_SPELLINGS = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S.%f")
_FIXED = re.compile(r"^[^%]*(?:%[YmdHMS][^%]*)+$")
_SLICES = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_WRITTEN = {
    "%Y": ("%s", "moment.year"),
    **{
        f"%{letter}": ("%s", f"two[moment.{part}]")
        for letter, part in {"m": "month", "d": "day", "H": "hour", "M": "minute", "S": "second"}.items()
    },
    "%3f": ("%03d", "moment.microsecond // 1000"),
}
_TWO_DIGITS = tuple(f"{number:02d}" for number in range(60))


def reader(
    formats: Sequence[str], *, zone: tzinfo, z_means: Literal["utc", "local"] = "utc"
) -> Callable[[str], datetime]:
    """A function from text to an aware moment.

    ``zone`` is what a moment without offset means. ``z_means="local"`` is for systems that put a ``Z`` after local
    time. ``24:00:00`` is the next day's midnight, as ISO 8601 and XML Schema have it.
    """
    z_zone = zone if z_means == "local" else UTC
    first, *rest = [_parser(written, zone, z_zone) for written in formats]

    def parse(text: str) -> datetime:
        found = first(text)
        if found is not None:
            return found
        for other in rest:
            found = other(text)
            if found is not None:
                return found
        raise ConversionError("datetime", "the text is not a date and time in a declared format")

    return parse


def writer(written: str, *, zone: tzinfo) -> Callable[[datetime], str]:
    """A function from a moment to text in ``zone``; ``%3f`` writes milliseconds."""
    assemble = _assembler(written)
    if assemble is not None:
        return lambda moment: assemble(moment.astimezone(zone))
    before, milliseconds, after = written.partition("%3f")

    def write(moment: datetime) -> str:
        local = moment.astimezone(zone)
        if not milliseconds:
            return local.strftime(before)
        return f"{local.strftime(before)}{local.microsecond // 1000:03d}{local.strftime(after)}"

    return write


def _assembler(written: str) -> Callable[[datetime], str] | None:
    """The same as ``strftime``, several times faster; ``None`` when the format holds more than plain numbers."""
    template, values = "", []
    for part in re.findall(r"%3f|%.?|[^%]+", written, re.DOTALL):
        if not part.startswith("%"):
            template += part
        elif part in _WRITTEN:
            place, value = _WRITTEN[part]
            template += place
            values.append(value)
        else:
            return None
    # The source holds nothing but the expressions above and the format's literals, written by repr().
    source = f"lambda moment: {template!r} % ({''.join(f'{value}, ' for value in values)})"
    assemble: Callable[[datetime], str] = eval(source, {"two": _TWO_DIGITS})
    return assemble


def check_format(written: str) -> str:
    """The format itself when it can be read; ``ValueError`` says what is wrong with it."""
    if written != "iso":
        seen = re.findall(r"%(.)", written)
        for directive in seen:
            if directive not in _DIRECTIVES:
                raise ValueError(f"%{directive} is not supported; use %d %m %Y %H %M %S %f %z, or the word iso")
        if len(set(seen)) != len(seen) or not {"Y", "m", "d"} <= set(seen):
            raise ValueError("a format needs %Y, %m and %d, and nothing twice")
    return written


def _parser(written: str, zone: tzinfo, z_zone: tzinfo) -> Parser:
    if written == "iso":
        return _iso_parser(zone, z_zone)
    general = _general_parser(written, zone, z_zone)
    is_fixed = written.isascii() and _FIXED.match(written) is not None
    return _fixed_parser(written, zone, general) if is_fixed else general


def _general_parser(written: str, zone: tzinfo, z_zone: tzinfo) -> Parser:
    pattern = re.compile(
        "".join(
            _DIRECTIVES[part[1]] if part.startswith("%") else re.escape(part)
            for part in re.findall(r"%.|[^%]+", written)
        ),
        re.ASCII,
    )

    def parse(text: str) -> datetime | None:
        match = pattern.fullmatch(text)
        if match is None:
            return None
        parts = match.groupdict(default="0")
        hour = int(parts.get("hour", "0"))
        rest = (parts.get("minute", "0"), parts.get("second", "0"), parts.get("fraction", "0"))
        midnight = hour == 24 and not any(part.strip("0") for part in rest)
        try:
            moment = datetime(
                int(parts["year"]),
                int(parts["month"]),
                int(parts["day"]),
                0 if midnight else hour,
                int(rest[0]),
                int(rest[1]),
                int(rest[2].ljust(6, "0")[:6]),
                tzinfo=_zone(match.groupdict().get("zone"), zone, z_zone),
            )
            return moment + timedelta(days=1) if midnight else moment
        except (ValueError, OverflowError) as error:
            raise ConversionError("datetime", "there is no such date or time") from error

    return parse


def _zone(offset: str | None, zone: tzinfo, z_zone: tzinfo) -> tzinfo:
    if offset is None:
        return zone
    if offset == "Z":
        return z_zone
    found = datetime.strptime(offset, "%z").tzinfo
    return found if found is not None else zone


def _iso_parser(zone: tzinfo, z_zone: tzinfo) -> Parser:
    spellings = [_general_parser(spelling, zone, z_zone) for spelling in _ISO_SPELLINGS]
    is_iso, parse_iso = _ISO.fullmatch, datetime.fromisoformat

    def parse(text: str) -> datetime | None:
        if is_iso(text) is None:
            return None
        try:
            moment = parse_iso(text)
        except ValueError:  # 24:00:00, or no such day
            return next((found for general in spellings if (found := general(text)) is not None), None)
        if text[-1] == "Z":
            return moment.replace(tzinfo=z_zone)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)

    return parse


def _fixed_parser(written: str, zone: tzinfo, general: Parser) -> Parser:
    """The same as ``general``, several times faster where every part has its place.

    Rearranges the text to ISO order with slices and lets C do the rest. Whatever is unusual (a bad digit, 24:00:00)
    goes to ``general``, which decides.
    """
    places: dict[str, str] = {}
    checks: list[str] = []
    position = 0
    for part in re.findall(r"%.|[^%]", written):
        if part.startswith("%"):
            width = _SLICES[part[1]]
            places[part[1]] = f"s[{position}:{position + width}]"
            position += width
        else:
            checks.append(f"s[{position}] == {part!r}")
            position += 1
    pieces = [f"{{{places[name]}}}" if name in places else "00" for name in "YmdHMS"]
    iso = "{}-{}-{}T{}:{}:{}".format(*pieces)
    condition = " and ".join([f"len(s) == {position}", *checks])
    # The source holds nothing but slice numbers and the literals of the format, each written by repr().
    assemble: Callable[[str], str | None] = eval(f"lambda s: f'{iso}' if {condition} else None", {})
    parse_iso = datetime.fromisoformat

    def parse(text: str) -> datetime | None:
        ordered = assemble(text)
        if ordered is None:
            return None
        try:
            return parse_iso(ordered).replace(tzinfo=zone)
        except ValueError:
            return general(text)

    return parse
