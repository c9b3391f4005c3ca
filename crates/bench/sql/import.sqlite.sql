-- What importing one row needs; 500 rows are one transaction, and each statement is prepared once. ?1 application,
-- ?2 version, ?3 environment, ?4 time, ?5 record, ?6 reporter.
INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at,
  reported_at, recorded_at, reporter_id, deployed_by_id, notes, attributes)
SELECT ?5, j.id, a.id, v.id, e.id, 'DEPLOYED', ?4, ?4, ?4, ?6, ?6, '', '{}'
FROM project j
JOIN application a ON a.project_id = j.id AND a.key = ?1
JOIN version v ON v.application_id = a.id AND v.identifier = ?2
JOIN environment e ON e.project_id = j.id AND e.slug = ?3
WHERE j.slug = 'default' AND j.archived_at IS NULL
ON CONFLICT DO NOTHING;

INSERT INTO current_state (environment_id, application_id, project_id, application_key, environment_slug,
  record_sequence, kind, deployed_at, version_id, record_id, deployed_by_id)
SELECT environment_id, application_id, project_id, ?1, ?3, sequence, kind, deployed_at, version_id, id,
  deployed_by_id
FROM deployment_record WHERE sequence = last_insert_rowid()
ON CONFLICT (environment_id, application_id) DO UPDATE SET record_sequence = excluded.record_sequence,
  kind = excluded.kind, deployed_at = excluded.deployed_at, version_id = excluded.version_id,
  record_id = excluded.record_id, deployed_by_id = excluded.deployed_by_id
WHERE current_state.record_sequence IS NULL
  OR (excluded.deployed_at, excluded.record_sequence) > (current_state.deployed_at, current_state.record_sequence);
