"""The statements of reconciliation, each named for what it does."""

from ledger.delivery_sql import URGENT
from ledger.life import IS_BEHIND, UNREAD

# --- runs -------------------------------------------------------------------------------------------------------

MARK_INTERRUPTED_RUNS = """
    UPDATE reconcile_run
    SET status = 'interrupted', error = 'the process ended before the run did', finished_at = now()
    WHERE target = %s AND status = 'running'
"""
START_RUN = """
    INSERT INTO reconcile_run (run_id, target, method, as_of, grace_s, status) VALUES (%s, %s, %s, %s, %s, 'running')
"""
FINISH_RUN = """
    UPDATE reconcile_run
    SET status = CASE WHEN %(error)s::text IS NULL THEN 'succeeded' ELSE 'failed' END,
        error = %(error)s, finished_at = now()
    WHERE run_id = %(run_id)s
"""

# --- what the target holds --------------------------------------------------------------------------------------

DROP_STAGES = "DROP TABLE IF EXISTS stage_held, stage_compared, stage_breaks"
CREATE_STAGE = "CREATE TEMP TABLE stage_held (code text, found boolean, state smallint, fields jsonb)"
COPY_HELD = "COPY stage_held (code, found, state, fields) FROM STDIN"
ANALYZE_HELD = "ANALYZE stage_held"

# --- comparing --------------------------------------------------------------------------------------------------

ONE_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"


def _instant(expression: str) -> str:
    return f"to_char({expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"


# What we say about each field that a target may name, in the form ``reconcile.held_fields`` gives theirs.
_FIELDS = {
    # Targets want a day of reception from the start; until there is one they are told the day of filing.
    "received_at": _instant("coalesce(dossier.received_at, dossier.submitted_at)"),
    "due_at": _instant("dossier.due_at"),
    "finished_at": _instant("dossier.finished_at"),
    "procedure_code": "dossier.procedure_stem",
}
_FIELD_DIFFERS = " OR ".join(
    f"(held.fields ? '{name}' AND held.fields ->> '{name}' IS DISTINCT FROM {ours})" for name, ours in _FIELDS.items()
)
_AGREES = f"held.found_rows = 1 AND held.state IS NOT DISTINCT FROM dossier.state AND NOT ({_FIELD_DIFFERS})"
# In this order; the first that fits wins, so that each dossier is in exactly one class. What is fresh is given time
# to arrive, but what agrees already needs none.
_CLASS = f"""
    CASE
        WHEN held.found_rows > 1 THEN 'duplicate'
        WHEN dossier.id IS NULL THEN 'unknown_to_us'
        WHEN delivery.dossier_id IS NULL OR delivery.state IN ('due', 'leased', 'doubt')
            OR dossier.version > delivery.wanted_version THEN 'in_flight'
        WHEN delivery.state <> 'dead' AND {_AGREES} THEN 'matched'
        WHEN dossier.changed_at_ledger > %(settled_by)s OR delivery.last_at > %(settled_by)s THEN 'in_flight'
        WHEN delivery.state = 'dead' THEN 'rejected'
        WHEN coalesce(held.found_rows, 0) = 0 THEN 'missing_at_target'
        WHEN held.state <> dossier.state AND EXISTS (
            SELECT FROM dossier_step step
            WHERE step.dossier_id = dossier.id AND step.state = held.state AND step.step_no < dossier.last_step
        ) THEN 'stale_at_target'
        ELSE 'mismatch'
    END
"""
_COMPARE = f"""
    CREATE TEMP TABLE stage_compared AS
    WITH held AS MATERIALIZED (
        SELECT code, count(*) FILTER (WHERE found) AS found_rows, min(state) FILTER (WHERE found) AS state,
               coalesce((array_agg(fields) FILTER (WHERE found))[1], '{{}}') AS fields
        FROM stage_held
        GROUP BY code
    )
    SELECT coalesce(dossier.code, held.code) AS key, dossier.id AS dossier_id, {_CLASS} AS class,
           coalesce(held.found_rows, 0) AS found_rows, held.state AS held_state
    FROM <both sides>
    LEFT JOIN delivery ON delivery.target = %(target)s AND delivery.dossier_id = dossier.id
    WHERE delivery.dossier_id IS NOT NULL OR held.found_rows > 0
"""
COMPARE_ALL = _COMPARE.replace("<both sides>", "dossier FULL JOIN held ON held.code = dossier.code")
COMPARE_ASKED = _COMPARE.replace("<both sides>", "held LEFT JOIN dossier ON dossier.code = held.code")
INDEX_COMPARED = "CREATE INDEX ON stage_compared (dossier_id); CREATE INDEX ON stage_compared (key)"
ANALYZE_COMPARED = "ANALYZE stage_compared"

