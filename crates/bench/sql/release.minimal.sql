-- A release of ten applications into an environment where two people have to agree, in four transactions of one statement
-- each: it is made, two people approve it, it is carried out. pgbench -M prepared sends them; `requester`, `first` and
-- `second` come from -D, and each client has ten environments of its own, behind those of the RPCs.
\set e 160 + :client_id * 10 + random(0, 9)
\set v random(0, 4)

WITH target AS (
  SELECT j.id AS project_id, e.id AS environment_id, e.tier, gen_random_uuid() AS deployment_id,
    gen_random_uuid() AS request_id, sha256(uuid_send(gen_random_uuid())) AS digest,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
  FROM project j
  JOIN environment e ON e.project_id = j.id AND e.slug = 'env-' || :e AND e.archived_at IS NULL
  WHERE j.slug = 'default' AND j.archived_at IS NULL
), chosen AS (
  SELECT a.id, a.key, a.display_name, a.kind, v.id AS after, c.version_id AS before,
    row_number() OVER (ORDER BY a.key) - 1 AS position
  FROM target t
  JOIN application a ON a.project_id = t.project_id AND a.archived_at IS NULL
    AND a.key IN ('app-0', 'app-1', 'app-2', 'app-3', 'app-4', 'app-5', 'app-6', 'app-7', 'app-8', 'app-9')
  JOIN version v ON v.application_id = a.id AND v.identifier = 'v' || :v AND v.deprecated_at IS NULL
  LEFT JOIN current_state c ON c.environment_id = t.environment_id AND c.application_key = a.key
), rules AS (
  SELECT json_agg(json_build_object('source', p.scope, 'rule', p.terms,
    'candidates', (SELECT json_agg(m.principal_id) FROM membership m WHERE m.project_id = t.project_id)))::text AS asked
  FROM target t
  JOIN approval_policy p ON p.project_id = t.project_id
    AND (p.scope = 'PROJECT' OR p.tier = t.tier OR p.environment_id = t.environment_id)
), counter AS (
  INSERT INTO deployment_counter (project_id, last_number) SELECT project_id, 1 FROM target
  ON CONFLICT (project_id) DO UPDATE SET last_number = deployment_counter.last_number + 1
  RETURNING last_number
), deployment AS (
  INSERT INTO deployment (id, project_id, number, kind, state, target_id, approval_required, source_unchanged, drift,
    on_failure, publish, secrets, plan_digest, requested_by, created_at, name, description, execute_on_approval, epoch,
    claims)
  SELECT deployment_id, project_id, last_number, 'RELEASE', 'PENDING_APPROVAL', environment_id, false, false, 'ALLOW',
    'KEEP', 'KEEP', 'WARN', digest, :requester::uuid, now, 'release', '', false, 0, 0
  FROM target, counter
), items AS (
  INSERT INTO deployment_item (deployment_id, position, project_id, key, name, application_id, change, status, rank,
    in_cycle, application_kind, version_before_id, version_after_id, message, declared_risk, risk, risk_factors, allow_older)
  SELECT deployment_id, position, project_id, key, display_name, id, 'UPDATED', 'PENDING', 0, false, kind, before,
    after, '', 'LOW', 'LOW', '[]', false
  FROM target, chosen
), request AS (
  INSERT INTO approval_request (id, project_id, deployment_id, environment_id, plan_digest, requested_by, created_at,
    expires_at, state, rules)
  SELECT request_id, project_id, deployment_id, environment_id, digest, :requester::uuid, now, now + 604800000000,
    'PENDING', asked
  FROM target, rules
), event AS (
  INSERT INTO audit_event (id, chain_id, at, principal_id, command, outcome, resource_kind, resource_name, after_json,
    facts, correlation_id, repeat_count)
  SELECT gen_random_uuid(), project_id, now, :requester::uuid, 'CreateRelease', 'ALLOWED', 'deployment',
    deployment_id::text,
    '{"approval_request":"00000000-0000-0000-0000-000000000000","items":10,"kind":"RELEASE","name":"release","number":1234,"plan_digest":"0000000000000000000000000000000000000000000000000000000000000000","risk":"LOW","state":"PENDING_APPROVAL","target":"env-123"}',
    '[]', request_id::text, 1
  FROM target
)
SELECT deployment_id AS deployment FROM target \gset

