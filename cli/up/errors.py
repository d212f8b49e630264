"""What can go wrong while starting or running everything on one machine.

UpError                a person must do something; says what went wrong, where, and what to do next
  ComponentDied        a process ended that should be running; carries the last lines of its log
  HomeInUse            another `hosync up` works in this home
  OutOfTime            the deadline passed; names what is still missing
Interrupted            Ctrl-C or SIGTERM: not an error, the way out
"""

from cli.errors import UserError


class UpError(UserError):
    """Starting or running failed for a reason that a person can act on."""


class HomeInUse(UpError):
    """The home is held by another running `hosync up`."""


class ComponentDied(UpError):
    """A process that should be running has ended. ``detail`` holds its last words, masked."""


class OutOfTime(UpError):
    """Not everything was done before the deadline."""


class Interrupted(BaseException):
    """A signal asked us to stop. Not an ``Exception``, so that no handler on the way swallows it."""
