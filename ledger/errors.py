"""What can go wrong on this floor.

LedgerError
├── LedgerUnavailable      no URL, no server, wrong password: check HOSYNC_DATABASE_URL
├── SchemaOutOfDate        the database is older or newer than this program: run the migrations
├── WrongDataKey           HOSYNC_DATA_KEY is missing, malformed, or not the one this ledger was written with
├── AlreadyRunning         another process holds this system's or target's lock: wait for it
├── UnknownRun             no such run, or it belongs to another system
├── PageRefused            the page cannot be stored as given (numbers do not add up, number used twice)
├── RunSuperseded          a newer run has moved the cursor on: this run must stop
├── CatalogueShrunk        a target's catalogue is empty or much shorter than before: it was not taken over
└── PageContended          another writer kept changing the same dossiers: try the page again

Whatever is raised, the transaction has left no trace: nothing of the page is stored and the cursor stays. Messages
name systems, runs, fields and rules; they never hold a payload or personal data.
"""

from uuid import UUID


class LedgerError(Exception):
    """Any failure of the ledger that a person or a retry must act upon."""


class LedgerUnavailable(LedgerError):
    """The database cannot be reached. Nothing was stored; try again once it answers."""


class SchemaOutOfDate(LedgerError):
    """The database's tables are not those of this program."""

    def __init__(self, found: str | None, expected: str) -> None:
        super().__init__(
            f"The ledger's tables are at version {found or 'none'}, this program needs {expected}: "
            "run the migrations (ledger.migrate.upgrade)."
        )
        self.found = found
        self.expected = expected


class WrongDataKey(LedgerError):
    """The key that seals personal data is missing, malformed or another one than before."""


class AlreadyRunning(LedgerError):
    """Another process works on this system or target right now."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is already running in another process: wait until it has ended, then try again.")
        self.what = what


class CatalogueShrunk(LedgerError):
    """A catalogue is empty or has lost more entries than is believable; what there was is kept."""

    def __init__(self, system: str, kind: str, *, held: int, told: int) -> None:
        super().__init__(
            f"{system}: its catalogue '{kind}' has {told} entries and had {held}: it was not taken over. Ask its owner "
            "whether that is right; if so, raise catalogues.most_lost in the catalog entry and pull again."
        )


class UnknownRun(LedgerError):
    """The run does not exist or is not of this system."""

    def __init__(self, run_id: UUID, system: str | None = None) -> None:
        of_system = f" of system {system}" if system else ""
        super().__init__(f"There is no run {run_id}{of_system}: start one with start_pull and use its id.")
        self.run_id = run_id


class PageRefused(LedgerError):
    """The page cannot be stored as it was given; it is a fault of the caller and a retry will not help."""

    def __init__(self, system: str, number: int, rule: str) -> None:
        super().__init__(f"Page {number} of system {system} was refused: {rule}. Nothing of it was stored.")
        self.system = system
        self.number = number


class RunSuperseded(LedgerError):
    """A run that started later has already moved this system's cursor; its pages cover what this one would store."""

    def __init__(self, system: str, run_id: UUID) -> None:
        super().__init__(
            f"Run {run_id} of system {system} was overtaken: a newer run has moved the cursor. "
            "This page was not stored; let this run end, nothing is lost."
        )
        self.system = system
        self.run_id = run_id


class PageContended(LedgerError):
    """The page met other writers on the same dossiers too many times in a row."""

    def __init__(self, system: str, number: int, attempts: int) -> None:
        super().__init__(
            f"Page {number} of system {system} met other writers on the same dossiers {attempts} times. "
            "Nothing of it was stored; store it again."
        )
        self.system = system
        self.number = number
