"""What can go wrong in a use case.

    SyncError                 something a person must know; carries what to do next
      IncompleteRun           the run ended before it was whole; what was stored is good, run it again

Errors of the floors below (``ConnectorError``, ``MappingError``, ``LedgerError``) pass through unchanged: they already
say which system, what and what next.
"""


class SyncError(Exception):
    """A use case could not do what was asked. ``next_step`` tells the person what to do."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(f"{message} {next_step}".strip())
        self.next_step = next_step


class IncompleteRun(SyncError):
    """The run stopped before its end; nothing it did needs undoing."""