_DIFFERENCES = " UNION ALL ".join(
    [
        "SELECT 'state', to_jsonb(dossier.state), to_jsonb(held.state), true",
        *(
            f"SELECT '{name}', to_jsonb({ours}), held.fields -> '{name}', held.fields ? '{name}'"
            for name, ours in _FIELDS.items()
        ),
    ]
)
# Both sides of each break. A mismatch shows exactly the fields that differ.
DESCRIBE_BREAKS = f"""
    CREATE TEMP TABLE stage_breaks AS
    SELECT compared.key, compared.dossier_id, dossier.code, compared.class AS kind,
        CASE compared.class
            WHEN 'mismatch' THEN differing.ours
            WHEN 'unknown_to_us' THEN '{{}}'
            WHEN 'rejected' THEN jsonb_build_object('state', dossier.state, 'reason', delivery.last_reason)
            ELSE jsonb_strip_nulls(jsonb_build_object('state', dossier.state, 'state_at', dossier.state_at))
        END AS ours,
        CASE compared.class
            WHEN 'mismatch' THEN differing.theirs
            WHEN 'duplicate' THEN jsonb_build_object('rows', compared.found_rows)
            WHEN 'missing_at_target' THEN '{{}}'
            ELSE jsonb_build_object('state', compared.held_state)
        END AS theirs
    FROM stage_compared compared
    LEFT JOIN dossier ON dossier.id = compared.dossier_id
    LEFT JOIN delivery ON delivery.target = %(target)s AND delivery.dossier_id = compared.dossier_id
    LEFT JOIN stage_held held ON compared.class = 'mismatch' AND held.code = compared.key AND held.found
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(name, ours) AS ours, jsonb_object_agg(name, theirs) AS theirs
        FROM ({_DIFFERENCES}) AS field (name, ours, theirs, named)
        WHERE compared.class = 'mismatch' AND named AND coalesce(ours, 'null') <> coalesce(theirs, 'null')
    ) differing ON true
    WHERE compared.class NOT IN ('matched', 'in_flight')
"""
# Each side counted by itself; the CHECK constraints of the row hold them against the classes.
COUNT_CLASSES = """
    UPDATE reconcile_run
    SET scope = %(scope)s, ours = sides.ours, theirs = sides.theirs, matched = classes.matched,
        in_flight = classes.in_flight, duplicate = classes.duplicate, duplicate_ours = classes.duplicate_ours,
        duplicate_rows = classes.duplicate_rows, rejected = classes.rejected,
        missing_at_target = classes.missing_at_target, unknown_to_us = classes.unknown_to_us,
        stale_at_target = classes.stale_at_target, mismatch = classes.mismatch, ours_not_held = classes.ours_not_held
    FROM (
        SELECT
            count(*) FILTER (WHERE class = 'matched') AS matched,
            count(*) FILTER (WHERE class = 'in_flight') AS in_flight,
            count(*) FILTER (WHERE class = 'duplicate') AS duplicate,
            count(*) FILTER (WHERE class = 'duplicate' AND dossier_id IS NOT NULL) AS duplicate_ours,
            coalesce(sum(found_rows) FILTER (WHERE class = 'duplicate'), 0) AS duplicate_rows,
            count(*) FILTER (WHERE class = 'rejected') AS rejected,
            count(*) FILTER (WHERE class = 'missing_at_target') AS missing_at_target,
            count(*) FILTER (WHERE class = 'unknown_to_us') AS unknown_to_us,
            count(*) FILTER (WHERE class = 'stale_at_target') AS stale_at_target,
            count(*) FILTER (WHERE class = 'mismatch') AS mismatch,
            count(*) FILTER (WHERE dossier_id IS NOT NULL AND found_rows = 0) AS ours_not_held
        FROM stage_compared
    ) classes, (
        SELECT
            (SELECT count(*) FROM delivery JOIN dossier ON dossier.id = delivery.dossier_id
             WHERE target = %(target)s
               AND (%(scope)s = 'all' OR EXISTS (SELECT FROM stage_held WHERE stage_held.code = dossier.code)))
            + (SELECT count(*) FROM dossier
               WHERE EXISTS (SELECT FROM stage_held WHERE stage_held.code = dossier.code AND found)
                 AND NOT EXISTS (SELECT FROM delivery WHERE target = %(target)s AND dossier_id = dossier.id)) AS ours,
            (SELECT count(*) FROM stage_held WHERE found) AS theirs
    ) sides
    WHERE run_id = %(run_id)s
    RETURNING sides.ours, sides.theirs, classes.matched, classes.in_flight, classes.duplicate, classes.rejected,
              classes.missing_at_target, classes.unknown_to_us, classes.stale_at_target, classes.mismatch
"""

