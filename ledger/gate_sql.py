"""The statements of the gates, each named for what it does."""

from ledger.life import IS_BEHIND

STATE_COLUMNS = (
    "paused_since",
    "paused_until",
    "failures",
    "answered_at",
    "taken_at",
    "broken_since",
    "broken_times",
    "rest_until",
    "probe",
    "probe_until",
    "asked_until",
    "pace",
    "pace_cut_at",
    "next_turn_at",
    "day",
    "day_turns",
    "retry_credit",
    "credit_at",
    "holders",
)
OPEN = "INSERT INTO target_gate (target) VALUES (%s) ON CONFLICT DO NOTHING"
# The clock is read once the row is ours: a transaction's own time stands still while it waits.
LOCK = f"""
    WITH mine AS MATERIALIZED (
        SELECT {", ".join(STATE_COLUMNS)} FROM target_gate WHERE target = %(target)s FOR UPDATE
    )
    SELECT clock_timestamp() AS now, {IS_BEHIND} AS is_behind, mine.* FROM mine
"""
# A person's pause is not ours to write.
KEEP = f"""
    UPDATE target_gate
    SET {", ".join(f"{name} = %({name})s" for name in STATE_COLUMNS if not name.startswith("paused"))}
    WHERE target = %(target)s
"""
PAUSE = """
    INSERT INTO target_gate AS gate (target, paused_since, paused_until, paused_by)
    VALUES (%(target)s, now(), %(until)s, %(by)s)
    ON CONFLICT (target) DO UPDATE
    SET paused_since = CASE WHEN gate.paused_since IS NOT NULL AND coalesce(gate.paused_until > now(), true)
                            THEN gate.paused_since ELSE now() END,
        paused_until = excluded.paused_until, paused_by = excluded.paused_by
"""
RESUME = """
    UPDATE target_gate SET paused_since = NULL, paused_until = NULL, paused_by = NULL
    WHERE target = %(target)s AND paused_since IS NOT NULL AND coalesce(paused_until > now(), true)
"""
ALL = f"""
    SELECT target, paused_by, now() AS now, {IS_BEHIND} AS is_behind, {", ".join(STATE_COLUMNS)} FROM target_gate
"""
