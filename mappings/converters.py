"""The converters a mapping may name with ``as:``, for reading sources and for writing targets.

A converter is built once from its options and is then a plain function from a native value to a canonical one. It is
never called with ``None``; it returns ``None`` for a value that holds nothing (blank text), and raises
:class:`ConversionError` for one it cannot read. It never guesses and never repeats the value.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeGuard
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mappings import datetimes
from mappings.errors import ConversionError
from schemas import identifiers
from schemas.codes import IdentityKind
from schemas.times import VN

Convert = Callable[[Any], Any]


class Options(BaseModel):
    """Options of a converter; most have none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Converter:
    """A named converter: its options and how to build the function."""

    name: str
    options: type[Options]
    build: Callable[[Any], Convert]
    summary: str


REGISTRY: dict[str, Converter] = {}


def _with_options(name: str, options: type[Options]) -> Callable[[Callable[[Any], Convert]], None]:
    """Registers a function that builds the converter from its options."""

    def add(build: Callable[[Any], Convert]) -> None:
        summary = (build.__doc__ or "").strip().splitlines()[0]
        REGISTRY[name] = Converter(name=name, options=options, build=build, summary=summary)

    return add


def _plain(name: str) -> Callable[[Convert], None]:
    """Registers a converter that has no options."""

    def add(convert: Convert) -> None:
        summary = (convert.__doc__ or "").strip().splitlines()[0]
        REGISTRY[name] = Converter(name=name, options=Options, build=lambda _: convert, summary=summary)

    return add


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("no such time zone; use a name like Asia/Ho_Chi_Minh") from error
    return name


Zone = Annotated[str, AfterValidator(_zone)]
Format = Annotated[str, AfterValidator(datetimes.check_format)]
OneOrMore = BeforeValidator(
    lambda value: value if isinstance(value, list) else [value], json_schema_input_type=str | int | list[str | int]
)

# --- text -----------------------------------------------------------------------------------------------------------

_ZERO_WIDTH = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\u0085]")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# What Vietnamese text looks like after its UTF-8 bytes were read as Windows-1252; no Vietnamese word holds these.
_DOUBLE_ENCODED = ("áº", "á»", "Ä‘", "Æ°")


def clean_text(value: Any) -> str | None:
    """Text in NFC, trimmed, with ordinary spaces; ``None`` when nothing is left."""
    if value.__class__ is not str:
        raise ConversionError("text", "the value is not text")
    text: str = value
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        first, second, third, fourth = _DOUBLE_ENCODED
        if first in text or second in text or third in text or fourth in text:
            raise ConversionError("encoding", "the text was encoded twice: UTF-8 read as Windows-1252")
        if "\ufffd" in text:
            raise ConversionError("encoding", "the text holds the mark that replaces unreadable bytes (U+FFFD)")
    if not text.isprintable():
        text = _clean_unprintable(text)
    return text.strip() or None


def _clean_unprintable(text: str) -> str:
    text = _SPACES.sub(" ", _LINE_ENDS.sub("\n", text).translate(_ZERO_WIDTH))
    for char in text:
        # Unassigned and private letters stay: some old fonts use them, and PostgreSQL stores them.
        if not char.isprintable() and char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cs", "Cf"):
            raise ConversionError("control-character", "the text holds control characters or half a letter")
    # A letter and its mark may have met only now that what stood between them is gone.
    return unicodedata.normalize("NFC", text)