# --- breaks -----------------------------------------------------------------------------------------------------

COUNT_OPENED = """
    SELECT count(*) FROM stage_breaks
    WHERE NOT EXISTS (
        SELECT FROM break_ former
        WHERE former.target = %(target)s AND former.kind = stage_breaks.kind AND former.key = stage_breaks.key
          AND former.status <> 'closed'
    )
"""
# A break that takes the place of another on the same dossier is as old as that one.
RECORD_BREAKS = """
    INSERT INTO break_ AS held (target, kind, key, dossier_id, code, ours, theirs, first_run, last_run, first_seen_at,
                                last_seen_at, status)
    SELECT %(target)s, kind, key, dossier_id, code, ours, theirs, %(run_id)s, %(run_id)s,
           coalesce((SELECT min(former.first_seen_at) FROM break_ former
                     WHERE former.target = %(target)s AND former.key = stage_breaks.key
                       AND former.kind <> 'count_mismatch' AND former.status <> 'closed'), %(as_of)s),
           %(as_of)s, 'open'
    FROM stage_breaks
    ON CONFLICT (target, kind, key) DO UPDATE
    SET dossier_id = excluded.dossier_id, code = excluded.code, ours = excluded.ours, theirs = excluded.theirs,
        last_run = excluded.last_run, last_seen_at = excluded.last_seen_at,
        reopened = held.reopened + CASE WHEN held.status = 'closed' THEN 1 ELSE 0 END,
        status = 'open', closed_at = NULL, closed_as = NULL
"""
# In scope, and now matched, or held by neither side, or a break of another kind. In flight says nothing either way.
CLOSE_BREAKS = """
    UPDATE break_
    SET status = 'closed', closed_at = now(), closed_as = gone.became
    FROM (
        SELECT former.break_id, coalesce(compared.class, 'matched') AS became
        FROM break_ former
        LEFT JOIN stage_compared compared ON compared.key = former.key
        WHERE former.target = %(target)s AND former.status <> 'closed' AND former.kind <> 'count_mismatch'
          AND (%(scope)s = 'all' OR EXISTS (SELECT FROM stage_held WHERE stage_held.code = former.key))
          AND coalesce(compared.class, 'matched') NOT IN (former.kind, 'in_flight')
    ) gone
    WHERE break_.break_id = gone.break_id
"""
KEEP_OPENED_AND_CLOSED = "UPDATE reconcile_run SET opened = %s, closed = %s WHERE run_id = %s"
# In pieces, so that workers never wait long for a row.
KEEP_VERIFIED = """
    WITH piece AS MATERIALIZED (
        SELECT dossier_id, held_state FROM stage_compared
        WHERE dossier_id > %(after)s AND class <> 'in_flight'
        ORDER BY dossier_id
        LIMIT %(limit)s
    ), locked AS MATERIALIZED (
        SELECT delivery.dossier_id, piece.held_state
        FROM piece JOIN delivery ON delivery.target = %(target)s AND delivery.dossier_id = piece.dossier_id
        ORDER BY delivery.dossier_id
        FOR UPDATE OF delivery
    ), kept AS (
        UPDATE delivery
        SET verified_at = %(as_of)s, verified_state = locked.held_state, verified_version = acked_version
        FROM locked
        WHERE delivery.target = %(target)s AND delivery.dossier_id = locked.dossier_id
    )
    SELECT max(dossier_id) FROM piece
"""
RECORD_COUNT_BREAKS = """
    INSERT INTO break_ AS held (target, kind, key, ours, theirs, first_run, last_run, first_seen_at, last_seen_at,
                                status)
    SELECT %(target)s, 'count_mismatch', bucket.key, bucket.ours::jsonb, bucket.theirs::jsonb, %(run_id)s, %(run_id)s,
           %(as_of)s, %(as_of)s, 'open'
    FROM unnest(%(keys)s::text[], %(ours)s::text[], %(theirs)s::text[]) AS bucket (key, ours, theirs)
    ON CONFLICT (target, kind, key) DO UPDATE
    SET ours = excluded.ours, theirs = excluded.theirs, last_run = excluded.last_run,
        last_seen_at = excluded.last_seen_at,
        reopened = held.reopened + CASE WHEN held.status = 'closed' THEN 1 ELSE 0 END,
        status = 'open', closed_at = NULL, closed_as = NULL
"""
CLOSE_COUNT_BREAKS = """
    UPDATE break_ SET status = 'closed', closed_at = now(), closed_as = 'matched'
    WHERE target = %s AND kind = 'count_mismatch' AND status <> 'closed' AND key = ANY(%s)
"""
KEEP_BUCKETS = "UPDATE reconcile_run SET buckets_matched = %s, buckets_mismatched = %s WHERE run_id = %s"

