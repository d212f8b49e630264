"""The provincial processing system on OpenCPS, told by publishing whole dossiers and asked over its dossier search.

Known of OpenCPS: the path, Basic with the header ``groupId``, a form with moments in milliseconds since 1970, and
``referenceUid`` as the key between servers. Ours is made of the dossier code: a dossier always has the same one.
Assumed: that publishing inserts or replaces by that key, and that a success is answered with the dossier as JSON.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence

from connectors.api import CheckResult, Held, Item, Verdict
from connectors.auth import basic
from connectors.catalog_models import TargetEntry
from connectors.connections import ConnectionSettings
from connectors.errors import ConnectorError, Refused
from connectors.http import HttpClient
from connectors.targets.answers import OWN_WORDS_STATUS, Reply, of_error
from connectors.targets.batches import Sequences
from connectors.targets.checks import checked
from connectors.targets.dossier_search import DossierSearchClient
from connectors.targets.provincial_answers import classify_answer
from connectors.targets.provincial_options import OpencpsPublishOptions

_OURS = uuid.UUID("5f0b5a4e-6f0e-5d5c-8f3a-0e7c1a9d2b64")


def reference_uid(code: str) -> str:
    """The key of our dossier ``code`` between servers; the same for ever."""
    return str(uuid.uuid5(_OURS, code))


class OpencpsPublishTarget:
    """Publishes one dossier a call; reads by search. Used by one thread."""

    def __init__(self, entry: TargetEntry, settings: ConnectionSettings) -> None:
        """``entry`` with ``OpencpsPublishOptions``; connection extra ``group_id`` is the number of the site."""
        options: OpencpsPublishOptions = entry.options
        self._system = entry.system
        self._options = options
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
        group = settings.required("group_id", "to publish dossiers (the site id of the provincial system)")
        self._headers = {"groupId": group, **basic(settings.login, settings.password)}
        self._search = DossierSearchClient(entry, settings, options.search)

    def send_dossiers(self, items: Sequence[Item]) -> list[Verdict]:
        """One call per item: the system inserts or replaces by ``referenceUid``."""
        return Sequences(self._push).send(items, 1)

    def send_steps(self, items: Sequence[Item]) -> list[Verdict]:
        """Publishing tells no steps: raises ``Refused``, whatever the items are."""
        del items
        raise Refused(self._system, "publishing tells dossiers, not steps", "Set messages to [dossier]")

    def lookup(self, code: str, others: Sequence[str] = ()) -> Held | None:
        """The dossier as the search shows it, under either written form of its code; ``None`` when it does not."""
        del others
        return self._search.lookup(code, self._options.code_form)

    def listing(self) -> Iterator[Held]:
        """Every dossier the system holds, streamed; raises ``ConnectorError`` rather than be incomplete."""
        return self._search.listing()

    def counts(self) -> Mapping[str, int]:
        """The system has a listing instead: raises ``Refused``."""
        raise Refused(self._system, "counts are not read from this target", "Set reconcile.method to listing")

    def check(self) -> list[CheckResult]:
        """Ask the search for one row: it goes by the same account."""
        return checked(("search", lambda: f"the search holds {self._search.one_row()} dossiers"))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._search.close()

    def _push(self, items: Sequence[Item]) -> Reply:
        form = {"referenceUid": reference_uid(items[0].code), **_form(items[0].payload)}
        try:
            answer = self._http.request(
                "POST", self._options.publish_path, form=form, headers=self._headers, accept_status=OWN_WORDS_STATUS
            )
        except ConnectorError as error:
            return of_error(error)
        return classify_answer(answer, shows=("dossierId", "referenceUid"))


def _form(payload: Mapping[str, object]) -> dict[str, str]:
    """Form fields: everything as text, truth as ``true`` and ``false``; ``None`` is left out."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in payload.items()
        if value is not None
    }
