"""The statements of the feed and of deliveries, each named for what it does.

Statements that touch several deliveries lock them in dossier order first, so that they wait for each other instead of
deadlocking, and a worker's lease before them; claims skip what is locked. What was locked is changed by its key and
not by its place (ctid): where it had just changed, its new place is not seen yet. Rows that a worker names are looked
up one by one by their key: LATERAL with OFFSET 0 keeps the planner from the partial index of leased rows, which is a
hundred times slower with 1,000 leases. They come as JSON, and numbers as one text: psycopg writes arrays in Python,
value by value, which took a fifth of a delivery's time.
"""

from ledger.intake_sql import PAGES_BEING_STORED

URGENT = 0  # corrections: a citizen sees something wrong right now
NORMAL = 5
BACKFILL = 9  # first loads, full loads, spans of the past, replays: no news
PRIORITIES = (URGENT, NORMAL, BACKFILL)
NEWS = (URGENT, NORMAL)
ALONE = "; given up after so long, with no other message to compare with"
BUCKETS = 64  # agencies take turns by their bucket

# --- feed -------------------------------------------------------------------------------------------------------

FIND_CLUSTER = "SELECT system_identifier FROM pg_control_system()"
KEEP_CLUSTER = "INSERT INTO ledger_cluster (system_identifier) VALUES (%s) ON CONFLICT DO NOTHING"
CHANGES_CLUSTER = "SELECT system_identifier FROM ledger_cluster"
ONE_MOVES = "SELECT pg_advisory_xact_lock(hashtextextended('ledger.feed cluster', 0))"
MOVE_TO_CLUSTER = "UPDATE ledger_cluster SET system_identifier = %s"
MAKE_CHANGES_OLD = """
    UPDATE dossier SET change_no = 1
    WHERE change_no >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
"""
OPEN_FEED = "INSERT INTO target_feed (target, seen, system_identifier) VALUES (%s, 0, %s) ON CONFLICT DO NOTHING"
LOCK_FEED = "SELECT seen, system_identifier FROM target_feed WHERE target = %s FOR UPDATE"
RESTART_FEED = "UPDATE target_feed SET seen = 0, system_identifier = %s WHERE target = %s"
MOVE_FEED = "UPDATE target_feed SET seen = %s WHERE target = %s"
FEED_HORIZON = """
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
           (SELECT change_no FROM dossier WHERE change_no > %(seen)s ORDER BY change_no LIMIT 1)
"""
FEED_UPTO = """
    SELECT max(change_no)
    FROM (
        SELECT change_no FROM dossier
        WHERE change_no > %(seen)s AND (%(horizon)s::bigint IS NULL OR change_no < %(horizon)s)
        ORDER BY change_no
        LIMIT %(limit)s
    ) next
"""
LIMIT_WAIT = "SELECT set_config('lock_timeout', %s, true)"
WAIT_FOR_PAGES = f"SELECT pg_advisory_xact_lock({PAGES_BEING_STORED})"
# A worker may have read, sent and acknowledged the new version before the feed came to it: then nothing is due.
# A row that was given up in doubt is in doubt again: the newer version does not tell what became of the older one.
EXPAND_FEED = f"""
    INSERT INTO delivery AS held (target, dossier_id, state, priority, bucket, due_at, wanted_since, changed_since,
                                  wanted_version, wanted_step)
    SELECT %(target)s, dossier.id, 'due', CASE WHEN run.catches_up THEN {BACKFILL} ELSE {NORMAL} END,
           hashtextextended(dossier.agency_code, 0) & {BUCKETS - 1}, now(), coalesce(page.told_at, changed_at_ledger),
           CASE WHEN source.at <= page.told_at THEN source.at END, version, last_step
    FROM dossier
    LEFT JOIN LATERAL (
        SELECT told_at, run_id FROM pull_page WHERE pull_page.change_no = dossier.change_no LIMIT 1
    ) page ON true
    LEFT JOIN pull_run run ON run.run_id = page.run_id
    LEFT JOIN dossier_reading guest ON guest.dossier_id = dossier.id AND guest.system = run.system
    CROSS JOIN LATERAL (
        -- A clock that is ahead of ours says nothing about how long ago that was.
        SELECT CASE WHEN run.system = dossier.home_system THEN dossier.source_at ELSE guest.source_at END AS at
    ) source
    WHERE dossier.change_no > %(seen)s AND dossier.change_no <= %(upto)s
    ORDER BY dossier.id
    ON CONFLICT (target, dossier_id) DO UPDATE
    SET wanted_version = excluded.wanted_version,
        wanted_step = excluded.wanted_step,
        state = CASE
            WHEN held.state = 'dead' THEN CASE WHEN held.sending_phase IS NULL THEN 'due' ELSE 'doubt' END
            WHEN held.state = 'idle'
                AND (excluded.wanted_version > held.acked_version OR excluded.wanted_step > held.acked_step) THEN 'due'
            ELSE held.state
        END,
        due_at = CASE WHEN held.state IN ('idle', 'dead') THEN now() ELSE held.due_at END,
        wanted_since = CASE WHEN held.state IN ('idle', 'dead') THEN excluded.wanted_since ELSE held.wanted_since END,
        changed_since = CASE WHEN held.state IN ('idle', 'dead') THEN excluded.changed_since
                             ELSE least(held.changed_since, excluded.changed_since) END,
        priority = CASE WHEN held.state IN ('idle', 'dead') THEN excluded.priority
                        ELSE least(held.priority, excluded.priority) END,
        bucket = excluded.bucket,
        attempts = CASE WHEN held.state = 'dead' THEN 0 ELSE held.attempts END,
        strikes = 0, failing_since = NULL
    WHERE excluded.wanted_version > held.wanted_version
"""