# --- healing ----------------------------------------------------------------------------------------------------

FIND_UNREAD = f"SELECT {IS_BEHIND}, ARRAY({UNREAD})"
# A state that the target shows and nobody can read is for a person: sending the same again would not change it.
_BROKEN = """
    FROM break_
    WHERE last_run = %(run_id)s AND status = 'open' AND kind IN ('missing_at_target', 'stale_at_target', 'mismatch')
      AND NOT (kind = 'mismatch' AND theirs = '{"state": null}')
"""
# The target may know better than we do. What it lacks it cannot know better, unless we forgot all since a backup.
_WAITS = """
    (%(is_behind)s OR (kind <> 'missing_at_target' AND cardinality(%(unread)s::text[]) > 0 AND (
        EXISTS (SELECT FROM dossier WHERE dossier.id = break_.dossier_id AND home_system = ANY(%(unread)s))
        OR EXISTS (SELECT FROM dossier_reading reading
                   WHERE reading.dossier_id = break_.dossier_id AND reading.system = ANY(%(unread)s))
    )))
"""
COUNT_CURABLE = f"""
    SELECT count(*) FILTER (WHERE NOT {_WAITS}), count(*) FILTER (WHERE {_WAITS}),
           (SELECT count(*) FROM delivery WHERE target = %(target)s)
    {_BROKEN}
"""
# A target that lost a dossier lost its history too; one that is merely behind is told the last step again.
HEAL = f"""
    WITH chosen AS MATERIALIZED (
        SELECT break_id, dossier_id, kind {_BROKEN} AND NOT {_WAITS}
    ), locked AS MATERIALIZED (
        SELECT delivery.dossier_id, chosen.break_id, chosen.kind
        FROM chosen JOIN delivery ON delivery.target = %(target)s AND delivery.dossier_id = chosen.dossier_id
        WHERE delivery.state = 'idle'
        ORDER BY delivery.dossier_id
        FOR UPDATE OF delivery
    ), made_due AS (
        UPDATE delivery
        SET state = 'due', due_at = now(), wanted_since = now(), priority = {URGENT}, attempts = 0, strikes = 0,
            failing_since = NULL,
            acked_version = 0, acked_fingerprint = NULL,
            known = known AND locked.kind <> 'missing_at_target',
            acked_step = CASE WHEN locked.kind = 'missing_at_target' THEN 0
                              ELSE least(acked_step, greatest(wanted_step - 1, 0)) END
        FROM locked
        WHERE delivery.target = %(target)s AND delivery.dossier_id = locked.dossier_id
        RETURNING locked.break_id
    )
    UPDATE break_ SET status = 'healing' FROM made_due WHERE break_.break_id = made_due.break_id
"""
KEEP_HEALED = "UPDATE reconcile_run SET healed = healed + %s, held_back = %s WHERE run_id = %s"

