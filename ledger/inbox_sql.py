"""The statements of the inbox, each named for what it does."""

# One statement and one round trip, so that nobody holds a system's turn while a client sleeps. The turn comes before
# the number: the numbers of one system become visible in their order, and a reader that goes on from the highest one
# it saw misses nothing. Whoever listens is told once the call is durable, never before.
PUT = """
    WITH turn AS MATERIALIZED (
        SELECT pg_advisory_xact_lock(hashtextextended('hosync inbox:' || %(system)s, 0))
    ), stored AS (
        INSERT INTO inbox (system, kind, digest, body, remote)
        SELECT %(system)s, %(kind)s, %(digest)s, %(body)s, %(remote)s FROM turn
        ON CONFLICT (system, digest) DO NOTHING
        RETURNING pg_notify('hosync_inbox', system)
    )
    INSERT INTO inbox_tally (system, day, outcome, calls)
    SELECT %(system)s, (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date,
           CASE WHEN EXISTS (SELECT FROM stored) THEN 'stored' ELSE 'repeated' END, 1
    ON CONFLICT (system, day, outcome) DO UPDATE SET calls = inbox_tally.calls + excluded.calls
    RETURNING outcome
"""
LISTEN = "LISTEN hosync_inbox"
COUNT = """
    INSERT INTO inbox_tally (system, day, outcome, calls)
    VALUES (%(system)s, (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date, %(outcome)s, %(calls)s)
    ON CONFLICT (system, day, outcome) DO UPDATE SET calls = inbox_tally.calls + excluded.calls
"""
TALLY = """
    SELECT outcome, sum(calls)::bigint FROM inbox_tally WHERE system = %(system)s GROUP BY outcome
"""
AFTER = """
    SELECT message_id, kind, received_at, body FROM inbox
    WHERE system = %(system)s AND message_id > %(position)s
    ORDER BY message_id
    LIMIT %(limit)s
"""
RECEIVED = """
    SELECT message_id, kind, received_at, body FROM inbox
    WHERE system = %(system)s AND message_id > %(position)s AND received_at >= %(start)s AND received_at < %(end)s
    ORDER BY message_id
    LIMIT %(limit)s
"""
_CONSUMED = "coalesce((SELECT value::bigint FROM pull_cursor WHERE system = %(system)s), 0)"
# Behind a system's cursor: stored, and not in the ledger yet.
CALLS = """
    SELECT system, stored, repeated, refused, no_secret, waiting, oldest_waiting_at
    FROM (
        SELECT system,
               coalesce(sum(calls) FILTER (WHERE outcome = 'stored'), 0)::bigint AS stored,
               coalesce(sum(calls) FILTER (WHERE outcome = 'repeated'), 0)::bigint AS repeated,
               coalesce(sum(calls) FILTER (WHERE outcome = 'refused'), 0)::bigint AS refused,
               coalesce(sum(calls) FILTER (WHERE outcome = 'no_secret'), 0)::bigint AS no_secret
        FROM inbox_tally GROUP BY system
    ) AS tally
    CROSS JOIN LATERAL (
        SELECT count(*) AS waiting, min(received_at) AS oldest_waiting_at
        FROM inbox
        WHERE inbox.system = tally.system AND message_id > coalesce(
            (SELECT value::bigint FROM pull_cursor WHERE pull_cursor.system = tally.system), 0)
    ) AS behind
"""
FORGET = f"""
    DELETE FROM inbox
    WHERE system = %(system)s AND received_at < %(before)s AND message_id <= {_CONSUMED}
"""
# What was refused is tried again, but not every minute.
TO_ANNOUNCE = """
    SELECT code
    FROM unnest(%(codes)s::text[]) WITH ORDINALITY AS open (code, place)
    WHERE NOT EXISTS (
        SELECT FROM announced
        WHERE announced.system = %(system)s AND announced.code = open.code
          AND (accepted OR tried_at > now() - interval '1 day')
    )
    ORDER BY place
"""
NOTE_ANNOUNCED = """
    INSERT INTO announced (system, code, accepted)
    VALUES (%(system)s, %(code)s, %(accepted)s)
    ON CONFLICT (system, code) DO UPDATE SET accepted = excluded.accepted, tried_at = now()
"""