HAS_NEWS = f"""
    SELECT EXISTS (SELECT FROM delivery
                   WHERE target = :target AND state IN ('due', 'doubt') AND priority < {BACKFILL} AND due_at <= now())
        OR EXISTS (SELECT FROM delivery_lease lease
                   JOIN delivery ON delivery.target = lease.target AND delivery.lease_owner = lease.owner
                       AND delivery.state = 'leased' AND delivery.priority < {BACKFILL}
                   WHERE lease.target = :target AND lease.until < now())
        OR EXISTS (SELECT FROM dossier
                   WHERE change_no > coalesce((SELECT seen FROM target_feed WHERE target_feed.target = :target), 0))
"""

# --- claiming ---------------------------------------------------------------------------------------------------

OPEN_LEASE = """
    INSERT INTO delivery_lease AS lease (target, owner, until)
    VALUES (%(target)s, %(owner)s, now() + make_interval(secs => %(lease_s)s))
    ON CONFLICT (target, owner) DO UPDATE SET until = excluded.until
"""


def _end_leases(chosen: str, due_at: str) -> str:
    """What was surely not sent is due again; what the written intent names is in doubt, and so is an older doubt."""
    return f"""
    WITH ended AS MATERIALIZED (
        DELETE FROM delivery_lease
        WHERE target = %(target)s AND owner IN (
            SELECT owner FROM delivery_lease WHERE target = %(target)s AND {chosen} FOR UPDATE SKIP LOCKED
        )
        RETURNING owner, sending_phase, sending, sending_at
    ), sent AS MATERIALIZED (
        SELECT owner, sending_phase AS phase, sending_at AS at, (message ->> 0)::bigint AS dossier_id,
               (message ->> 1)::bigint AS version, (message ->> 2)::int AS step
        FROM ended CROSS JOIN json_array_elements(sending) message
    ), held AS MATERIALIZED (
        SELECT delivery.dossier_id, delivery.lease_owner
        FROM delivery
        WHERE delivery.target = %(target)s AND delivery.state = 'leased'
          AND delivery.lease_owner = ANY(ARRAY(SELECT owner FROM ended))
        ORDER BY delivery.dossier_id
        FOR UPDATE
    )
    UPDATE delivery
    SET state = CASE WHEN coalesce(sent.phase, delivery.sending_phase) IS NULL THEN 'due' ELSE 'doubt' END,
        sending_phase = coalesce(sent.phase, delivery.sending_phase),
        sending_version = coalesce(sent.version, delivery.sending_version),
        sending_step = coalesce(sent.step, delivery.sending_step),
        sending_at = coalesce(sent.at, delivery.sending_at),
        due_at = {due_at}, lease_owner = NULL
    FROM held LEFT JOIN sent ON sent.owner = held.lease_owner AND sent.dossier_id = held.dossier_id
    WHERE delivery.target = %(target)s AND delivery.dossier_id = held.dossier_id
    """


