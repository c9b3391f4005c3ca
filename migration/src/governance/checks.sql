-- What tests and scans elsewhere say about a deployment. Of each check the last report for the deployment's plan counts.
CREATE TABLE deployment_check (
    deployment_id {uuid} NOT NULL REFERENCES deployment (id),
    position {int} NOT NULL CHECK (position BETWEEN 0 AND 999),
    name {name} NOT NULL CHECK (name <> ''),
    status {text} NOT NULL CHECK (status IN ('RUNNING', 'PASSED', 'FAILED')),
    plan_digest {bytes} NOT NULL CHECK ({length}(plan_digest) = 32),
    url {text} NOT NULL,
    summary {text} NOT NULL,
    reported_by {uuid} NOT NULL REFERENCES principal (id),
    reported_at {bigint} NOT NULL,
    PRIMARY KEY (deployment_id, position)
) {clustered};
CREATE INDEX deployment_check_last ON deployment_check (deployment_id, name, plan_digest, position);
