"""Fills a ledger through its public functions: what the monitor is then asked to show is known."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import Engine

from ledger.delivery import claim, expand_feed, settle
from ledger.intake import finish_pull, start_pull, store_page
from ledger.reconcile import open_reconcile
from ledger.sealing import Sealer
from ledger.types import Claimed, HeldRow, PageIntake, Phase, Problem, PullMode, Scope, Settled, Settlement
from schemas.dossier import Dossier

APPLICANT = "Nguyễn Thị Bí Mật"
IDENTITY = "001199000123"
DOSSIERS = 12
REFUSED = 2
MISSING = 3


def fill(engine: Engine, sealer: Sealer) -> None:
    """Twelve dossiers of gplx pulled, ten acknowledged by npsp, two refused, three of the ten not found there.

    Also one record in quarantine, and a pull of igate that failed.
    """
    moment = datetime.now(UTC) - timedelta(hours=6)
    run = start_pull(engine, system="gplx", mode=PullMode.INCREMENTAL, window=None, started_by="test")
    page = PageIntake(
        run_id=run,
        system="gplx",
        precedence=20,
        number=1,
        raw=b"page",
        media_type="application/json",
        fetched_at=moment,
        fetched=DOSSIERS + 1,
        dossiers=[_dossier(number, moment) for number in range(1, DOSSIERS + 1)],
        problems=[
            Problem(
                index=DOSSIERS,
                record_key="K1",
                native=b"{}",
                stage="mapping",
                field="state",
                rule="known code",
                message="code 77 is unknown",
            )
        ],
        cursor="2026-11-22",
        mapping_version="1",
    )
    store_page(engine, sealer, page)
    finish_pull(engine, run, error=None)
    failed = start_pull(engine, system="igate", mode=PullMode.INCREMENTAL, window=None, started_by="test")
    finish_pull(engine, failed, error="igate: the token service did not answer. Run `hosync check igate`")
    _deliver(engine, sealer)
    _compare(engine, moment + timedelta(hours=5))


def _dossier(number: int, moment: datetime) -> Dossier:
    return Dossier.model_validate(
        {
            "code": f"H12.12-251101-{number:04d}",
            "source_id": str(number),
            "procedure_code": "1.001612",
            "agency_code": "H12.12",
            "channel": 2,
            "subject_kind": 1,
            "state": 4,
            "state_at": moment,
            "changed_at": moment,
            "applicant": {"name": APPLICANT, "identity_kind": 1, "identity_number": IDENTITY},
        }
    )


def _deliver(engine: Engine, sealer: Sealer) -> None:
    while expand_feed(engine, "npsp"):
        pass
    owner = uuid4()
    rows = claim(engine, sealer, "npsp", owner=owner, limit=100, lease_s=60)
    refused = [row for row in rows if int(row.code[-4:]) <= REFUSED]
    reason = "the procedure is not registered"
    told = [_settlement(row, Phase.DOSSIER, Settled.REJECTED, reason=reason) for row in refused]
    taken = [row for row in rows if row not in refused]
    told += [_settlement(row, Phase.DOSSIER, Settled.ACCEPTED, hold=True) for row in taken]
    settle(engine, "npsp", told, owner=owner)
    settle(engine, "npsp", [_settlement(row, Phase.STEP, Settled.ACCEPTED) for row in taken], owner=owner)


def _settlement(row: Claimed, phase: Phase, outcome: Settled, *, reason: str = "", hold: bool = False) -> Settlement:
    return Settlement(
        dossier_id=row.dossier_id,
        token=row.token,
        phase=phase,
        outcome=outcome,
        version=row.version,
        step=row.last_step if phase is Phase.STEP else 0,
        reason=reason,
        hold=hold,
    )


def _compare(engine: Engine, moment: datetime) -> None:
    codes = [f"H12.12-251101-{number:04d}" for number in range(REFUSED + 1, DOSSIERS + 1)]
    with open_reconcile(engine, "npsp", method="lookup", as_of=moment + timedelta(hours=2), grace_s=0) as run:
        run.load(
            HeldRow(code=code, found=position >= MISSING, state=4 if position >= MISSING else None)
            for position, code in enumerate(codes)
        )
        run.compare(Scope.ASKED)
        run.finish(error=None)