END_EXPIRED_LEASES = _end_leases("until < now()", "now()")
RELEASE = _end_leases("owner = %(owner)s", "now() + make_interval(secs => %(delay_s)s)")
# Asked first: most priorities are empty, and to find that out bucket by bucket costs many times as much.
WAITING_PRIORITIES = """
    SELECT priority
    FROM unnest(%(priorities)s::smallint[]) AS level (priority)
    WHERE EXISTS (SELECT FROM delivery
                  WHERE target = %(target)s AND state IN ('due', 'doubt') AND delivery.priority = level.priority)
    ORDER BY priority
"""
# One priority at a time, and of each bucket a share: the index then gives the oldest due rows of each in order, and
# rows that wait for their next try (due later) are never walked over. So the cost of a claim does not grow with the
# backlog, and no agency waits behind another one's.
CLAIM = """
    WITH next AS MATERIALIZED (
        SELECT mine.dossier_id, turn.bucket
        FROM unnest(%(buckets)s::smallint[]) AS turn (bucket)
        CROSS JOIN LATERAL (
            SELECT dossier_id FROM delivery
            WHERE target = %(target)s AND state IN ('due', 'doubt') AND priority = %(priority)s
              AND bucket = turn.bucket AND due_at <= now()
            ORDER BY due_at
            LIMIT %(share)s
            FOR UPDATE SKIP LOCKED
        ) mine
        LIMIT %(limit)s
    )
    UPDATE delivery
    SET state = 'leased', token = token + 1, lease_owner = %(owner)s
    FROM next
    WHERE delivery.target = %(target)s AND delivery.dossier_id = next.dossier_id
    RETURNING delivery.dossier_id, next.bucket, token, acked_version, acked_step, acked_fingerprint, known, attempts,
              coalesce(coalesce(last_at, wanted_since) <= %(caught_up_at)s, false) AS is_unsure,
              sending_phase, sending_version, sending_step, sending_at
"""
CLAIMED_DOSSIERS = """
    SELECT id, last_step, first_step_at, last_step_at, attributes::text, personal,
           CASE WHEN %(other_codes)s THEN (
               SELECT alias FROM dossier_alias WHERE dossier_id = dossier.id AND system = %(target)s LIMIT 1
           ) END AS held_as,
           code, version, source_id, national_code, procedure_code, agency_code, channel, subject_kind, level,
           submitted_at, received_at, due_at, finished_at, returned_at, result_delivery, online_payment,
           state, state_at, source_at AS changed_at
    FROM dossier
    WHERE id = ANY(%(ids)s::bigint[])
"""
# The span of time lets PostgreSQL leave out the months that cannot hold any of these steps.
CLAIMED_STEPS = """
    SELECT step.dossier_id, step.step_no, step.at, step.state, step.unit, step.personal
    FROM unnest(%(ids)s::bigint[], %(acked)s::int[]) AS claimed (dossier_id, acked_step)
    JOIN dossier_step step ON step.dossier_id = claimed.dossier_id AND step.step_no > claimed.acked_step
    WHERE step.at BETWEEN %(first)s AND %(last)s
    ORDER BY step.dossier_id, step.step_no
"""

# --- sending and settling ---------------------------------------------------------------------------------------

