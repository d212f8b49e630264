"""What the owner of a system handed over, as a ``Sketch``: an OpenAPI document, a WSDL, an answer, a file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml

from sync.drafting import guesses, openapi
from sync.drafting.asking import at
from sync.drafting.sketch import Sketch, list_of_objects, values
from sync.errors import SyncError

_PLAIN_NAME = re.compile(r"^[A-Za-z][\w-]*$", re.ASCII)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_MOST_BYTES = 20 << 20


def read(path: Path, *, operation: str | None, url_path: str | None) -> Sketch:
    """Read ``path`` whatever it is. ``operation`` chooses in a document with several lists; ``url_path`` is where a
    sample answer came from. Raises ``SyncError`` when nothing can be made of it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SyncError(f"{path} cannot be read: {error.strerror}.", next_step="Give another file.") from None
    if len(content) > _MOST_BYTES:
        raise SyncError(f"{path} is larger than 20 MB.", next_step="Cut a sample of some records out of it.")
    if _HTML.match(content.removeprefix(b"\xef\xbb\xbf")[:4096]):
        raise SyncError(
            f"{path} is HTML, perhaps a login page or an error page.",
            next_step="Open its address in a browser to see what it says, and get the document itself.",
        )
    if path.suffix.lower() == ".csv":
        return _table(path, content)
    if path.suffix.lower() in (".wsdl", ".xml") or content.lstrip()[:1] == b"<":
        from sync.drafting import wsdl  # zeep takes a while to load

        return wsdl.read(path, operation)
    document = _document(path, content)
    if isinstance(document, Mapping) and ("openapi" in document or "swagger" in document):
        return openapi.read(document, operation)
    return _answer(path, document, url_path)


def _document(path: Path, content: bytes) -> Any:
    try:
        return orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        pass
    try:
        found = yaml.load(content.decode("utf-8-sig"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    if isinstance(found, dict | list):
        return found
    raise SyncError(
        f"{path} is neither JSON nor YAML nor XML.",
        next_step="Give an OpenAPI document, a WSDL, a sample answer (.json) or a sample file (.csv).",
    )


def _answer(path: Path, document: Any, url_path: str | None) -> Sketch:
    lists = list(list_of_objects(document))
    if not lists:
        raise SyncError(
            f"{path} holds no list of records.", next_step="Give an answer that holds at least one dossier in a list."
        )
    where, records = max(lists, key=lambda each: len(guesses.fields(values(each[1]))))
    answer: dict[str, Any] = {"records": where, **at(guesses.fields(values(records)))}
    request = {"method": "GET", "path": url_path or "/"}
    options = {"auth": {"kind": "none"}, "request": request, "paging": {"kind": "none"}, "answer": answer}
    return Sketch(protocol="rest", style="snapshot", records=records, options=options)


def _table(path: Path, content: bytes) -> Sketch:
    for encoding in ("utf-8-sig", "windows-1258"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        break
    else:
        raise SyncError(f"{path} is not UTF-8.", next_step="Save the sample as UTF-8; name the encoding in the entry.")
    try:
        dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    reader = csv.DictReader(io.StringIO(text), dialect=dialect)
    columns = {_column(header): header for header in reader.fieldnames or ()}
    rows = [{name: row[header] for name, header in columns.items()} for row in reader]
    if not rows:
        raise SyncError(f"{path} has no row below its header.", next_step="Give a file with at least one dossier.")
    written: dict[str, Any] = {"kind": "csv", "encoding": encoding.removesuffix("-sig"), "delimiter": dialect.delimiter}
    feed = {"pattern": f"*{path.suffix}", "format": written, "columns": columns}
    return Sketch(protocol="files", style="queue", records=rows, options={"feeds": [feed]})


def _column(header: str) -> str:
    """What a column is called in records: its heading when that is a plain name, else its letters and digits."""
    return header if _PLAIN_NAME.match(header) else guesses.plain(header) or "cot"
