"""Processes that run a function of a test: started in 0.03 s, since whoever forks them has imported what they need.

Python's fork server doesn't find modules of the tests by itself and says nothing of it, so what is named here is the
project's own: the tests' modules are small.
"""

import multiprocessing
import pkgutil

import connectors.sources
from sandbox.servers import SERVERS

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "pytest",
        "requests",
        "uvicorn.protocols.http.auto",
        "uvicorn.loops.auto",
        "uvicorn.lifespan.on",
        "mappings.coverage",
        "sync.inbound_app",
        "sync.pull",
        *SERVERS.values(),
        *(f"connectors.sources.{module.name}" for module in pkgutil.iter_modules(connectors.sources.__path__)),
    ]
)
