"""The statements of the reports, each named for what it does."""

KEY = "target, kind, period, agency_code"

# What is new is due. What has changed is due again where the target replaces it, and where it never got it; of a report
# that is on its way, or in doubt, it is found when that has ended.
KEEP = """
    INSERT INTO report AS held (target, kind, period, agency_code, agency_name, state, wanted)
    SELECT %(target)s, %(kind)s, period, agency_code, agency_name, 'due', wanted
    FROM unnest(%(periods)s::date[], %(agencies)s::text[], %(names)s::text[], %(wanted)s::jsonb[], %(empty)s::boolean[])
         AS counted (period, agency_code, agency_name, wanted, is_empty)
    WHERE NOT is_empty OR EXISTS (
        SELECT FROM report former
        WHERE former.target = %(target)s AND former.kind = %(kind)s AND former.period = counted.period
          AND former.agency_code = counted.agency_code
    )
    ORDER BY period, agency_code
    ON CONFLICT (target, kind, period, agency_code) DO UPDATE
    SET agency_name = coalesce(excluded.agency_name, held.agency_name), wanted = excluded.wanted,
        state = CASE WHEN held.state = 'dead' OR (held.state = 'idle' AND %(replaces)s) THEN 'due' ELSE held.state END,
        due_at = CASE WHEN held.state IN ('idle', 'dead') THEN now() ELSE held.due_at END,
        attempts = CASE WHEN held.state IN ('idle', 'dead') THEN 0 ELSE held.attempts END
    WHERE held.wanted <> excluded.wanted
"""
KNOWN = """
    SELECT period, agency_code FROM report
    WHERE target = %(target)s AND kind = %(kind)s AND period = ANY(%(periods)s::date[])
"""
LAST_PERIOD = "SELECT max(period) FROM report WHERE target = :target AND kind = :kind"
CLAIM = """
    UPDATE report
    SET state = 'leased', lease_owner = %(owner)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s),
        token = token + 1
    WHERE (target, kind, period, agency_code) IN (
        SELECT target, kind, period, agency_code FROM report
        WHERE target = %(target)s
          AND ((state IN ('due', 'doubt') AND due_at <= now())
               OR (state = 'leased' AND lease_until < clock_timestamp()))
        ORDER BY period, kind, agency_code
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    RETURNING kind, period, agency_code, agency_name, wanted, sending, token, attempts
"""
_MINE = (
    "target = %(target)s AND kind = %(kind)s AND period = %(period)s AND agency_code = %(agency)s AND token = %(token)s"
)
MARK_SENDING = f"""
    UPDATE report
    SET sending = %(sent)s, sending_at = clock_timestamp(), copies = copies + %(copies)s,
        lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    WHERE {_MINE} AND state = 'leased' AND lease_owner = %(owner)s
"""
# What surely did not go out leaves the report as it was claimed.
RELEASE = f"""
    UPDATE report
    SET state = CASE WHEN %(doubt)s::jsonb IS NULL THEN 'due' ELSE 'doubt' END, sending = %(doubt)s,
        copies = copies - %(copies)s, due_at = now() + make_interval(secs => %(delay_s)s),
        lease_owner = NULL, lease_until = NULL
    WHERE {_MINE} AND state = 'leased'
"""
# An acknowledgement covers what was sent: what has changed meanwhile is due again where the target replaces it.
SETTLE = f"""
    UPDATE report
    SET state = CASE
            WHEN %(outcome)s = 'in_doubt' OR (%(outcome)s = 'retry' AND %(doubt)s::jsonb IS NOT NULL) THEN 'doubt'
            WHEN %(outcome)s = 'retry' THEN 'due'
            WHEN %(outcome)s = 'rejected' AND wanted = %(sent)s THEN 'dead'
            WHEN %(outcome)s = 'rejected' OR (%(replaces)s AND wanted <> %(sent)s) THEN 'due'
            ELSE 'idle' END,
        acked = CASE WHEN %(outcome)s = 'accepted' THEN %(sent)s::jsonb ELSE acked END,
        acked_at = CASE WHEN %(outcome)s = 'accepted' THEN now() ELSE acked_at END,
        sending = CASE %(outcome)s WHEN 'in_doubt' THEN sending WHEN 'retry' THEN %(doubt)s END,
        copies = copies - CASE %(outcome)s WHEN 'retry' THEN %(copies)s ELSE 0 END,
        attempts = CASE WHEN %(outcome)s IN ('retry', 'in_doubt') THEN attempts + 1 ELSE 0 END,
        due_at = now() + make_interval(secs => %(delay_s)s),
        lease_owner = NULL, lease_until = NULL,
        last_outcome = %(outcome)s, last_reason = nullif(%(reason)s, ''), last_at = now()
    WHERE {_MINE} AND state = 'leased'
"""
AGAIN = """
    UPDATE report
    SET state = 'due', due_at = now(), attempts = 0, sending = NULL, sending_at = NULL
    WHERE target = %(target)s AND state IN ('idle', 'doubt', 'dead')
      AND (%(period)s::date IS NULL OR period = %(period)s)
      AND (%(agency)s::text IS NULL OR agency_code = %(agency)s)
      AND (NOT %(only_failed)s OR state = 'dead' OR last_outcome = 'given_up')
"""
LIST = """
    SELECT target, kind, period, agency_code, agency_name, state, due_at, wanted, acked, acked_at, attempts, copies,
           last_outcome, last_reason, last_at,
           acked IS NOT NULL AND acked <> wanted AS has_changed
    FROM report
    WHERE (CAST(:target AS text) IS NULL OR target = :target) AND (CAST(:period AS date) IS NULL OR period = :period)
    ORDER BY target, kind, period DESC, agency_code
    LIMIT :limit
"""
COUNT = """
    SELECT target, kind, count(*) AS reports, max(period) AS last_period,
           count(*) FILTER (WHERE state IN ('due', 'leased')) AS due,
           count(*) FILTER (WHERE state = 'doubt') AS doubt,
           count(*) FILTER (WHERE state = 'dead') AS dead,
           count(*) FILTER (WHERE state = 'idle' AND last_outcome = 'given_up') AS given_up,
           count(*) FILTER (WHERE state = 'idle' AND acked IS NOT NULL) AS sent,
           count(*) FILTER (WHERE state = 'idle' AND acked <> wanted) AS changed,
           coalesce(sum(copies), 0) AS perhaps_doubled,
           max(acked_at) AS last_sent_at
    FROM report
    GROUP BY target, kind
    ORDER BY target, kind
"""
NEXT_DUE = """
    SELECT min(coalesce(lease_until, due_at)) FROM report WHERE target = :target AND state IN ('due', 'doubt', 'leased')
"""
