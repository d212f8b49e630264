"""A receiver of the status feed, as a kiosk or a contact centre would run it. Begin with ``messages.py``."""

from sandbox.targets.feed.server import build

__all__ = ["build"]
