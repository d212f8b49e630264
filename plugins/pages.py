"""The pages as HTML: templates filled with what they show. Knows neither Airflow nor the database."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from plugins.overview import Overview
from plugins.words import Speech

TEMPLATES = Path(__file__).parent / "templates"


def overview_page(page: Overview, say: Speech) -> str:
    """The monitor."""
    return _template("overview.html").render(page=page, say=say, at=page.at)


def down_page(reason: str, say: Speech, *, at: datetime) -> str:
    """What stands in its place while the ledger or the catalog can't be read."""
    return _template("down.html").render(reason=reason, say=say, at=at)


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