WITH asked AS (
  SELECT d.id AS deployment_id, d.project_id, r.id AS request_id, r.plan_digest,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
  FROM deployment d
  JOIN approval_request r ON r.deployment_id = d.id AND r.state = 'PENDING' AND r.rules LIKE '%' || :first || '%'
  JOIN principal p ON p.id = :first::uuid AND p.disabled_at IS NULL
  JOIN membership m ON m.principal_id = p.id AND m.project_id = d.project_id AND m.roles LIKE '%ADMIN%'
  WHERE d.id = :deployment::uuid AND d.state = 'PENDING_APPROVAL' AND d.requested_by <> p.id
    AND NOT EXISTS (SELECT 1 FROM deployment_item i JOIN version v ON v.id = i.version_after_id
      WHERE i.deployment_id = d.id AND (v.author_id = p.id OR v.created_by = p.id))
  FOR NO KEY UPDATE OF d
), decision AS (
  INSERT INTO approval_decision (request_id, principal_id, verdict, comment, decided_at, plan_digest, person_id)
  SELECT request_id, :first::uuid, 'APPROVE', '', now, plan_digest, :first::uuid FROM asked
)
INSERT INTO audit_event (id, chain_id, at, principal_id, command, outcome, resource_kind, resource_name, before_json,
  after_json, facts, correlation_id, repeat_count)
SELECT gen_random_uuid(), project_id, now, :first::uuid, 'Approve', 'ALLOWED', 'deployment', deployment_id::text,
  '{"state":"PENDING_APPROVAL"}',
  '{"approval_request":"00000000-0000-0000-0000-000000000000","approval_state":"PENDING","comment":"","plan_digest":"0000000000000000000000000000000000000000000000000000000000000000","rule":"","state":"PENDING_APPROVAL","verdict":"APPROVE"}',
  '[]', request_id::text, 1
FROM asked;

WITH asked AS (
  SELECT d.id AS deployment_id, d.project_id, r.id AS request_id, r.plan_digest,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
  FROM deployment d
  JOIN approval_request r ON r.deployment_id = d.id AND r.state = 'PENDING' AND r.rules LIKE '%' || :second || '%'
  JOIN principal p ON p.id = :second::uuid AND p.disabled_at IS NULL
  JOIN membership m ON m.principal_id = p.id AND m.project_id = d.project_id AND m.roles LIKE '%ADMIN%'
  WHERE d.id = :deployment::uuid AND d.state = 'PENDING_APPROVAL' AND d.requested_by <> p.id
    AND NOT EXISTS (SELECT 1 FROM deployment_item i JOIN version v ON v.id = i.version_after_id
      WHERE i.deployment_id = d.id AND (v.author_id = p.id OR v.created_by = p.id))
    AND (SELECT count(*) FROM approval_decision o JOIN membership n ON n.principal_id = o.person_id
      AND n.project_id = d.project_id AND n.roles LIKE '%ADMIN%'
      WHERE o.request_id = r.id AND o.verdict = 'APPROVE' AND o.person_id <> p.id) = 1
  FOR NO KEY UPDATE OF d
), decision AS (
  INSERT INTO approval_decision (request_id, principal_id, verdict, comment, decided_at, plan_digest, person_id)
  SELECT request_id, :second::uuid, 'APPROVE', '', now, plan_digest, :second::uuid FROM asked
), request AS (
  UPDATE approval_request r SET state = 'APPROVED', closed_at = now FROM asked WHERE r.id = asked.request_id
), deployment AS (
  UPDATE deployment d SET state = 'APPROVED', approved_by = :second::uuid FROM asked WHERE d.id = asked.deployment_id
)
INSERT INTO audit_event (id, chain_id, at, principal_id, command, outcome, resource_kind, resource_name, before_json,
  after_json, facts, correlation_id, repeat_count)
SELECT gen_random_uuid(), project_id, now, :second::uuid, 'Approve', 'ALLOWED', 'deployment', deployment_id::text,
  '{"state":"PENDING_APPROVAL"}',
  '{"approval_request":"00000000-0000-0000-0000-000000000000","approval_state":"APPROVED","comment":"","plan_digest":"0000000000000000000000000000000000000000000000000000000000000000","rule":"","state":"APPROVED","verdict":"APPROVE"}',
  '[]', request_id::text, 1
