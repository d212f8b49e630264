"""The provincial processing system: written to over LGSP, read back over OpenCPS. Begin with ``statuses.py``."""

from sandbox.targets.province.server import build

__all__ = ["build"]
