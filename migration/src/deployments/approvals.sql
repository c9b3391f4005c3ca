CREATE TABLE approval_request (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL,
    deployment_id {uuid} NOT NULL,
    environment_id {uuid} NOT NULL,
    plan_digest {bytes} NOT NULL CHECK ({length}(plan_digest) = 32),
    requested_by {uuid} NOT NULL REFERENCES principal (id),
    created_at {bigint} NOT NULL,
    expires_at {bigint} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('PENDING', 'APPROVED', 'REJECTED', 'EXPIRED', 'CANCELED', 'SUPERSEDED')),
    closed_at {bigint},
    -- What has to be met, and who was asked, as JSON.
    rules {text} NOT NULL,
    not_before {bigint},
    UNIQUE (id, plan_digest),
    UNIQUE (id, deployment_id),
    FOREIGN KEY (deployment_id, project_id) REFERENCES deployment (id, project_id),
    FOREIGN KEY (deployment_id, environment_id) REFERENCES deployment (id, target_id),
    CONSTRAINT approval_request_expiry CHECK (expires_at > created_at),
    CONSTRAINT approval_request_closed CHECK ((closed_at IS NULL) = (state = 'PENDING'))
) {table};

-- A deployment waits for one request, or was agreed to by one.
CREATE UNIQUE INDEX approval_request_current ON approval_request (deployment_id)
    WHERE state IN ('PENDING', 'APPROVED');
CREATE INDEX approval_request_of ON approval_request (deployment_id, created_at, id);
CREATE INDEX approval_request_due ON approval_request (expires_at, id) WHERE state = 'PENDING';
-- The list by each thing it can be filtered by, in its order.
CREATE INDEX approval_request_state ON approval_request (project_id, state, created_at, id);
CREATE INDEX approval_request_environment ON approval_request (environment_id, created_at, id);
CREATE INDEX approval_request_created ON approval_request (project_id, created_at, id);

CREATE TABLE approval_decision (
    request_id {uuid} NOT NULL,
    principal_id {uuid} NOT NULL REFERENCES principal (id),
    verdict {text} NOT NULL CHECK (verdict IN ('APPROVE', 'REJECT')),
    comment {text} NOT NULL,
    decided_at {bigint} NOT NULL,
    plan_digest {bytes} NOT NULL CHECK ({length}(plan_digest) = 32),
    -- Whose answer it is: the owner of the account, or itself. One vote for each person and request.
    person_id {uuid} NOT NULL REFERENCES principal (id),
    rule {name},
    PRIMARY KEY (request_id, person_id),
    -- Who looked at something else did not answer this.
    FOREIGN KEY (request_id, plan_digest) REFERENCES approval_request (id, plan_digest),
    CONSTRAINT approval_decision_rule CHECK (rule IS NULL OR verdict = 'APPROVE')
) {clustered};