FROM asked;

WITH due AS (
  SELECT d.id AS deployment_id, d.project_id, d.target_id, e.slug, r.id AS request_id,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
  FROM deployment d
  JOIN environment e ON e.id = d.target_id AND e.archived_at IS NULL
  JOIN approval_request r ON r.deployment_id = d.id AND r.state = 'APPROVED' AND r.plan_digest = d.plan_digest
  WHERE d.id = :deployment::uuid AND d.state = 'APPROVED'
    AND (SELECT count(*) FROM approval_decision o JOIN membership n ON n.principal_id = o.person_id
      AND n.project_id = d.project_id AND n.roles LIKE '%ADMIN%'
      WHERE o.request_id = r.id AND o.verdict = 'APPROVE') = 2
  FOR NO KEY UPDATE OF d, e
), held AS (
  SELECT d.*, i.position, i.key, i.application_id, i.version_after_id, gen_random_uuid() AS record_id
  FROM due d
  JOIN deployment_item i ON i.deployment_id = d.deployment_id
  JOIN application a ON a.id = i.application_id AND a.archived_at IS NULL
  JOIN version v ON v.id = i.version_after_id AND v.deprecated_at IS NULL
  JOIN current_state c ON c.environment_id = d.target_id AND c.application_id = i.application_id
    AND c.version_id = i.version_before_id
  ORDER BY i.key FOR NO KEY UPDATE OF c
), record AS (
  INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at,
    reported_at, recorded_at, reporter_id, deployed_by_id, risk, notes, attributes, external_id, deployment_id)
  SELECT record_id, project_id, application_id, version_after_id, target_id, 'DEPLOYED', now, now, now,
    :requester::uuid, :requester::uuid, 'LOW', '', '{}', 'slipway/deployment/' || deployment_id || '/' || position,
    deployment_id
  FROM held
  RETURNING sequence, id, application_id
), state AS (
  INSERT INTO current_state (environment_id, application_id, project_id, application_key, environment_slug,
    record_sequence, kind, deployed_at, version_id, record_id, deployed_by_id)
  SELECT h.target_id, h.application_id, h.project_id, h.key, h.slug, r.sequence, 'DEPLOYED', h.now,
    h.version_after_id, r.id, :requester::uuid
  FROM held h JOIN record r ON r.application_id = h.application_id
  ON CONFLICT (environment_id, application_id) DO UPDATE SET record_sequence = excluded.record_sequence,
    kind = excluded.kind, deployed_at = excluded.deployed_at, version_id = excluded.version_id,
    record_id = excluded.record_id, deployed_by_id = excluded.deployed_by_id
  WHERE current_state.record_sequence IS NULL
    OR (excluded.deployed_at, excluded.record_sequence) > (current_state.deployed_at, current_state.record_sequence)
), items AS (
  UPDATE deployment_item i SET status = 'SUCCEEDED' FROM due WHERE i.deployment_id = due.deployment_id
), passed AS (
  INSERT INTO deployment_transition (deployment_id, position, state, at)
  SELECT deployment_id, 2 + n.column1, n.column2, now FROM due, (VALUES (0, 'QUEUED'), (1, 'RUNNING')) n
), deployment AS (
  UPDATE deployment d SET state = 'SUCCEEDED', started_at = now, finished_at = now, succeeded_at = now,
    executed_by = :requester::uuid
  FROM due WHERE d.id = due.deployment_id
)
INSERT INTO audit_event (id, chain_id, at, principal_id, command, outcome, resource_kind, resource_name, before_json,
  after_json, facts, correlation_id, repeat_count)
SELECT gen_random_uuid(), project_id, now, :requester::uuid, 'ExecuteDeployment', 'ALLOWED', 'deployment',
  deployment_id::text, '{"state":"APPROVED"}',
  '{"plan_digest":"0000000000000000000000000000000000000000000000000000000000000000","recorded":10,"state":"SUCCEEDED"}',
  (SELECT '[' || string_agg('{"kind":"deployment_record","record":"' || r.id
    || '","digest":"0000000000000000000000000000000000000000000000000000000000000000"}', ',') || ']' FROM record r),
  request_id::text, 1
FROM due;
