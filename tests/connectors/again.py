"""Whatever a source yields in these tests is read again from the bytes that would be archived, and compared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.api import Page
from connectors.catalog_models import SourceEntry
from connectors.factory import reread
from connectors.sources.files import FilesSource
from connectors.sources.igate import IgateSource
from connectors.sources.inbound import InboundSource
from connectors.sources.mapi import MapiSource
from connectors.sources.rest import RestSource
from connectors.sources.soap import SoapSource
from connectors.sources.soap_jobs import SoapJobsSource

SOURCES: tuple[Any, ...] = (
    FilesSource, IgateSource, InboundSource, MapiSource, RestSource, SoapJobsSource, SoapSource,
)  # fmt: skip


def assert_read_again(entry: SourceEntry, page: Page) -> None:
    """The page's archived bytes give back its records."""
    again = reread(entry, page.raw, page.media_type)
    assert list(map(_comparable, again)) == list(map(_comparable, page.records))


def _comparable(record: Any) -> Any:
    # Of a row that does not fit its header nothing is kept where something is cut, not even how many cells it had.
    misfit = "cells under" in str(record.get("problem")) and "cells" not in record
    return {"at": record["at"]} if misfit else record


@contextmanager
def every_page_read_again() -> Iterator[None]:
    """Have all sources check each page that they yield."""
    with pytest.MonkeyPatch.context() as patch:
        for source in SOURCES:
            patch.setattr(source, "pull", _checking(source.pull))
        yield


def _checking(pull: Callable[..., Iterator[Page]]) -> Callable[..., Iterator[Page]]:
    def checked(self: Any, **asked: Any) -> Iterator[Page]:
        pages = pull(self, **asked)
        try:
            for page in pages:
                assert_read_again(self._entry, page)
                yield page
        finally:
            pages.close()  # type: ignore[attr-defined]  # a generator

    return checked
