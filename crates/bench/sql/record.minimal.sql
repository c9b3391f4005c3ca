-- What recording one deployment needs, in one statement and so in one commit: the names are looked up, the record is
-- added, the current state moves, the audit event is written. pgbench -M prepared sends it; `reporter` comes from -D.
\set a random(0, 399)
\set e random(0, 19)
\set v random(0, 4)
WITH target AS (
  SELECT j.id AS project_id, a.id AS application_id, a.key, v.id AS version_id, e.id AS environment_id, e.slug,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
  FROM project j
  JOIN application a ON a.project_id = j.id AND a.key = 'app-' || :a
  JOIN version v ON v.application_id = a.id AND v.identifier = 'v' || :v
  JOIN environment e ON e.project_id = j.id AND e.slug = 'env-' || :e
  WHERE j.slug = 'default' AND j.archived_at IS NULL
), record AS (
  INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at,
    reported_at, recorded_at, reporter_id, deployed_by_id, notes, attributes)
  SELECT gen_random_uuid(), project_id, application_id, version_id, environment_id, 'DEPLOYED', now, now, now,
    :reporter::uuid, :reporter::uuid, '', '{}' FROM target
  ON CONFLICT DO NOTHING
  RETURNING id, sequence, project_id, deployed_at, deployed_by_id
), state AS (
  INSERT INTO current_state (environment_id, application_id, project_id, application_key, environment_slug,
    record_sequence, kind, deployed_at, version_id, record_id, deployed_by_id)
  SELECT t.environment_id, t.application_id, t.project_id, t.key, t.slug, r.sequence, 'DEPLOYED', r.deployed_at,
    t.version_id, r.id, r.deployed_by_id FROM target t, record r
  ON CONFLICT (environment_id, application_id) DO UPDATE SET record_sequence = excluded.record_sequence,
    kind = excluded.kind, deployed_at = excluded.deployed_at, version_id = excluded.version_id,
    record_id = excluded.record_id, deployed_by_id = excluded.deployed_by_id
  WHERE current_state.record_sequence IS NULL
    OR (excluded.deployed_at, excluded.record_sequence) > (current_state.deployed_at, current_state.record_sequence)
)
INSERT INTO audit_event (id, chain_id, at, principal_id, command, outcome, resource_kind, resource_name, after_json,
  facts, correlation_id, repeat_count)
SELECT gen_random_uuid(), r.project_id, r.deployed_at, :reporter::uuid, 'RecordDeployment', 'ALLOWED',
  'deployment_record', r.id::text,
  '{"application":"app-123","created":{},"deployed_at":"2026-01-01T00:00:00.000000Z","environment":"env-12","kind":"DEPLOYED","version":"v1"}',
  '[{"kind":"deployment_record","record":"' || r.id::text || '","digest":"0000000000000000000000000000000000000000000000000000000000000000"}]',
  r.id::text, 1 FROM record r;
