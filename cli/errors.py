"""What the command line tells people when something fails, and the exit codes.

UserError              what happened, where, and what to do next; shown without a traceback
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What every command returns to the shell."""

    OK = 0
    FAILED = 1  # the command ran, and something is not as it should be
    USAGE = 2  # wrong arguments or wrong configuration: nothing was done


class UserError(Exception):
    """An error for a person. ``detail`` may hold further lines (of a log), already masked."""

    def __init__(
        self, what: str, *, where: str = "", next_step: str, detail: str = "", code: ExitCode = ExitCode.FAILED
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next_step = next_step
        self.detail = detail
        self.code = code
