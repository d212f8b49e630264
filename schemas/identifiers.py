"""Identifiers that people and machines write in several ways, brought to one form each.

Every function takes text, returns the canonical text, and raises ``ValueError`` with a sentence that says what is
wrong; the value itself is never repeated for identifiers of persons.

Agencies have two written forms: the older one of four dot-separated groups read from the right
(``000.00.12.H12``) and the newer one read from the left (``H12.12``). The canonical form is the newer, short one.
Dossier codes begin with an agency code and so have two forms too.
"""

import re
import unicodedata
from functools import lru_cache

from stdnum.exceptions import ValidationError
from stdnum.vn import mst

_AGENCY_LONG = re.compile(r"^(\d{3})\.(\d{2})\.(\d{2,3})\.([A-Z]\d{2})$", re.ASCII)
_AGENCY_SHORT = re.compile(r"^[A-Z]\d{2}(?:\.[0-9A-Za-z]+)*$", re.ASCII)
_PROCEDURE = re.compile(r"^(\d\.\d{6})(?:\.[0-9A-Za-z.]+)?$", re.ASCII)
_LOCAL_PROCEDURE = re.compile(r"^[A-Za-z][0-9A-Za-z_.\-]{1,63}$", re.ASCII)
_DOSSIER = re.compile(r"^[0-9A-Z][0-9A-Za-z.\-/]{3,63}$", re.ASCII)
_MAX_AGENCY = 35
_GROUP_WIDTHS = (2, 2, 3)  # nearest to the root first; a province with more than 99 communes writes three digits there

_remembered = lru_cache(maxsize=4096)  # some hundred agencies and some thousand procedures: every message names them


def _clean(value: str, what: str) -> str:
    text = (value if value.isascii() else unicodedata.normalize("NFC", value)).strip()
    if not text:
        raise ValueError(f"{what} is empty")
    return text


@_remembered
def agency_short(value: str) -> str:
    """The short form of an agency code: ``000.00.12.H12`` and ``H12.12`` both give ``H12.12``."""
    text = _clean(value, "the agency code")
    long_form = _AGENCY_LONG.match(text)
    if long_form:
        *groups, root = long_form.groups()
        while groups and not groups[0].strip("0"):  # levels below the agency are written as zeros
            groups = groups[1:]
        return ".".join([root, *reversed(groups)])
    if len(text) <= _MAX_AGENCY and _AGENCY_SHORT.match(text):
        return text
    raise ValueError("the agency code must look like H12.12 or 000.00.12.H12")


@_remembered
def agency_long(value: str) -> str:
    """The four-group form: ``H12.12`` gives ``000.00.12.H12``.

    A short code that four fixed-width groups can't hold so that it comes back as it was (deeper, with letters, or
    written without leading zeros) has no long form and is returned as it is: inventing one would name another agency.
    """
    short = agency_short(value)
    root, *parts = short.split(".")
    if len(parts) > len(_GROUP_WIDTHS) or not all(part.isdigit() for part in parts):
        return short
    padded = [*parts, *[""] * (len(_GROUP_WIDTHS) - len(parts))]
    groups = [part.rjust(width, "0") for part, width in zip(padded, _GROUP_WIDTHS, strict=True)]
    long_form = ".".join([*reversed(groups), root])
    return long_form if _AGENCY_LONG.match(long_form) and agency_short(long_form) == short else short


def dossier_short(value: str) -> str:
    """The canonical dossier code: the agency part in short form, the rest untouched.

    Codes that do not begin with an agency code (sector systems have their own) are kept as they are.
    """
    text = _dossier(value)
    agency, dash, rest = text.partition("-")
    return f"{_prefix_short(agency)}-{rest}" if dash else text


def dossier_long(value: str) -> str:
    """The dossier code with its agency part in the four-group form, where it has one."""
    text = _dossier(value)
    agency, dash, rest = text.partition("-")
    return f"{_prefix_long(agency)}-{rest}" if dash else text


def _dossier(value: str) -> str:
    text = _clean(value, "the dossier code")
    if not _DOSSIER.match(text):
        raise ValueError("the dossier code may hold letters, digits, '.', '-' and '/', 4 to 64 of them")
    return text


@_remembered
def _prefix_short(prefix: str) -> str:
    return agency_short(prefix) if _AGENCY_LONG.match(prefix) else prefix


@_remembered
def _prefix_long(prefix: str) -> str:
    short = _prefix_short(prefix)
    return agency_long(short) if _AGENCY_SHORT.match(short) else short


@_remembered
def procedure_code(value: str) -> str:
    """A procedure code: national (``1.001612``), with an agency suffix, or a local one that begins with a letter."""
    text = _clean(value, "the procedure code")
    if _PROCEDURE.match(text) or _LOCAL_PROCEDURE.match(text):
        return text
    raise ValueError("the procedure code must look like 1.001612, alone or followed by an agency code")


def procedure_stem(value: str) -> str:
    """The eight characters by which procedures are matched across systems; a local code is its own stem."""
    code = procedure_code(value)
    national = _PROCEDURE.match(code)
    return national.group(1) if national else code


def citizen_id(value: str) -> str:
    """A 12-digit personal identification number. It has no check digit, so only its shape can be wrong."""
    text = _clean(value, "the citizen id")
    if not (len(text) == 12 and text.isascii() and text.isdigit()):
        raise ValueError("the citizen id must have 12 digits")
    return text


def tax_code(value: str) -> str:
    """A tax code, verified by its check digit: 10 digits, or 13 for a branch, or a 12-digit personal id.

    Individuals and household businesses use their personal id as tax code since 2025-07-01.
    """
    text = _clean(value, "the tax code")
    compact = text.replace("-", "").replace(" ", "")
    if len(compact) == 12:
        return citizen_id(compact)
    try:
        return str(mst.format(mst.validate(compact)))
    except ValidationError as error:
        raise ValueError("the tax code must have 10 digits (or 13 with a branch) and a right check digit") from error
