"""A validated dossier in the shape in which the ledger hands it to delivery, for looking ahead without storing it."""

from datetime import datetime
from typing import Any

from schemas.dossier import Dossier


def outgoing_dossier(dossier: Dossier) -> dict[str, Any]:
    """The record as a target's mapping would read it at its first delivery."""
    record = dossier.model_dump(mode="python", exclude_none=True)
    record["applicant"] = dossier.applicant.model_dump(mode="python", exclude_none=True)
    return {**record, "version": 1}


def outgoing_steps(dossier: Dossier, now: datetime) -> list[dict[str, Any]]:
    """The steps a target's mapping would read: those reported, or the one that the state itself makes."""
    about = {
        key: value
        for key in (
            "code",
            "national_code",
            "procedure_code",
            "procedure_name",
            "channel",
            "agency_code",
            "agency_name",
            "level",
            "due_at",
            "online_payment",
        )
        if (value := getattr(dossier, key)) is not None
    }
    reported = [step.model_dump(mode="python", exclude_none=True) for step in dossier.steps] or [
        {"at": dossier.state_at or dossier.changed_at or now, "state": dossier.state}
    ]
    return [{**about, **step, "step_no": number} for number, step in enumerate(reported, start=1)]