def _is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number, members of an ``IntEnum`` included, ``True`` not."""
    return isinstance(value, int) and not isinstance(value, bool)


class TextOptions(Options):
    """``max_length``: longer text is cut and ends with an ellipsis."""

    max_length: Annotated[int, Field(ge=2)] | None = None


@_with_options("text", TextOptions)
def _text(options: TextOptions) -> Convert:
    """Text in NFC, trimmed; control characters and broken encodings are problems."""
    longest = options.max_length
    if longest is None:
        return clean_text

    def convert(value: object) -> str | None:
        text = clean_text(value)
        return f"{text[: longest - 1].rstrip()}…" if text is not None and len(text) > longest else text

    return convert


@_plain("code")
def _code(value: object) -> str | None:
    """A code as text, from text or from a whole number; leading zeros stay."""
    return str(int(value)) if _is_whole(value) else clean_text(value)


@_plain("as_is")
def _as_is(value: object) -> object:
    """The value unchanged, whatever it is."""
    return value


# --- identifiers ----------------------------------------------------------------------------------------------------


def _identifier(value: object, canonical: Callable[[str], str]) -> str | None:
    text = clean_text(value)
    if text is None:
        return None
    if not text.isascii():
        raise ConversionError("identifier", "the code holds letters or digits that are not ASCII")
    try:
        return canonical(text)
    except ValueError as error:
        raise ConversionError("identifier", str(error)) from None


@_plain("dossier_code")
def _dossier_code(value: object) -> str | None:
    """A dossier code with the agency in its short form: H12.12-250812-0001."""
    return _identifier(value, identifiers.dossier_short)


@_plain("dossier_code_long")
def _dossier_code_long(value: object) -> str | None:
    """A dossier code with the agency in its four-group form: 000.00.12.H12-250812-0001."""
    return _identifier(value, identifiers.dossier_long)


@_plain("agency_code")
def _agency_code(value: object) -> str | None:
    """An agency code in its short form: H12.12."""
    return _identifier(value, identifiers.agency_short)


@_plain("agency_code_long")
def _agency_code_long(value: object) -> str | None:
    """An agency code in its four-group form: 000.00.12.H12."""
    return _identifier(value, identifiers.agency_long)


@_plain("agency_root")
def _agency_root(value: object) -> str | None:
    """The first part of an agency code, which names the province or ministry: H12."""
    return _identifier(value, lambda text: identifiers.agency_short(text).partition(".")[0])


@_plain("procedure_code")
def _procedure_code(value: object) -> str | None:
    """A procedure code, national or local."""
    return _identifier(value, identifiers.procedure_code)


_PASSPORT = re.compile(r"^[A-Z]\d{7,8}$")


def _identity(value: object) -> tuple[str, IdentityKind | None] | None:
    text = clean_text(value)
    if text is None:
        return None
    compact = re.sub(r"[\s.\-]", "", text).upper()
    digits = compact.isascii() and compact.isdigit()
    if digits and len(compact) == 12:
        return compact, IdentityKind.CITIZEN_ID
    if digits and len(compact) == 9:
        return compact, IdentityKind.OLD_ID
    if digits and len(compact) in (10, 13):
        try:
            return identifiers.tax_code(compact), IdentityKind.TAX_CODE
        except ValueError:
            return compact, None
    return compact, IdentityKind.PASSPORT if _PASSPORT.match(compact) else None


@_plain("identity_number")
def _identity_number(value: object) -> str | None:
    """A person's or enterprise's number without spaces and dots, whatever kind it is."""
    found = _identity(value)
    return found[0] if found else None


@_plain("identity_kind")
def _identity_kind(value: object) -> int | None:
    """The kind of an identity number, told by its shape; nothing when the shape fits none."""
    found = _identity(value)
    return int(found[1]) if found and found[1] is not None else None


@_plain("phone")
def _phone(value: object) -> str | None:
    """A telephone number as digits with a leading zero; text that is no such number stays as it is."""
    text = clean_text(value)
    if text is None:
        return None
    compact = re.sub(r"[\s.()\-]", "", text)
    national = re.sub(r"^(?:\+84|0084)", "0", compact)
    return national if re.fullmatch(r"0\d{8,10}", national, re.ASCII) else text


# --- numbers, words, moments ----------------------------------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_INTEGER = re.compile(r"^[+-]?\d{1,18}$", re.ASCII)


@_plain("int")
def _int(value: object) -> int | None:
    """A whole number, from a number or from its digits."""
    if _is_whole(value):
        return int(value)
    text = clean_text(value)
    if text is None:
        return None
    if not _INTEGER.match(text):
        raise ConversionError("number", "the text is not a whole number")
    return int(text)


@_plain("str")
def _str(value: object) -> str:
    """The text of a number, or text unchanged."""
    if value.__class__ is int:  # almost always: the codes of the common schema
        return str(value)
    if isinstance(value, str):
        return value
    if _is_whole(value):
        return str(int(value))
    raise ConversionError("text", "the value is neither text nor a whole number")


class BoolOptions(Options):
    """Which words mean yes and which mean no; any other is a problem."""

    yes: Annotated[tuple[str | int, ...], OneOrMore] = ("true",)
    no: Annotated[tuple[str | int, ...], OneOrMore] = ("false",)


@_with_options("bool", BoolOptions)
def _bool(options: BoolOptions) -> Convert:
    """True or false, from the words (or numbers) listed under yes and no, or from a JSON boolean."""

    def convert(value: object) -> bool | None:
        if isinstance(value, bool):
            return value
        word = clean_text(value) if isinstance(value, str) else value
        if word is None:
            return None
        if word in options.yes:
            return True
        if word in options.no:
            return False
        raise ConversionError("boolean", "the value is not among the words listed under yes and no")

    return convert


class DatetimeOptions(Options):
    """How moments are written: ``format`` (one or several), ``zone`` of naive ones, and what a ``Z`` means."""

    format: Annotated[tuple[Format, ...], OneOrMore, Field(min_length=1)] = ("iso",)
    zone: Zone = VN.key
    z_means: Literal["utc", "local"] = "utc"


@_with_options("datetime", DatetimeOptions)
def _datetime(options: DatetimeOptions) -> Convert:
    """A moment with a zone; text that does not fit the format is a problem, never nothing."""
    parse = datetimes.reader(options.format, zone=ZoneInfo(options.zone), z_means=options.z_means)

    def convert(value: object) -> datetime | None:
        if value.__class__ is not str:
            raise ConversionError("datetime", "the value is not text")
        text = str(value)
        try:
            return parse(text)
        except ConversionError:
            stripped = text.strip()
            if not stripped:
                return None
            if stripped == text:
                raise
            return parse(stripped)

    return convert


class WireDatetimeOptions(Options):
    """``format`` as of strftime, with ``%3f`` for milliseconds; ``zone`` in which the target reads it."""

    format: str
    zone: Zone = VN.key


@_with_options("wire_datetime", WireDatetimeOptions)
def _wire_datetime(options: WireDatetimeOptions) -> Convert:
    """A moment as text for a target, in local time unless said otherwise."""
    write = datetimes.writer(options.format, zone=ZoneInfo(options.zone))

    def convert(value: object) -> str:
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ConversionError("datetime", "the value is not a moment with a zone")
        return write(value)

    return convert


@_plain("epoch_ms")
def _epoch_ms(value: object) -> int:
    """A moment as milliseconds since 1970, for a target."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ConversionError("datetime", "the value is not a moment with a zone")
    return (value - _EPOCH) // _MILLISECOND


@_plain("flag")
def _flag(value: object) -> str:
    """ "True" or "False" with a capital, as the national portal wants its booleans."""
    if not isinstance(value, bool):
        raise ConversionError("boolean", "the value is not a boolean")
    return "True" if value else "False"


@_plain("percent")
def _percent(value: object) -> str:
    """A percentage as text with its sign: 75 becomes "75%", 33.33 "33.33%"."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConversionError("number", "the value is not a number")
    return f"{round(value, 2):.10g}%"


@_plain("json_text")
def _json_text(value: object) -> str | None:
    """The value as JSON inside a text field; nothing for an empty object or list."""
    if isinstance(value, Mapping | list) and not value:
        return None
    return orjson.dumps(value).decode()
