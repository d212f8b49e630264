"""How we call programs of our own environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_LOOPBACK = "127.0.0.1,localhost"


def program(name: str) -> list[str]:
    """The command line of a program that was installed beside our Python."""
    return [sys.executable, str(Path(sys.executable).parent / name)]


def python_environment() -> dict[str, str]:
    """What every Python process of ours should see: our own programs first, bytecode kept, output at once."""
    folder = str(Path(sys.executable).parent)
    beside_proxies = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), _LOOPBACK]))
    return {
        "NO_PROXY": beside_proxies,  # a proxy of the shell can't reach what we start here
        "no_proxy": beside_proxies,
        "PATH": os.pathsep.join([folder, os.environ.get("PATH", os.defpath)]),
        "PYTHONDONTWRITEBYTECODE": "",  # set, it would cost every Airflow process seconds at each start
        "PYTHONUNBUFFERED": "1",
    }


def python_module(name: str) -> list[str]:
    """The command line of a module that can be run."""
    return [sys.executable, "-m", name]
