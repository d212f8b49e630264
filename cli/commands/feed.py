"""`hosync feed`: the read API of the status feed, served alone; and keys for those who may ask."""

from __future__ import annotations

import json
import logging

from cli.errors import ExitCode
from cli.output import Output
from cli.serving import listening
from sync.feed import CONNECTION, digest, new_key

_KEEP_ALIVE_S = 60


def run(output: Output, *, host: str, port: int) -> ExitCode:
    """Serve until SIGTERM or Ctrl-C. Whoever is being answered is answered first."""
    import uvicorn

    from sync.feed_app import PREFIX, create_server_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with listening(host, port) as listener:
        address = f"http://{host if ':' not in host else f'[{host}]'}:{listener.getsockname()[1]}{PREFIX}"
        output.out.print(output.texts("Telling where dossiers stand at {address}", address=address), soft_wrap=True)
        output.out.file.flush()
        config = uvicorn.Config(
            create_server_app(),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=10,
        )
        uvicorn.Server(config).run(sockets=[listener])
    return ExitCode.OK


def make_key(output: Output, name: str) -> ExitCode:
    """Print a new key, which is shown this once, and what is written down of it."""
    key = new_key()
    entry = json.dumps({name: {"sha256": digest(key), "per_minute": 120}})[1:-1]
    output.out.print(
        output.texts("The key of {name}, shown this once: {key}", name=name, key=key), soft_wrap=True, highlight=False
    )
    output.out.print(
        output.texts("Add to 'keys' in the extra of connection {connection}:", connection=CONNECTION), soft_wrap=True
    )
    output.out.print(entry, soft_wrap=True, highlight=False, markup=False)
    return ExitCode.OK
