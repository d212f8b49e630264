"""The lines of ``hosync check`` for a target, and what signing in means for the call that waits for it."""

from collections.abc import Callable

from connectors.api import CheckResult, CheckStatus
from connectors.auth import Token
from connectors.errors import ConnectorError, Intent, NotSent, Throttled

Trial = tuple[str, Callable[[], str]]
"""What is tried, and a function that tries it: gives words for people, raises ``ConnectorError``."""


def checked(*trials: Trial) -> list[CheckResult]:
    """Try one after the other; after a failure the rest would only repeat it and is left out. Never raises."""
    results: list[CheckResult] = []
    for name, trial in trials:
        try:
            results.append(CheckResult(name=name, status=CheckStatus.OK, detail=trial()))
        except ConnectorError as error:
            status = CheckStatus.WARNING if isinstance(error, Throttled) else CheckStatus.FAILED
            fix = error.next_step or "Check address, paths and rights with the owner of the system"
            results.append(CheckResult(name=name, status=status, detail=error.message, fix=fix))
            break
    return results


def sign_in_as_precondition(fetch: Callable[[], Token]) -> Callable[[], Token]:
    """``fetch``, with an unclear outcome of the sign-in reported as ``NotSent``: the call behind it never left."""

    def fetch_first() -> Token:
        try:
            return fetch()
        except ConnectorError as error:
            if error.intent is not Intent.ASK:
                raise
            problem = NotSent(error.system, f"signing in: {error.message}", error.next_step)
        # Outside the handler, so that no reader of the chain takes it for the outcome of a write.
        raise problem

    return fetch_first
