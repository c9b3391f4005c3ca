-- What is in one cell, with all the names that an answer shows.
\set a random(0, 399)
\set e random(0, 19)
SELECT c.application_key, a.display_name, a.kind, c.environment_slug, e.display_name, e.tier, v.identifier,
  c.record_id, c.deployed_at, p.display_name
FROM project j
JOIN current_state c ON c.project_id = j.id AND c.application_key = 'app-' || :a AND c.environment_slug = 'env-' || :e
JOIN application a ON a.id = c.application_id
JOIN environment e ON e.id = c.environment_id
JOIN version v ON v.id = c.version_id
LEFT JOIN person p ON p.id = c.deployed_by_id
WHERE j.slug = 'default' AND c.kind = 'DEPLOYED';
