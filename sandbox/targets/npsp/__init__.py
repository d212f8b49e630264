"""The National Public Service Portal behind its adapter. Begin with ``rules.py``; ``server.py`` puts it together."""

from sandbox.targets.npsp.server import build

__all__ = ["build"]
