"""Kinds of text that options are made of."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from connectors.templates import names_in

_XROAD_PART = re.compile(r"^[A-Za-z0-9'()+,\-.=?]+$")
_CUT_PATH = re.compile(r"^(?:[\w-]+(?:\[\])?\.)*@?[\w-]+(?:\[\])?$")
_VALUE_PATH = re.compile(r"^[^\W\d][\w-]*(?:\.[^\W\d][\w-]*)*$")


def _url_path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("a path begins with '/'; host and port belong in the connection")
    return value


def _value_path(value: str) -> str:
    if value and not _VALUE_PATH.match(value):
        raise ValueError("a path into the answer is plain names with dots between: data.items")
    return value


def _cut_path(value: str) -> str:
    if not _CUT_PATH.match(value):
        raise ValueError("a path to cut is names with dots between: value[].ketQua.phieu")
    return value


def _templates(value: Any) -> Any:
    """Every text inside is a template that can be filled in; the names are checked where it is known what there is."""
    names_in(value)
    return value


def _time_format(value: str) -> str:
    if value not in ("iso", "ms", "s") and "%" not in value:
        raise ValueError("a time is written 'iso', 'ms', 's', or by a format such as %d/%m/%Y %H:%M:%S")
    return value


def _zone_name(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("a zone is named as in Asia/Ho_Chi_Minh, or UTC") from None
    return value


def _xroad_identifier(*parts: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value.split("/")) not in parts or not all(map(_XROAD_PART.match, value.split("/"))):
            raise ValueError("an X-Road identifier has its parts between slashes: INSTANCE/CLASS/CODE/SUBSYSTEM[/...]")
        return value

    return AfterValidator(check)


UrlPath = Annotated[str, AfterValidator(_url_path)]
"""Begins with ``/`` and is added to the connection's base URL."""

ValuePath = Annotated[str, AfterValidator(_value_path)]
"""Where something stands in an answer: names with dots between; empty: the answer itself."""

CutPath = Annotated[str, AfterValidator(_cut_path)]
"""Names with dots between, ``[]`` after the name of a list; for XML the last may be an ``@attribute``."""

XRoadClient = Annotated[str, _xroad_identifier(4)]
"""``INSTANCE/CLASS/CODE/SUBSYSTEM``"""

XRoadService = Annotated[str, _xroad_identifier(5, 6)]
"""``INSTANCE/CLASS/CODE/SUBSYSTEM/SERVICE`` and perhaps ``/VERSION``."""

Text = Annotated[str, AfterValidator(_templates)]
"""A template: see ``options/rest.py``."""

TextPath = Annotated[UrlPath, AfterValidator(_templates)]
"""A template that begins with ``/``."""

Parameter = Annotated[str | int, AfterValidator(_templates)]
"""A template, or a number as it is."""

TimeFormat = Annotated[str, AfterValidator(_time_format)]
"""How a time is written in an answer."""

ZoneName = Annotated[str, AfterValidator(_zone_name)]
"""A time zone of the tz database."""

JsonBody = Annotated[Any, AfterValidator(_templates)]
"""A JSON value; the texts inside are templates."""

JsonObject = Annotated[Mapping[str, Any], AfterValidator(_templates)]
"""A JSON object; the texts inside are templates."""