# One row for all: what a lease covers can't be taken from its owner as long as the lease is there.
MARK_SENDING = """
    UPDATE delivery_lease
    SET sending_phase = %(phase)s, sending = %(messages)s, sending_at = now(),
        until = now() + make_interval(secs => %(lease_s)s)
    WHERE target = %(target)s AND owner = %(owner)s
"""
SENT = """
    UPDATE delivery_lease SET sending = NULL
    WHERE target = %(target)s AND owner = %(owner)s AND sending IS NOT NULL
    RETURNING sending_at
"""
# Kept before anything is sent again: from then on finding the dossier there proves nothing about a later message.
KEEP_KNOWN = """
    UPDATE delivery SET known = true
    FROM (
        SELECT held.dossier_id
        FROM (
            SELECT * FROM json_to_recordset(%(rows)s) AS mine (dossier_id bigint, token bigint) ORDER BY dossier_id
        ) mine
        CROSS JOIN LATERAL (
            SELECT dossier_id, token FROM delivery
            WHERE target = %(target)s AND dossier_id = mine.dossier_id
            OFFSET 0
            FOR UPDATE
        ) held
        WHERE held.token = mine.token
    ) found
    WHERE delivery.target = %(target)s AND delivery.dossier_id = found.dossier_id AND NOT known
"""
# Once for each doubt, known by the moment of its sending: claimed and given back unsent, it is not counted twice.
RECORD_SENT_AGAIN = """
    INSERT INTO sent_again AS known (target, dossier_id, phase, version, step, state, copies, doubt_at)
    SELECT %(target)s, doubt.dossier_id, doubt.phase, doubt.version, doubt.step, coalesce(step.state, dossier.state), 1,
           doubt.since
    FROM unnest(%(ids)s::bigint[], %(tokens)s::bigint[], %(phases)s::text[], %(versions)s::bigint[], %(steps)s::int[],
                %(since)s::timestamptz[]) AS doubt (dossier_id, token, phase, version, step, since)
    JOIN delivery ON delivery.target = %(target)s AND delivery.dossier_id = doubt.dossier_id
        AND delivery.token = doubt.token AND delivery.state = 'leased'
    JOIN dossier ON dossier.id = doubt.dossier_id
    LEFT JOIN dossier_step step
        ON doubt.phase = 'step' AND step.dossier_id = doubt.dossier_id AND step.step_no = doubt.step
    ORDER BY doubt.dossier_id
    ON CONFLICT (target, dossier_id, phase, version, step) DO UPDATE
    SET copies = known.copies + 1, doubt_at = excluded.doubt_at
    WHERE known.doubt_at <> excluded.doubt_at
"""
_MINE = "held.token = told.token AND held.state IN ('leased', 'doubt')"
RECORD_GIVEN_UP = f"""
    WITH told AS MATERIALIZED (
        SELECT told.*, held.acked_step
        FROM (
            SELECT * FROM json_to_recordset(%(rows)s)
                AS told (dossier_id bigint, token bigint, phase text, version bigint, step int)
            ORDER BY dossier_id
        ) told
        CROSS JOIN LATERAL (
            SELECT token, state, acked_step FROM delivery
            WHERE target = %(target)s AND dossier_id = told.dossier_id
            OFFSET 0
            FOR UPDATE
        ) held
        WHERE {_MINE}
    )
    INSERT INTO doubtful_send (target, dossier_id, phase, version, step, state)
    SELECT %(target)s, told.dossier_id, told.phase, told.version, 0, dossier.state
    FROM told JOIN dossier ON dossier.id = told.dossier_id
    WHERE told.phase = 'dossier'
    UNION ALL
    SELECT %(target)s, told.dossier_id, told.phase, told.version, step.step_no, step.state
    FROM told
    JOIN dossier_step step
      ON step.dossier_id = told.dossier_id AND step.step_no > told.acked_step AND step.step_no <= told.step
    WHERE told.phase = 'step'
    ON CONFLICT DO NOTHING
"""
# A lease that ran out after the intent was written has left the row in doubt; who sent it may still say what came of
# it, as long as nobody else has claimed the row (the token is the same).
# A failure is a strike against the record when the target took another one since this record's last try: what ails the
# target as a whole is nobody's fault. Enough strikes, or the first after too long, and the record is given up. One that
# is all the target gets can be compared with nothing: it is given up after a time that no outage lasts.
SETTLE = f"""
    WITH told AS MATERIALIZED (
        SELECT told.*, is_there, is_there AND phase = 'dossier' AS is_record,
               held.state AS former_state, held.priority AS former_priority, held.wanted_version, held.wanted_step,
               held.acked_version, held.acked_step, held.strikes, held.failing_since, held.last_at, held.wanted_since,
               held.changed_since
        FROM (
            SELECT * FROM json_to_recordset(%(rows)s) AS told (
                dossier_id bigint, token bigint, phase text, outcome text, version bigint, step int,
                fingerprint bytea, reason text, delay_s float8, hold boolean, passes bigint)
            ORDER BY dossier_id
        ) told
        CROSS JOIN LATERAL (SELECT outcome IN ('accepted', 'unchanged', 'given_up') AS is_there) meaning
        CROSS JOIN LATERAL (
            SELECT token, state, priority, wanted_version, wanted_step, acked_version, acked_step, strikes,
                   failing_since, last_at, wanted_since, changed_since
            FROM delivery
            WHERE target = %(target)s AND dossier_id = told.dossier_id
            OFFSET 0
            FOR UPDATE
        ) held
        WHERE {_MINE}
    ), reached AS (
        SELECT told.*,
               greatest(acked_version, CASE WHEN is_record THEN version WHEN is_there THEN passes END) AS to_version,
               greatest(acked_step, CASE WHEN is_record THEN passes WHEN is_there THEN step END) AS to_step,
               failing.is_strike, failing.gave_up, failing.gave_up AND NOT failing.is_strike AS gave_up_alone
        FROM told
        CROSS JOIN LATERAL (
            SELECT is_strike, coalesce(CASE WHEN is_strike
                THEN told.strikes + 1 >= %(most_strikes)s
                    OR told.failing_since <= now() - make_interval(secs => %(longest_s)s)
                ELSE told.failing_since <= now() - make_interval(secs => %(alone_s)s)
            END, false) AS gave_up
            FROM (
                SELECT coalesce((SELECT taken_at FROM target_gate WHERE target = %(target)s) > told.last_at, false)
            ) AS healthy (is_strike)
        ) failing
    ), after AS MATERIALIZED (
        SELECT reached.*,
            CASE outcome
                WHEN 'in_doubt' THEN CASE WHEN gave_up THEN 'dead' ELSE 'doubt' END
                WHEN 'retry' THEN CASE WHEN gave_up THEN 'dead' ELSE 'due' END
                WHEN 'rejected' THEN CASE WHEN wanted_version > version THEN 'due' ELSE 'dead' END
                ELSE CASE
                    WHEN hold AND former_state = 'leased' THEN 'leased'
                    WHEN to_version >= wanted_version AND to_step >= wanted_step THEN 'idle'
                    ELSE 'due'
                END
            END AS state
        FROM reached
    ), done AS (
        UPDATE delivery
        SET state = after.state,
            acked_version = after.to_version,
            acked_step = after.to_step,
            acked_fingerprint = CASE WHEN is_record THEN after.fingerprint ELSE acked_fingerprint END,
            known = known OR (is_record AND outcome <> 'given_up'),
            attempts = CASE WHEN is_there THEN 0 ELSE attempts + 1 END,
            strikes = CASE WHEN is_there THEN 0 ELSE after.strikes + is_strike::int END,
            failing_since = CASE WHEN NOT is_there THEN coalesce(after.failing_since, now()) END,
            priority = CASE WHEN after.state = 'idle' THEN {NORMAL} ELSE priority END,
            due_at = now() + make_interval(secs => after.delay_s),
            lease_owner = CASE WHEN after.state = 'leased' THEN lease_owner END,
            sending_phase = CASE WHEN outcome = 'in_doubt' THEN after.phase END,
            sending_version = CASE WHEN outcome = 'in_doubt' THEN after.version END,
            sending_step = CASE WHEN outcome = 'in_doubt' THEN after.step END,
            sending_at = CASE WHEN outcome = 'in_doubt' THEN coalesce(%(sent_at)s::timestamptz, sending_at, now()) END,
            last_outcome = outcome, last_at = now(),
            last_reason = reason || CASE WHEN gave_up_alone AND outcome IN ('retry', 'in_doubt')
                                         THEN '{ALONE}' ELSE '' END
        FROM after
        WHERE delivery.target = %(target)s AND delivery.dossier_id = after.dossier_id
    ), recorded AS (
        INSERT INTO delivery_attempt (at, target, dossier_id, phase, version, step, outcome, reason, waited_s, aged_s)
        SELECT now(), %(target)s, dossier_id, phase, version, step, outcome, reason,
               CASE WHEN is_timed THEN extract(epoch FROM now() - wanted_since) END,
               CASE WHEN is_timed THEN extract(epoch FROM now() - changed_since) END
        FROM after
        CROSS JOIN LATERAL (SELECT state = 'idle' AND former_priority < {BACKFILL} AS is_timed) timing
    )
    SELECT outcome, count(*) FROM after GROUP BY outcome
"""
BACKLOG = """
    SELECT
        count(*) FILTER (WHERE state = 'due' AND due_at <= now()) AS due,
        count(*) FILTER (WHERE state = 'due' AND due_at > now()) AS due_later,
        (SELECT count(*) FROM delivery WHERE target = :target AND state = 'leased') AS leased,
        count(*) FILTER (WHERE state = 'doubt') AS doubt,
        (SELECT count(*) FROM delivery WHERE target = :target AND state = 'dead') AS dead,
        min(due_at) AS next_due_at
    FROM delivery
    WHERE target = :target AND state IN ('due', 'doubt')
"""
