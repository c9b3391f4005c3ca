-- One for each thing that policies can be about: the project, a tier, an environment.
CREATE TABLE approval_policy (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL REFERENCES project (id),
    scope {text} NOT NULL CHECK (scope IN ('PROJECT', 'TIER', 'ENVIRONMENT')),
    tier {text} CHECK (tier IN ('DEVELOPMENT', 'TESTING', 'STAGING', 'PRODUCTION')),
    environment_id {uuid},
    terms {text} NOT NULL,
    -- What the terms come to, so that whoever reports a deployment need not read them.
    governs {bool} NOT NULL,
    refuses_reports {bool} NOT NULL,
    created_at {bigint} NOT NULL,
    updated_at {bigint} NOT NULL,
    updated_by {uuid} NOT NULL REFERENCES principal (id),
    revision {bigint} NOT NULL CHECK (revision >= 1),
    FOREIGN KEY (environment_id, project_id) REFERENCES environment (id, project_id),
    CONSTRAINT approval_policy_scope CHECK ((tier IS NOT NULL) = (scope = 'TIER')
        AND (environment_id IS NOT NULL) = (scope = 'ENVIRONMENT'))
) {table};
CREATE UNIQUE INDEX approval_policy_project ON approval_policy (project_id) WHERE scope = 'PROJECT';
CREATE UNIQUE INDEX approval_policy_tier ON approval_policy (project_id, tier) WHERE scope = 'TIER';
CREATE UNIQUE INDEX approval_policy_environment ON approval_policy (environment_id) WHERE scope = 'ENVIRONMENT';
CREATE INDEX approval_policy_of ON approval_policy (project_id, created_at, id);

-- Approvals that were taken back: the answer stays, and counts no more.
CREATE TABLE approval_withdrawal (
    request_id {uuid} NOT NULL,
    person_id {uuid} NOT NULL,
    principal_id {uuid} NOT NULL REFERENCES principal (id),
    withdrawn_at {bigint} NOT NULL,
    reason {text} NOT NULL,
    PRIMARY KEY (request_id, person_id),
    FOREIGN KEY (request_id, person_id) REFERENCES approval_decision (request_id, person_id)
) {clustered};

-- Deployments that somebody let pass without those who were asked.
CREATE TABLE approval_override (
    request_id {uuid} PRIMARY KEY,
    deployment_id {uuid} NOT NULL,
    principal_id {uuid} NOT NULL REFERENCES principal (id),
    person_id {uuid} NOT NULL REFERENCES principal (id),
    overridden_at {bigint} NOT NULL,
    reason {text} NOT NULL,
    plan_digest {bytes} NOT NULL CHECK ({length}(plan_digest) = 32),
    FOREIGN KEY (request_id, plan_digest) REFERENCES approval_request (id, plan_digest),
    FOREIGN KEY (request_id, deployment_id) REFERENCES approval_request (id, deployment_id)
) {table};
CREATE INDEX approval_override_deployment ON approval_override (deployment_id);

-- What somebody else said about that afterwards.
CREATE TABLE override_review (
    request_id {uuid} PRIMARY KEY REFERENCES approval_override (request_id),
    principal_id {uuid} NOT NULL REFERENCES principal (id),
    person_id {uuid} NOT NULL REFERENCES principal (id),
    finding {text} NOT NULL CHECK (finding IN ('JUSTIFIED', 'UNJUSTIFIED')),
    comment {text} NOT NULL,
    reviewed_at {bigint} NOT NULL
) {table};
