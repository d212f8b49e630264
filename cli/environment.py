"""Lets the commands work beside a running `hosync up` without any setting: its home says where everything is."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def home_folder() -> Path:
    """HOSYNC_HOME, or ``.hosync`` here, or ``.hosync`` in the project's folder."""
    if named := os.environ.get("HOSYNC_HOME"):
        return Path(named)
    here = Path(".hosync")
    return here if here.exists() or not (REPOSITORY / ".hosync").exists() else REPOSITORY / ".hosync"


def person() -> str:
    """Who gives a command: HOSYNC_PERSON where a shared account does it for somebody, else the account's name."""
    if named := os.environ.get("HOSYNC_PERSON"):
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers run under numbers without a name
        return f"uid {os.getuid()}"


def load_home() -> None:
    """Take what the environment does not say from the home's files.

    A set HOSYNC_DATABASE_URL means that this machine is configured by hand: then nothing is taken from a home.
    """
    if os.environ.get("HOSYNC_DATABASE_URL"):
        return
    for name in ("secrets.env", "connections.env"):
        try:
            lines = (home_folder() / name).read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            key, found, value = line.partition("=")
            if found and not key.startswith(("#", "AIRFLOW__")):
                os.environ.setdefault(key, value)
