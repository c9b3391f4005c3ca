-- The two transactions of an executor's step, each one statement: the intent, then the result. Both are bound to the
-- claim's epoch, and hold the deployment, so that nobody claims it meanwhile. Each client has a deployment of its own.
\set step random(0, 399)
UPDATE deployment_step SET phase = 'BEGUN' WHERE deployment_id = (SELECT id FROM deployment
    WHERE id = ('0b' || lpad(to_hex((9000000 + :client_id)::bigint), 30, '0'))::uuid AND epoch = 1 FOR NO KEY UPDATE)
    AND number = :step AND direction = 'DO';
UPDATE deployment_step SET phase = 'DONE' WHERE deployment_id = (SELECT id FROM deployment
    WHERE id = ('0b' || lpad(to_hex((9000000 + :client_id)::bigint), 30, '0'))::uuid AND epoch = 1 FOR NO KEY UPDATE)
    AND number = :step AND direction = 'DO';
