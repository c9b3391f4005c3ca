-- Which version is current in one cell.
\set a random(0, 399)
\set e random(0, 19)
SELECT a.kind, v.id, v.identifier, v.digest, v.content_type, c.record_id, c.deployed_at
FROM project j
JOIN current_state c ON c.project_id = j.id AND c.application_key = 'app-' || :a AND c.environment_slug = 'env-' || :e
JOIN application a ON a.id = c.application_id
JOIN version v ON v.id = c.version_id
WHERE j.slug = 'default' AND c.kind = 'DEPLOYED';
