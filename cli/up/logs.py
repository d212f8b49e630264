"""The last words of a component, fit to be shown: without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_TAIL_BYTES = 16_384
_LINES = 12
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@/\s]+@")
_NAMED_SECRET = re.compile(
    r"""(?i)(\w*(?:password|passwd|secret|token|api_?key|fernet_key)\w*["']?\s*[=:]\s*["']?)[^\s"',}]+"""
)


def last_words(log: Path, secrets: Iterable[str]) -> str:
    """The last lines of a log file; empty when there are none. Values of ``secrets`` are masked wherever they stand."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return masked("\n".join(lines[-_LINES:]), secrets)


def put_logs_aside(folder: Path) -> None:
    """Each start writes new logs; those of the start before are kept as ``*.log.1``."""
    for log in folder.glob("*.log"):
        log.replace(log.with_suffix(".log.1"))


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without these values and without what is named like a secret."""
    for secret in secrets:
        if len(secret) >= 6:
            text = text.replace(secret, "***")
    return _NAMED_SECRET.sub(r"\1***", _URL_PASSWORD.sub(r"\1***@", text))
