"""The statements of the report, each named for what it does."""

SYSTEMS = """
    SELECT systems.system,
        coalesce(held.dossiers, 0) AS dossiers, coalesce(held.open_dossiers, 0) AS open_dossiers,
        held.newest_change_at,
        succeeded.finished_at AS last_success_at,
        pull_cursor.value AS cursor, pull_cursor.moved_at AS cursor_moved_at,
        (SELECT count(*) FROM quarantine
         WHERE quarantine.system = systems.system AND quarantine.state = 'open') AS open_quarantine
    FROM (SELECT DISTINCT system FROM pull_run WHERE mode <> 'redrive') systems
    LEFT JOIN (
        SELECT home_system, count(*) AS dossiers, count(*) FILTER (WHERE state NOT IN (3, 7, 8, 10)) AS open_dossiers,
               max(source_at) AS newest_change_at
        FROM dossier
        GROUP BY home_system
    ) held ON held.home_system = systems.system
    LEFT JOIN LATERAL (
        SELECT finished_at FROM pull_run
        WHERE pull_run.system = systems.system AND status = 'succeeded' AND mode <> 'redrive'
        ORDER BY seq DESC LIMIT 1
    ) succeeded ON true
    LEFT JOIN pull_cursor ON pull_cursor.system = systems.system
    ORDER BY systems.system
"""
TARGETS = """
    SELECT target_feed.target,
        coalesce(counted.dossiers, 0) AS dossiers, coalesce(counted.settled, 0) AS settled,
        coalesce(counted.due, 0) AS due, coalesce(counted.leased, 0) AS leased,
        coalesce(counted.doubt, 0) AS doubt, coalesce(counted.dead, 0) AS dead,
        (SELECT count(*) FROM dossier
         WHERE change_no > target_feed.seen) AS not_yet_expanded,
        counted.oldest_due_at, counted.last_sent_at,
        (SELECT count(*) FROM doubtful_send
         WHERE doubtful_send.target = target_feed.target AND resolution IS NULL) AS doubtful_sends,
        (SELECT coalesce(sum(copies), 0) FROM sent_again
         WHERE sent_again.target = target_feed.target) AS perhaps_doubled,
        (SELECT count(*) FROM break_
         WHERE break_.target = target_feed.target AND break_.status <> 'closed') AS open_breaks
    FROM target_feed
    LEFT JOIN (
        SELECT target, count(*) AS dossiers,
            count(*) FILTER (WHERE state = 'idle') AS settled,
            count(*) FILTER (WHERE state = 'due') AS due,
            count(*) FILTER (WHERE state = 'leased') AS leased,
            count(*) FILTER (WHERE state = 'doubt') AS doubt,
            count(*) FILTER (WHERE state = 'dead') AS dead,
            min(due_at) FILTER (WHERE state = 'due') AS oldest_due_at,
            max(last_at) AS last_sent_at
        FROM delivery
        GROUP BY target
    ) counted USING (target)
    ORDER BY target_feed.target
"""
PULL_RUNS = """
    SELECT run_id, system, mode, window_start, window_end, started_by, status, error, started_at, finished_at, pages,
           fetched, new_ AS new, changed, unchanged, stale, quarantined, looks, repeated_pages
    FROM pull_run
    WHERE CAST(:system AS text) IS NULL OR system = :system
    ORDER BY seq DESC
    LIMIT :limit
"""
LAST_PULL_RUNS = """
    SELECT DISTINCT ON (system)
           run_id, system, mode, window_start, window_end, started_by, status, error, started_at, finished_at, pages,
           fetched, new_ AS new, changed, unchanged, stale, quarantined, looks, repeated_pages
    FROM pull_run
    WHERE mode <> 'redrive'
    ORDER BY system, seq DESC
"""
_RECONCILE_RUN = """
    run_id, target, method, scope, as_of, grace_s, status, error, started_at, finished_at, ours, theirs, matched,
    in_flight, duplicate, rejected, missing_at_target, unknown_to_us, stale_at_target, mismatch, buckets_matched,
    buckets_mismatched, opened, closed, healed, held_back
"""
RECONCILE_RUNS = f"""
    SELECT {_RECONCILE_RUN}
    FROM reconcile_run
    WHERE CAST(:target AS text) IS NULL OR target = :target
    ORDER BY seq DESC
    LIMIT :limit
"""
LAST_RECONCILE_RUNS = f"""
    SELECT DISTINCT ON (target) {_RECONCILE_RUN}
    FROM reconcile_run
    ORDER BY target, seq DESC
"""
QUARANTINE = """
    SELECT quarantine_id, system, stage, field, rule, message, mapping_version, record_key, first_seen_at, last_seen_at,
           times_seen, state, resolved_at, resolution
    FROM quarantine
    WHERE (CAST(:system AS text) IS NULL OR system = :system) AND (NOT :only_open OR state = 'open')
    ORDER BY last_seen_at DESC, quarantine_id DESC
    LIMIT :limit
"""
DEAD_DELIVERIES = """
    SELECT delivery.target, dossier.code, delivery.last_reason AS reason, delivery.last_at, delivery.attempts
    FROM delivery JOIN dossier ON dossier.id = delivery.dossier_id
    WHERE delivery.state = 'dead' AND (CAST(:target AS text) IS NULL OR delivery.target = :target)
    ORDER BY delivery.last_at DESC, dossier.code
    LIMIT :limit
"""
STATES = "SELECT state, count(*) AS dossiers FROM dossier GROUP BY state ORDER BY state"
ILLEGAL_JUMPS = """
    SELECT dossier.code, step.at, step.system, step.state,
        (SELECT former.state FROM dossier_step former
         WHERE former.dossier_id = step.dossier_id AND former.step_no = step.step_no - 1) AS former_state
    FROM dossier
    JOIN dossier_step step ON step.dossier_id = dossier.id
    WHERE dossier.illegal_jumps > 0 AND step.illegal AND step.step_no IS NOT NULL
    ORDER BY step.at DESC, dossier.code
    LIMIT :limit
"""
