"""A provincial processing system of the iGate 2 kind, as a target. Begin with ``server.py``."""

from sandbox.targets.igate.server import build

__all__ = ["build"]