# --- reading ----------------------------------------------------------------------------------------------------

DUE_FOR_LOOKUP = """
    SELECT dossier.code
    FROM delivery JOIN dossier ON dossier.id = delivery.dossier_id
    WHERE delivery.target = :target AND delivery.state IN ('idle', 'dead')
    ORDER BY CASE WHEN verified_at IS NULL THEN 1 WHEN last_at > verified_at THEN 0 ELSE 2 END,
             verified_at, last_at, dossier.id
    LIMIT :limit
"""
STEP_TOTALS = """
    SELECT step.state,
        count(*) FILTER (WHERE step.step_no <= delivery.acked_step AND doubtful.step IS NULL) AS settled,
        count(*) FILTER (WHERE step.step_no > delivery.acked_step AND delivery.state <> 'dead') AS in_flight,
        count(*) FILTER (WHERE step.step_no <= delivery.acked_step AND doubtful.step IS NOT NULL) AS doubtful,
        coalesce(sum(sent_again.copies), 0) AS doubled
    FROM delivery
    JOIN dossier_step step ON step.dossier_id = delivery.dossier_id AND step.step_no IS NOT NULL
    LEFT JOIN (
        SELECT DISTINCT dossier_id, step FROM doubtful_send
        WHERE target = :target AND phase = 'step' AND resolution IS NULL
    ) doubtful ON doubtful.dossier_id = step.dossier_id AND doubtful.step = step.step_no
    LEFT JOIN sent_again
        ON sent_again.target = :target AND sent_again.phase = 'step'
        AND sent_again.dossier_id = step.dossier_id AND sent_again.step = step.step_no
    WHERE delivery.target = :target
    GROUP BY step.state
    ORDER BY step.state
"""
# A dossier is surely known to a target that got more of its steps than are in doubt. One whose first step was in doubt,
# was sent again and then refused may be known.
DOSSIER_TOTALS = """
    SELECT
        count(*) FILTER (WHERE delivery.acked_step > coalesce(doubtful.steps, 0)) AS settled,
        count(*) FILTER (WHERE delivery.acked_step = 0 AND wanted_step > 0 AND delivery.state <> 'dead') AS in_flight,
        count(*) FILTER (WHERE delivery.acked_step BETWEEN 1 AND coalesce(doubtful.steps, 0)
            OR (delivery.acked_step = 0 AND delivery.state = 'dead' AND EXISTS (
                SELECT FROM sent_again
                WHERE sent_again.target = :target AND sent_again.phase = 'step'
                  AND sent_again.dossier_id = delivery.dossier_id
            ))) AS doubtful
    FROM delivery
    LEFT JOIN (
        SELECT dossier_id, count(DISTINCT step) AS steps FROM doubtful_send
        WHERE target = :target AND phase = 'step' AND resolution IS NULL
        GROUP BY dossier_id
    ) doubtful ON doubtful.dossier_id = delivery.dossier_id
    WHERE delivery.target = :target
"""
OPEN_BREAKS = """
    SELECT break_id, target, kind, key, code, ours, theirs, first_seen_at, last_seen_at, reopened, status, closed_at
    FROM break_
    WHERE status <> 'closed' AND (CAST(:target AS text) IS NULL OR target = :target)
    ORDER BY first_seen_at, break_id
"""
