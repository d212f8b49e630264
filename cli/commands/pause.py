"""`hosync pause` and `hosync resume`: deliveries to one target stop, and go on."""

from __future__ import annotations

from datetime import datetime

from cli.environment import person
from cli.errors import ExitCode, UserError
from cli.output import Output
from cli.words import moment_in_words
from ledger import gate, life
from sync.context import Context, now


def pause(output: Output, target: str, *, until: datetime | None) -> ExitCode:
    """Stop deliveries, at the latest until ``until``."""
    if until is not None and until <= now():
        raise UserError("--until is over.", where="hosync pause", next_step="Name a later moment.", code=ExitCode.USAGE)
    with Context.from_env() as context:
        name = context.catalog.target(target).system
        gate.pause(context.engine, name, by=person(), until=until)
    texts = output.texts
    if until is None:
        output.out.print(texts("{target} is paused. Go on with: hosync resume {target}", target=name))
    else:
        moment = moment_in_words(until, now())
        output.out.print(texts("{target} is paused and goes on at {moment}.", target=name, moment=moment))
    return ExitCode.OK


def caught_up(output: Output) -> ExitCode:
    """The ledger knows again all that was told: let deliveries and corrections go on at all targets."""
    with Context.from_env() as context:
        waited = life.confirm(context.engine, by=person())
    texts = output.texts
    done = texts("Deliveries and corrections go on with the next push.")
    output.out.print(done if waited else texts("No restored ledger is waited for."))
    return ExitCode.OK


def resume(output: Output, target: str | None) -> ExitCode:
    """Let deliveries go on."""
    if target is None:
        step = "Write hosync resume TARGET, or hosync resume --after-restore."
        raise UserError("No target is named.", where="hosync resume", next_step=step, code=ExitCode.USAGE)
    with Context.from_env() as context:
        name = context.catalog.target(target).system
        was_paused = gate.resume(context.engine, name, by=person())
    texts = output.texts
    done = texts("{target} goes on with the next push.", target=name)
    output.out.print(done if was_paused else texts("{target} was not paused.", target=name))
    return ExitCode.OK
