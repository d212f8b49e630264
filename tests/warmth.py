"""What a process does before it forks commands of `hosync`, so that none of them has to do it.

It opens no connection, starts no thread and reads no setting: each command finds the environment that it was given, and
can be killed like any other process.
"""

from __future__ import annotations

import gc
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from sqlalchemy import create_engine
from typer.main import get_command

import mappings
from cli.main import app
from connectors.catalog import FOLDER, load_catalog
from connectors.contract import contract_path, record_contract
from connectors.soap import operations

_ROOMS = ("cli", "sync", "ledger", "connectors", "mappings")
_LEFT_OUT = (".migrations.", ".__main__")
_LATER = (
    "typer.rich_utils",
    "typer._click.decorators",
    "alembic.command",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.lifespan.on",
)


def warm_up() -> Callable[..., Any]:
    """Import everything and build what the first use builds; gives `hosync` as a function."""
    for room in _ROOMS:
        package = importlib.import_module(room)
        for module in pkgutil.walk_packages(package.__path__, f"{room}."):
            if not any(part in module.name for part in _LEFT_OUT):
                importlib.import_module(module.name)
    for name in _LATER:
        importlib.import_module(name)
    catalog = load_catalog(FOLDER)
    for source in catalog.sources:
        mappings.load(source.mapping, mappings.Direction.SOURCE)
        if (path := contract_path(source)).suffix == ".wsdl":
            operations.load(path)
        else:
            record_contract(source)
    for target in catalog.targets:
        mappings.load(target.mapping, mappings.Direction.TARGET)
    create_engine("postgresql+psycopg://nobody@nowhere/nothing")
    command: Any = get_command(app)
    for one in (command, *command.commands.values()):
        for parameter in one.params:
            if hasattr(parameter, "get_runtime_param"):
                parameter.get_runtime_param()
    gc.freeze()
    return command
