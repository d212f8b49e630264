"""Where a file stands, as a person would type it."""

from pathlib import Path


def shown(path: Path) -> str:
    """Relative to the working folder when it is below it, else as it is."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
