"""The statements that make deliveries due again because a person says so, each named for what it does."""

from ledger.delivery_sql import BACKFILL

# Reasons that differ only in numbers (codes, times, counters) are one reason to a person.
DEAD_BY_REASON = """
    SELECT delivery.target, dossier.agency_code AS agency, delivery.last_outcome AS outcome,
           min(delivery.last_reason) AS reason, count(*) AS dossiers, min(delivery.last_at) AS first_at,
           max(delivery.last_at) AS last_at, min(dossier.code) AS example
    FROM delivery JOIN dossier ON dossier.id = delivery.dossier_id
    WHERE delivery.state = 'dead' AND (CAST(:target AS text) IS NULL OR delivery.target = :target)
    GROUP BY delivery.target, dossier.agency_code, delivery.last_outcome,
             regexp_replace(delivery.last_reason, '[0-9]+', '#', 'g')
    ORDER BY delivery.target, count(*) DESC, dossier.agency_code
"""
# What was given up in doubt is in doubt again: the target is asked first, or what the catalog declares is done. The
# record goes again too: a step may have been refused because the target does not hold its dossier any more.
RESEND_DEAD = f"""
    WITH chosen AS MATERIALIZED (
        SELECT delivery.dossier_id
        FROM delivery JOIN dossier ON dossier.id = delivery.dossier_id
        WHERE delivery.target = %(target)s AND delivery.state = 'dead'
          AND (%(codes)s::text[] IS NULL OR dossier.code = ANY(%(codes)s::text[]))
          AND (%(reason)s::text IS NULL OR position(lower(%(reason)s) IN lower(delivery.last_reason)) > 0)
        ORDER BY delivery.dossier_id
        FOR UPDATE OF delivery
    )
    UPDATE delivery
    SET state = CASE WHEN sending_phase IS NULL THEN 'due' ELSE 'doubt' END,
        due_at = now(), priority = {BACKFILL}, attempts = 0, strikes = 0, failing_since = NULL,
        acked_version = 0, acked_fingerprint = NULL
    FROM chosen
    WHERE delivery.target = %(target)s AND delivery.dossier_id = chosen.dossier_id
"""
# In pieces, so that workers never wait long for a row. The newest record and the last step are sent again, never an
# older step after a newer one. What a worker holds, or is in doubt, is on its way as it is.
REPLAY_PIECE = f"""
    WITH piece AS MATERIALIZED (
        SELECT delivery.dossier_id, delivery.state
        FROM delivery JOIN dossier ON dossier.id = delivery.dossier_id
        WHERE delivery.target = %(target)s AND delivery.dossier_id > %(after)s
          AND dossier.state_at >= %(start)s AND dossier.state_at < %(end)s
        ORDER BY delivery.dossier_id
        LIMIT %(limit)s
        FOR UPDATE OF delivery
    ), made_due AS (
        UPDATE delivery
        SET state = 'due', due_at = now(), attempts = 0, strikes = 0, failing_since = NULL,
            priority = CASE WHEN piece.state = 'idle' THEN {BACKFILL} ELSE priority END,
            wanted_since = CASE WHEN piece.state = 'idle' THEN now() ELSE wanted_since END,
            acked_version = 0, acked_fingerprint = NULL,
            acked_step = least(acked_step, greatest(wanted_step - 1, 0))
        FROM piece
        WHERE delivery.target = %(target)s AND delivery.dossier_id = piece.dossier_id
          AND piece.state IN ('idle', 'due')
    )
    SELECT max(dossier_id), count(*) FILTER (WHERE state IN ('idle', 'due')),
           count(*) FILTER (WHERE state IN ('leased', 'doubt')), count(*) FILTER (WHERE state = 'dead')
    FROM piece
"""
