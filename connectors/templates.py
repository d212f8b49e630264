"""Texts with placeholders, as catalog entries use them: ``/dossiers/{id}``, ``{since:%d/%m/%Y}``.

Compiled once, filled in often. What may stand in the braces is listed in ``options/rest.py`` and ``options/soap.py``;
two braces (``{{``) write one. The start of a window is never written later than it is, its end never earlier: a format
that leaves out the seconds must not leave out the records of a minute.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from schemas.times import VN

TIMES = frozenset({"since", "until"})
PAGING = frozenset({"page", "offset", "end", "size", "cursor"})
DOSSIERS = frozenset({"ids", "id"})
MESSAGES = frozenset({"message", "job"})
SECRETS = frozenset({"login", "password", "session"})
EXTRA = "extra."

Lookup = Callable[[str], Any]
"""Gives the value of a placeholder by its name."""

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_EXTRA_NAME = re.compile(r"^extra\.[A-Za-z_][\w-]*$")
_GRANULES = (
    (("%f",), timedelta(microseconds=1)),
    (("%S", "%T", "%X", "%c", "%s"), timedelta(seconds=1)),
    (("%M", "%R"), timedelta(minutes=1)),
    (("%H", "%I"), timedelta(hours=1)),
    (("%",), timedelta(days=1)),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = timedelta(microseconds=1)


class TemplateError(ValueError):
    """A template that cannot be meant; the text says what may stand there."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One pair of braces: the name of the value, and how it is written."""

    name: str
    write: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled text."""

    parts: tuple[str | Placeholder, ...]

    @property
    def names(self) -> frozenset[str]:
        """The names of its placeholders."""
        return frozenset(part.name for part in self.parts if isinstance(part, Placeholder))

    def text(self, lookup: Lookup) -> str:
        """The text with everything filled in; lists with commas between."""
        return "".join(_filled(part, lookup) for part in self.parts)

    def path(self, lookup: Lookup) -> str:
        """The text as part of a URL: what is filled in is escaped, so that it never opens another path."""
        return "".join(part if isinstance(part, str) else quote(_filled(part, lookup), safe="") for part in self.parts)

    def value(self, lookup: Lookup) -> Any:
        """Like ``text``, but one placeholder and nothing else keeps the type of its value."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Placeholder):
            return self.parts[0].write(lookup(self.parts[0].name))
        return self.text(lookup)


@lru_cache(maxsize=1024)
def template(text: str) -> Template:
    """Compile ``text``; raises ``TemplateError``."""
    parts: list[str | Placeholder] = []
    end = 0
    for match in _TOKEN.finditer(text):
        parts.append(text[end : match.start()])
        token, inner, end = match.group(), match.group(1), match.end()
        if token in ("{{", "}}"):
            parts.append(token[0])
        elif inner is None:
            raise TemplateError(f"a brace stands alone in '{text}': write '{token}{token}' when it is meant as one")
        else:
            parts.append(_placeholder(inner))
    parts.append(text[end:])
    return Template(tuple(part for part in parts if part != ""))


def value_template(value: Any) -> Callable[[Lookup], Any]:
    """A JSON value whose texts are templates, compiled: a function that fills it in."""
    if isinstance(value, str):
        return template(value).value
    if isinstance(value, Mapping):
        fields = [(key, value_template(inner)) for key, inner in value.items()]
        return lambda lookup: {key: fill(lookup) for key, fill in fields}
    if isinstance(value, list | tuple):
        items = [value_template(inner) for inner in value]
        return lambda lookup: [fill(lookup) for fill in items]
    return lambda _: value


def names_in(value: Any) -> frozenset[str]:
    """The names of all placeholders in a JSON value; raises ``TemplateError``."""
    if isinstance(value, str):
        return template(value).names
    inner: Iterable[Any] = value.values() if isinstance(value, Mapping) else value
    return frozenset().union(*map(names_in, inner)) if isinstance(value, Mapping | list | tuple) else frozenset()


def _filled(part: str | Placeholder, lookup: Lookup) -> str:
    if isinstance(part, str):
        return part
    value = part.write(lookup(part.name))
    if isinstance(value, str):
        return value
    return ",".join(map(str, value)) if isinstance(value, Sequence) else str(value)


def _placeholder(inner: str) -> Placeholder:
    name, colon, form = inner.partition(":")
    if name in TIMES:
        return Placeholder(name, _time_writer(name, form, inner))
    known = TIMES | PAGING | DOSSIERS | MESSAGES | SECRETS
    if name not in known and not _EXTRA_NAME.match(name):
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean '{{{close[0]}}}'? " if close else ""
        raise TemplateError(f"'{{{inner}}}' is no placeholder. {hint}Known: {', '.join(sorted(known))}, extra.NAME")
    if colon:
        raise TemplateError(f"'{{{inner}}}': only {{since}} and {{until}} are written by a format")
    return Placeholder(name)


def _time_writer(name: str, form: str, inner: str) -> Callable[[datetime], Any]:
    modifiers = set()
    while (modifier := form.partition(":")[0]) in ("utc", "last"):
        modifiers.add(modifier)
        form = form.partition(":")[2]
    zone: tzinfo = UTC if "utc" in modifiers else VN
    last = "last" in modifiers
    if last and name == "since":
        raise TemplateError(f"'{{{inner}}}': 'last' is for {{until}}, whose end is not part of the window")
    if form in ("ms", "s"):
        granule = timedelta(milliseconds=1) if form == "ms" else timedelta(seconds=1)

        def write(moment: datetime) -> Any:
            return (moment - _EPOCH) // granule

    elif not form:
        granule = _MOMENT

        def write(moment: datetime) -> Any:
            return moment.astimezone(zone).isoformat()

    elif "%" in form:
        granule = _granule(form)

        def write(moment: datetime) -> Any:
            return moment.astimezone(zone).strftime(form)

    else:
        raise TemplateError(
            f"'{{{inner}}}': a time is written by a format such as %d/%m/%Y, by 'ms' or by 's', after 'utc:' in UTC"
        )
    if name == "since":
        return write
    if last:
        return lambda moment: write(moment - _MOMENT)
    return lambda moment: write(_rounded_up(moment.astimezone(zone), granule))


def _granule(form: str) -> timedelta:
    """The smallest step of time that a format can tell apart."""
    return next(granule for directives, granule in _GRANULES if any(directive in form for directive in directives))


def _rounded_up(moment: datetime, granule: timedelta) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + -(-(moment - midnight) // granule) * granule
