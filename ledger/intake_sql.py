"""The statements of the intake, each named for what it does."""

from ledger.rows import HOME_COLUMNS, NEW_COLUMNS, STATE_COLUMNS, STEP_COLUMNS

# A number of this project's own in the database's space of advisory locks.
PAGES_BEING_STORED = 7_405_312_001

# --- runs and pages ---------------------------------------------------------------------------------------------

# Before anything that gives the transaction its number: see ``feed.py``.
ANNOUNCE_CHANGES = f"SELECT pg_advisory_xact_lock_shared({PAGES_BEING_STORED})"
# Until a system has once been read to its end, what it brings is no news.
START_RUN = """
    INSERT INTO pull_run (run_id, system, mode, window_start, window_end, started_by, tells_once, status, catches_up)
    VALUES (%(run_id)s, %(system)s, %(mode)s, %(start)s, %(end)s, %(started_by)s, %(tells_once)s, 'running',
            %(mode)s IN ('full', 'window') OR (%(mode)s = 'incremental' AND NOT EXISTS (
                SELECT FROM pull_run
                WHERE system = %(system)s AND status = 'succeeded' AND mode IN ('incremental', 'full')
            )))
"""
# The looks of an hour add up in one run. It gets a new number each time, as the newest run of its system must have.
LOOK_AGAIN = """
    UPDATE pull_run
    SET status = 'running', finished_at = NULL, looks = looks + 1, seq = DEFAULT
    WHERE run_id = (
        SELECT run_id FROM pull_run
        WHERE system = %(system)s AND looks IS NOT NULL AND started_by = %(started_by)s
        ORDER BY seq DESC LIMIT 1
    )
      AND status = 'succeeded' AND date_trunc('hour', started_at) = date_trunc('hour', now())
    RETURNING run_id, pages
"""
START_LOOKING = """
    INSERT INTO pull_run (run_id, system, mode, started_by, tells_once, status, looks)
    VALUES (%(run_id)s, %(system)s, 'incremental', %(started_by)s, %(tells_once)s, 'running', 1)
"""
WAS_READ = """
    SELECT count(*) > 0, coalesce(max(finished_at) > now() - make_interval(secs => %(fresh_s)s), false)
    FROM (
        SELECT finished_at FROM pull_run
        WHERE system = %(system)s AND status = 'succeeded' AND mode IN ('incremental', 'full')
        ORDER BY seq DESC LIMIT 1
    ) newest
"""
FINISH_RUN = """
    UPDATE pull_run
    SET status = CASE WHEN %(error)s::text IS NULL THEN 'succeeded' ELSE 'failed' END,
        error = %(error)s, finished_at = now()
    WHERE run_id = %(run_id)s
"""
MARK_INTERRUPTED_RUNS = """
    UPDATE pull_run
    SET status = 'interrupted', error = 'the process ended before the run did', finished_at = now()
    -- Windows and re-drives run beside it under locks of their own; none of them takes a day.
    WHERE system = :system AND status = 'running'
      AND (mode = 'incremental' OR started_at < now() - interval '1 day')
"""
# Who begins with a window again holds its lock, so nobody else is at work on it.
MARK_INTERRUPTED_WINDOW = """
    UPDATE pull_run
    SET status = 'interrupted', error = 'the process ended before the run did', finished_at = now()
    WHERE system = %(system)s AND status = 'running' AND window_start = %(start)s AND window_end = %(end)s
"""
FIND_RUN = """
    SELECT seq, pg_current_xact_id()::text::bigint, (SELECT value FROM pull_cursor WHERE system = %(system)s)
    FROM pull_run
    WHERE run_id = %(run_id)s AND system = %(system)s
"""
FIND_PAGE = """
    SELECT raw_digest, fetched, new_, changed, unchanged, stale, quarantined
    FROM pull_page
    WHERE run_id = %s AND number = %s
"""
ADD_PAGE = """
    INSERT INTO pull_page (run_id, number, fetched, new_, changed, unchanged, stale, quarantined,
                           cursor_before, cursor_after, mapping_version, media_type, raw_digest, fetched_at,
                           told_at, change_no)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
ADD_PAGE_TO_RUN = """
    UPDATE pull_run
    SET pages = pages + 1, fetched = fetched + %s, new_ = new_ + %s, changed = changed + %s,
        unchanged = unchanged + %s, stale = stale + %s, quarantined = quarantined + %s
    WHERE run_id = %s
"""
IS_KEPT = "SELECT EXISTS (SELECT FROM pull_page WHERE run_id = %s AND raw_digest = %s)"
ADD_REPEATED_TO_RUN = """
    UPDATE pull_run
    SET repeated_pages = repeated_pages + 1, repeated = repeated + %s
    WHERE run_id = %s
