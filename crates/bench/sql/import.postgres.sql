-- What importing rows needs: names looked up, records added, each cell's last record made current. $1 is the first row's
-- number, $2 the last one's, $3 the reporter, $4 the first row's time.
WITH line AS (
  SELECT n, 'app-' || n % 400 AS key, 'env-' || n / 400 % 20 AS slug, 'v' || n % 5 AS identifier, $4::bigint + n AS at
  FROM generate_series($1::bigint, $2::bigint) n
), record AS (
  INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at,
    reported_at, recorded_at, reporter_id, deployed_by_id, notes, attributes)
  SELECT gen_random_uuid(), j.id, a.id, v.id, e.id, 'DEPLOYED', at, at,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $3::text::uuid, $3::text::uuid, '', '{}'
  FROM line
  JOIN project j ON j.slug = 'default'
  JOIN application a ON a.project_id = j.id AND a.key = line.key
  JOIN version v ON v.application_id = a.id AND v.identifier = line.identifier
  JOIN environment e ON e.project_id = j.id AND e.slug = line.slug
  ORDER BY n
  ON CONFLICT DO NOTHING
  RETURNING *
)
INSERT INTO current_state (environment_id, application_id, project_id, application_key, environment_slug,
  record_sequence, kind, deployed_at, version_id, record_id, deployed_by_id)
SELECT DISTINCT ON (r.environment_id, r.application_id) r.environment_id, r.application_id, r.project_id, a.key, e.slug,
  r.sequence, r.kind, r.deployed_at, r.version_id, r.id, r.deployed_by_id
FROM record r JOIN application a ON a.id = r.application_id JOIN environment e ON e.id = r.environment_id
ORDER BY r.environment_id, r.application_id, r.deployed_at DESC, r.sequence DESC
ON CONFLICT (environment_id, application_id) DO UPDATE SET record_sequence = excluded.record_sequence,
  kind = excluded.kind, deployed_at = excluded.deployed_at, version_id = excluded.version_id,
  record_id = excluded.record_id, deployed_by_id = excluded.deployed_by_id
WHERE current_state.record_sequence IS NULL
  OR (excluded.deployed_at, excluded.record_sequence) > (current_state.deployed_at, current_state.record_sequence)
