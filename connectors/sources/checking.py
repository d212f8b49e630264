"""The lines of ``hosync check`` for one source: each check is tried, none raises."""

from collections.abc import Callable

from connectors.api import CheckResult, CheckStatus
from connectors.catalog import contract_path
from connectors.catalog_models import SourceEntry
from connectors.errors import ConnectorError
from connectors.http import HttpClient


class Checks:
    """Collects the results of one source. Without ``http`` it is not for ``reachable``."""

    def __init__(self, entry: SourceEntry, http: HttpClient | None = None) -> None:
        self._entry = entry
        self._http = http
        self.results: list[CheckResult] = []

    def contract(self) -> bool:
        """Whether the contract snapshot is there."""
        path = contract_path(self._entry)
        if path.exists():
            self._add("contract", CheckStatus.OK, f"the snapshot {self._entry.contract} is there")
            return True
        fix = f"Correct 'contract' in {self._entry.file or 'the catalog file'}, or add the file"
        self._add("contract", CheckStatus.FAILED, f"schemas/wire/{self._entry.contract} does not exist", fix)
        return False

    def reachable(self) -> bool:
        """Whether anything answers HTTP at the connection's address; any status will do."""
        if self._http is None:
            raise TypeError("a system that does not speak HTTP has no address to touch")
        return self.attempt("connection", self._http.touch, f"{self._http.settings.base_url} answers")

    def attempt(self, name: str, call: Callable[[], object], success: str | None = None) -> bool:
        """Run ``call``; its ``ConnectorError`` becomes a failed line. Without ``success`` its answer is the detail."""
        try:
            told = call()
        except ConnectorError as error:
            self._add(name, CheckStatus.FAILED, error.message, error.next_step)
            return False
        self._add(name, CheckStatus.OK, str(told) if success is None else success)
        return True

    def _add(self, name: str, status: CheckStatus, detail: str, fix: str = "") -> None:
        self.results.append(CheckResult(name, status, detail, fix))
