"""Processes that run a function of a test: started in 0.03 s, since whoever forks them has imported what they need.

Python's fork server doesn't find modules of the tests by itself and says nothing of it, so what is named here is the
project's own: the tests' modules are small.
"""

import multiprocessing
import pkgutil

import connectors.sources
import sandbox.systems

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
        "sandbox.serve",
        *(
            f"{package.__name__}.{module.name}"
            for package in (connectors.sources, sandbox.systems)
            for module in pkgutil.iter_modules(package.__path__)
        ),
    ]
)