"""
ARCHIVE_PAGE = "INSERT INTO page_archive (stored_at, run_id, number, raw_size, body) VALUES (now(), %s, %s, %s, %b)"
MOVE_CURSOR = """
    INSERT INTO pull_cursor (system, value, run_seq)
    VALUES (%s, %s, %s)
    ON CONFLICT (system) DO UPDATE
    SET value = excluded.value, run_seq = excluded.run_seq, moved_at = now()
    WHERE pull_cursor.run_seq <= excluded.run_seq
    RETURNING true
"""
READ_CURSOR = "SELECT value FROM pull_cursor WHERE system = :system"
LAST_SUCCESSES = """
    SELECT system, max(finished_at) AS finished_at FROM pull_run
    WHERE status = 'succeeded' AND mode IN ('incremental', 'full')
    GROUP BY system
"""
OPEN_SOURCE_IDS = """
    SELECT source_id FROM dossier
    WHERE home_system = :system AND state NOT IN (3, 7, 8, 10)
    UNION ALL
    SELECT reading.source_id
    FROM dossier_reading reading
    JOIN dossier ON dossier.id = reading.dossier_id
    WHERE reading.system = :system AND dossier.state NOT IN (3, 7, 8, 10)
    ORDER BY 1
"""
# In another order at each turn, so that a run that is killed half-way does not leave the same ones unasked every time.
OPEN_CODES = """
    SELECT dossier.code
    FROM dossier
    LEFT JOIN dossier_reading told ON told.dossier_id = dossier.id AND told.system = :system
    WHERE dossier.state NOT IN (3, 7, 8, 10) AND dossier.home_system <> :system
      AND (cardinality(CAST(:homes AS text[])) = 0 OR dossier.home_system = ANY(:homes))
      AND (cardinality(CAST(:procedures AS text[])) = 0 OR dossier.procedure_stem = ANY(:procedures))
      AND (told.state IS NULL OR told.state NOT IN (3, 7, 8, 10))
    ORDER BY hashtextextended(dossier.code, :turn)
"""

# --- what is known ----------------------------------------------------------------------------------------------

_KNOWN = """
    SELECT id, code, home_system, home_precedence, source_id, content_hash, source_at, observed_at,
           home_state, home_event_at, home_dated, home_mapping_no, state, last_step, last_step_at, illegal_jumps
    FROM dossier
"""
KNOWN_BY_CODE = f"{_KNOWN} WHERE code = ANY(%s)"
KNOWN_BY_ID = f"{_KNOWN} WHERE id = ANY(%s)"
# In id order, so that two pages that share dossiers wait for each other instead of deadlocking.
LOCK_KNOWN = f"{_KNOWN} WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
GUEST_READINGS = """
    SELECT dossier_id, system, precedence, source_id, content_hash, source_at, observed_at, state, event_at, dated,
           mapping_no
    FROM dossier_reading
    WHERE dossier_id = ANY(%s)
"""
BY_NATIONAL_CODE = """
    SELECT alias, dossier_id FROM dossier_alias WHERE system = 'national' AND alias = ANY(%(either)s)
    UNION ALL
    SELECT code, id FROM dossier WHERE code = ANY(%(national)s)
"""

# --- what is written --------------------------------------------------------------------------------------------

TAKE_IDS = "SELECT nextval(pg_get_serial_sequence('dossier', 'id')) FROM generate_series(1, %s)"
COPY_NEW_DOSSIERS = f"COPY dossier ({', '.join(NEW_COLUMNS)}) FROM STDIN"
COPY_NEW_STEPS = f"COPY dossier_step ({', '.join(STEP_COLUMNS)}) FROM STDIN"

_CHANGED_COLUMNS = ("id", *HOME_COLUMNS, *STATE_COLUMNS)
STAGE_CHANGED = f"""
    CREATE TEMP TABLE IF NOT EXISTS stage_changed ON COMMIT DELETE ROWS AS
    SELECT {", ".join(_CHANGED_COLUMNS)} FROM dossier WITH NO DATA
"""
COPY_CHANGED = f"COPY stage_changed ({', '.join(_CHANGED_COLUMNS)}) FROM STDIN"
_NEW_VERSION = "version = version + 1, change_no = pg_current_xact_id()::text::bigint, changed_at_ledger = now()"
APPLY_CHANGED = f"""
    UPDATE dossier
    SET {", ".join(f"{name} = stage.{name}" for name in _CHANGED_COLUMNS[1:])}, {_NEW_VERSION}
    FROM stage_changed stage
    WHERE dossier.id = stage.id
"""
APPLY_STATE = f"""
    UPDATE dossier
    SET {", ".join(f"{name} = moved.{name}" for name in STATE_COLUMNS)}, {_NEW_VERSION}
    FROM unnest(%s::bigint[], %s::smallint[], %s::timestamptz[], %s::text[], %s::int[], %s::timestamptz[], %s::int[])
         AS moved (id, {", ".join(STATE_COLUMNS)})
    WHERE dossier.id = moved.id
