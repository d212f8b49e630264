"""`hosync inbound`: the endpoint for systems that call us, served alone, for example in a DMZ."""

from __future__ import annotations

import logging

from cli.errors import ExitCode, UserError
from cli.output import Output
from cli.serving import listening
from connectors.catalog import load_catalog
from connectors.catalog_models import SourceProtocol
from sync.inbound_app import PREFIX, create_server_app

_KEEP_ALIVE_S = 60


def run(output: Output, *, host: str, port: int) -> ExitCode:
    """Serve until SIGTERM or Ctrl-C. Calls that are under way are answered first."""
    import uvicorn

    systems = [entry.system for entry in load_catalog().sources if entry.protocol is SourceProtocol.INBOUND]
    if not systems:
        raise UserError(
            "No system of the catalog calls us.",
            where="catalog",
            next_step="Write an entry with protocol 'inbound', or leave this command off.",
            code=ExitCode.USAGE,
        )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with listening(host, port) as listener:
        address = f"http://{host if ':' not in host else f'[{host}]'}:{listener.getsockname()[1]}{PREFIX}"
        output.out.print(
            output.texts("Taking calls of {systems} at {address}", systems=", ".join(systems), address=address),
            soft_wrap=True,
        )
        output.out.file.flush()
        config = uvicorn.Config(
            create_server_app(),
            log_level="warning",
            access_log=False,  # a path may hold a secret
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=10,
        )
        uvicorn.Server(config).run(sockets=[listener])
    return ExitCode.OK
