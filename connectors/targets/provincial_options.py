"""The ``options`` of provincial processing systems that are told by other doors than the LGSP Document API.

Like the whole catalog this is read at every parse of the DAG files: it imports no transport.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from connectors.catalog_models import Message, Part, ReconcileMethod, TargetEntry
from connectors.options.paths import UrlPath
from connectors.targets.options import CodeForm, DossierSearch, NationalState

Misfits = Iterator[tuple[tuple[str, ...], str, str]]


class OpencpsPublishOptions(Part):
    """OpenCPS told by ``POST /dossiers/publish``: the whole dossier as a form, with HTTP Basic and the site's number.

    Connection: login and password, extra ``group_id``. The search goes by the same.
    """

    publish_path: UrlPath = "/o/rest/v2/dossiers/publish"
    """Where a dossier is published."""
    code_form: CodeForm = "short"
    """The written form of dossier codes there: ``H12.12-…`` or ``000.00.12.H12-…``. It is asked for first."""
    search: DossierSearch
    """How it is asked what it holds."""

    def misfits(self, entry: TargetEntry) -> Misfits:
        """What of ``entry`` such a system cannot do."""
        return _takes_dossiers_and_is_searched(entry)


class IgateDossierOptions(Part):
    """iGate 2: a Keycloak token, a dossier as JSON, and its search to read back.

    The connection's extra holds ``client_id`` and ``client_secret``, and ``sso_url`` when tokens are given by another
    host. Paths and answers of the search are known; how an outside system hands a dossier over is not published, so
    ``save_path`` and the shape of the message are assumed.
    """

    token_path: UrlPath
    """Where tokens are given."""
    grant: Literal["password", "client_credentials"] = "password"
    """How to ask for one."""
    search_path: UrlPath = "/pa/dossier/search"
    """Where dossiers are searched."""
    save_path: UrlPath
    """Where a dossier is inserted or replaced by its code."""
    code_form: CodeForm = "short"
    """The written form of dossier codes there. It is asked for first."""
    page_size: int = Field(default=200, ge=1, le=2000)
    """How many dossiers a page of the listing holds."""
    attempts: int = Field(default=3, ge=1, le=20)
    """How often a listing in which dossiers moved is read again before it is given up."""
    states: Mapping[int, NationalState]
    """``dossierStatus.id`` -> national state."""

    def misfits(self, entry: TargetEntry) -> Misfits:
        """What of ``entry`` such a system cannot do."""
        return _takes_dossiers_and_is_searched(entry)


def _takes_dossiers_and_is_searched(entry: TargetEntry) -> Misfits:
    if entry.messages != (Message.DOSSIER,):
        yield ("messages",), "this door takes dossiers; their steps are not told", "write messages: [dossier]"
    if entry.reconcile.method is ReconcileMethod.COUNTS:
        yield ("reconcile", "method"), "the system tells no counts", "write listing or lookup"