"""
ADVANCE_HOME = """
    UPDATE dossier
    SET source_at = advanced.source_at, observed_at = advanced.observed_at, home_mapping_no = advanced.mapping_no
    FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::int[])
         AS advanced (id, source_at, observed_at, mapping_no)
    WHERE dossier.id = advanced.id
"""
KEEP_GUEST_READINGS = """
    INSERT INTO dossier_reading (dossier_id, system, precedence, source_id, content_hash, source_at, observed_at,
                                 state, event_at, dated, mapping_no)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[], %s::bytea[], %s::timestamptz[],
                         %s::timestamptz[], %s::smallint[], %s::timestamptz[], %s::boolean[], %s::int[])
    ON CONFLICT (dossier_id, system) DO UPDATE
    SET precedence = excluded.precedence, source_id = excluded.source_id, content_hash = excluded.content_hash,
        source_at = excluded.source_at, observed_at = excluded.observed_at, state = excluded.state,
        event_at = excluded.event_at, dated = excluded.dated, mapping_no = excluded.mapping_no
"""
FORGET_GUEST_READINGS = "DELETE FROM dossier_reading WHERE dossier_id = ANY(%s) AND system = %s"
ADD_ALIASES = """
    INSERT INTO dossier_alias (system, alias, dossier_id)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[])
    ON CONFLICT DO NOTHING
"""
STAGE_STEPS = f"""
    CREATE TEMP TABLE IF NOT EXISTS stage_steps ON COMMIT DELETE ROWS AS
    SELECT {", ".join(STEP_COLUMNS)} FROM dossier_step WITH NO DATA
"""
COPY_STEPS = f"COPY stage_steps ({', '.join(STEP_COLUMNS)}) FROM STDIN"
# A step that was recorded as late may get its number after all, when its system's newer reading repeats it.
ADD_STEPS = f"""
    INSERT INTO dossier_step ({", ".join(STEP_COLUMNS)})
    SELECT {", ".join(STEP_COLUMNS)} FROM stage_steps
    ON CONFLICT (dossier_id, at, state, system) DO UPDATE
    SET step_no = excluded.step_no, illegal = excluded.illegal
    WHERE dossier_step.step_no IS NULL AND excluded.step_no IS NOT NULL
"""

# --- quarantine -------------------------------------------------------------------------------------------------

ANY_OPEN = "SELECT 1 FROM quarantine WHERE system = %s AND state = 'open' LIMIT 1"
SET_ASIDE_BEFORE = """
    SELECT count(*) FROM quarantine WHERE system = %s AND native_digest = ANY(%s) AND state <> 'redriven'
"""
RESOLVE_QUARANTINE = """
    UPDATE quarantine
    SET state = 'redriven', resolved_at = now(), resolution = 'a later page brought a good record'
    WHERE system = %s AND state = 'open' AND record_key = ANY(%s) AND rule <> %s
"""
QUARANTINE = """
    INSERT INTO quarantine (system, stage, field, rule, message, mapping_version, record_key, native, native_digest,
                            first_run, last_run, fetched_at, times_seen, state)
    SELECT %s, stage, field, rule, message, %s, record_key, native, native_digest, %s, %s, %s, times_seen, 'open'
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bytea[], %s::bigint[])
         AS broken (stage, field, rule, message, record_key, native, native_digest, times_seen)
    ON CONFLICT (system, native_digest) DO UPDATE
    SET stage = excluded.stage, field = excluded.field, rule = excluded.rule, message = excluded.message,
        mapping_version = excluded.mapping_version, record_key = excluded.record_key,
        last_run = excluded.last_run, fetched_at = greatest(quarantine.fetched_at, excluded.fetched_at),
        last_seen_at = CASE WHEN excluded.times_seen > 0 THEN now() ELSE quarantine.last_seen_at END,
        times_seen = quarantine.times_seen + excluded.times_seen,
        state = CASE WHEN quarantine.state = 'dismissed' THEN 'dismissed' ELSE 'open' END,
        resolved_at = CASE WHEN quarantine.state = 'dismissed' THEN quarantine.resolved_at END,
        resolution = CASE WHEN quarantine.state = 'dismissed' THEN quarantine.resolution END
"""
RESOLVE_REDRIVEN = """
    UPDATE quarantine
    SET state = 'redriven', resolved_at = now(), resolution = 'mapped again, mapping ' || %s
    WHERE system = %s AND state = 'open' AND quarantine_id = ANY(%s)
"""
FIND_KEY = "SELECT fingerprint FROM ledger_key"
KEEP_KEY = "INSERT INTO ledger_key (fingerprint) VALUES (%s) ON CONFLICT DO NOTHING"
