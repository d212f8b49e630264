"""Kinds of text that options are made of."""

import re
from typing import Annotated

from pydantic import AfterValidator

_XROAD_PART = re.compile(r"^[A-Za-z0-9'()+,\-.=?]+$")
_VALUE_PATH = re.compile(r"^[^\W\d][\w-]*(?:\.[^\W\d][\w-]*)*$")


def _url_path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("a path begins with '/'; host and port belong in the connection")
    return value


def _value_path(value: str) -> str:
    if value and not _VALUE_PATH.match(value):
        raise ValueError("a path into the answer is plain names with dots between: data.items")
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

XRoadClient = Annotated[str, _xroad_identifier(4)]
"""``INSTANCE/CLASS/CODE/SUBSYSTEM``"""

XRoadService = Annotated[str, _xroad_identifier(5, 6)]
"""``INSTANCE/CLASS/CODE/SUBSYSTEM/SERVICE`` and perhaps ``/VERSION``."""
