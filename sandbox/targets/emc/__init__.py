"""EMC, the ministry's counter of dossier events. Begin with ``events.py``; ``dashboard.py`` is what people see."""

from sandbox.targets.emc.server import build

__all__ = ["build"]
