-- The number that a project gave last. Its row is locked by whoever adds a deployment, so that numbers become visible in
-- their order.
CREATE TABLE deployment_counter (
    project_id {uuid} PRIMARY KEY REFERENCES project (id),
    last_number {bigint} NOT NULL CHECK (last_number >= 1)
) {clustered, often updated};

CREATE TABLE deployment (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL REFERENCES project (id),
    number {bigint} NOT NULL CHECK (number >= 1),
    kind {text} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('PENDING_APPROVAL', 'APPROVED', 'QUEUED', 'RUNNING', 'CANCELING',
        'COMPENSATING', 'IN_DOUBT', 'SUCCEEDED', 'FAILED', 'CANCELED', 'REJECTED', 'EXPIRED', 'ROLLED_BACK')),
    target_id {uuid} NOT NULL,
    -- Where it comes from: a stage, a snapshot, or a deployment that it undoes.
    pipeline_id {uuid},
    stage {int} CHECK (stage BETWEEN 0 AND 19),
    source_id {uuid},
    restores_id {uuid},
    undoes_id {uuid},
    approval_required {bool} NOT NULL,
    source_unchanged {bool} NOT NULL,
    drift {text} NOT NULL CHECK (drift IN ('ALLOW', 'REFUSE')),
    on_failure {text} NOT NULL CHECK (on_failure IN ('COMPENSATE', 'KEEP')),
    publish {text} NOT NULL CHECK (publish IN ('KEEP', 'AS_SOURCE', 'DEACTIVATE')),
    secrets {text} NOT NULL CHECK (secrets IN ('WARN', 'BLOCK')),
    plan_digest {bytes} NOT NULL CHECK ({length}(plan_digest) = 32),
    requested_by {uuid} NOT NULL REFERENCES principal (id),
    created_at {bigint} NOT NULL,
    approved_by {uuid} REFERENCES principal (id),
    started_at {bigint},
    finished_at {bigint},
    -- Stays when it is rolled back, which one that failed can be too.
    succeeded_at {bigint},
    pre_snapshot_id {uuid},
    post_snapshot_id {uuid},
    problem_reason {text},
    problem_message {text},
    cancel_by {uuid} REFERENCES principal (id),
    cancel_at {bigint},
    cancel_reason {text},
    rolled_back_by {uuid},
    reason {text},
    -- How a person resolved its last doubt, and what that was.
    resolved_by {uuid} REFERENCES principal (id),
    resolved_at {bigint},
    verdict {text} CHECK (verdict IN ('SUCCEEDED', 'FAILED', 'RUNNING', 'COMPENSATING')),
    verdict_reason {text},
    doubt_reason {text},
    doubt_message {text},
    -- A release: what people call it, and how it goes on.
    name {text},
    description {text},
    execute_on_approval {bool},
    -- The version of a template that it was made from.
    template_id {uuid},
    template_version {bigint},
    -- The earlier one whose outcome a rollback of a release goes back to.
    back_to_id {uuid},
    risk {text} NOT NULL DEFAULT 'LOW' CHECK (risk IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    -- Not to begin before, by the database's clock.
    not_before {bigint},
    executed_by {uuid} REFERENCES principal (id),
    -- What the workflows of a release, or of its rollback, take in the target's engine.
    workflows_digest {bytes} CHECK ({length}(workflows_digest) = 32),
    -- Who carries it out: until when, by the database's clock; which claim that is; and how many there were.
    epoch {bigint} NOT NULL CHECK (epoch >= 0),
    claims {int} NOT NULL CHECK (claims >= 0),
    lease_owner {text},
    lease_until {bigint},
    UNIQUE (project_id, number),
    UNIQUE (id, project_id),
    UNIQUE (id, target_id),
    FOREIGN KEY (target_id, project_id) REFERENCES environment (id, project_id),
    FOREIGN KEY (source_id, project_id) REFERENCES environment (id, project_id),
    FOREIGN KEY (pipeline_id, project_id) REFERENCES pipeline (id, project_id),
    FOREIGN KEY (undoes_id, target_id) REFERENCES deployment (id, target_id),
    FOREIGN KEY (rolled_back_by, target_id) REFERENCES deployment (id, target_id),
    FOREIGN KEY (back_to_id, target_id) REFERENCES deployment (id, target_id),
    -- PostgreSQL learns of these once there is such a table.
    {sqlite} FOREIGN KEY (template_id, template_version) REFERENCES template_version (template_id, version),
    -- Snapshots are of the target.
    {sqlite} FOREIGN KEY (restores_id, target_id) REFERENCES snapshot (id, environment_id),
    {sqlite} FOREIGN KEY (pre_snapshot_id, target_id) REFERENCES snapshot (id, environment_id),
    {sqlite} FOREIGN KEY (post_snapshot_id, target_id) REFERENCES snapshot (id, environment_id),
    CONSTRAINT deployment_origin CHECK (
        (kind = 'RELEASE' AND pipeline_id IS NULL AND stage IS NULL AND source_id IS NULL
            AND restores_id IS NULL AND undoes_id IS NULL)
        OR (kind = 'PROMOTION' AND pipeline_id IS NOT NULL AND stage IS NOT NULL AND source_id IS NOT NULL
            AND source_id <> target_id AND restores_id IS NULL AND undoes_id IS NULL)
        OR (kind = 'RESTORE' AND pipeline_id IS NULL AND stage IS NULL AND source_id IS NULL
            AND restores_id IS NOT NULL AND undoes_id IS NULL)
        OR (kind = 'ROLLBACK' AND pipeline_id IS NULL AND stage IS NULL AND source_id IS NULL
            AND restores_id IS NULL AND undoes_id IS NOT NULL AND undoes_id <> id)),
    CONSTRAINT deployment_release CHECK ((kind = 'RELEASE') = (name IS NOT NULL)
        AND (name IS NULL) = (description IS NULL) AND (name IS NULL) = (execute_on_approval IS NULL)
        AND (template_id IS NULL) = (template_version IS NULL) AND (template_id IS NULL OR kind = 'RELEASE')
        AND (back_to_id IS NULL OR (kind = 'ROLLBACK' AND back_to_id <> id))
        AND (workflows_digest IS NULL OR kind IN ('RELEASE', 'ROLLBACK'))),
    CONSTRAINT deployment_over CHECK ((finished_at IS NOT NULL)
        = (state IN ('SUCCEEDED', 'FAILED', 'CANCELED', 'REJECTED', 'EXPIRED', 'ROLLED_BACK'))),
    CONSTRAINT deployment_succeeded CHECK ((state <> 'SUCCEEDED' OR succeeded_at IS NOT NULL)
        AND (succeeded_at IS NULL OR state IN ('SUCCEEDED', 'ROLLED_BACK'))),
    -- What needs approval goes nowhere without.
    CONSTRAINT deployment_approved CHECK ((NOT approval_required OR approved_by IS NOT NULL
        OR state IN ('PENDING_APPROVAL', 'REJECTED', 'EXPIRED', 'CANCELED'))
        AND (approved_by IS NULL OR state NOT IN ('PENDING_APPROVAL', 'REJECTED'))),
    CONSTRAINT deployment_problem CHECK ((problem_reason IS NULL) = (problem_message IS NULL)),
    CONSTRAINT deployment_cancel CHECK ((cancel_by IS NULL) = (cancel_at IS NULL)
        AND (cancel_by IS NULL) = (cancel_reason IS NULL) AND (state <> 'CANCELING' OR cancel_by IS NOT NULL)),
    CONSTRAINT deployment_rolled_back CHECK ((rolled_back_by IS NOT NULL) = (state = 'ROLLED_BACK')
        AND (rolled_back_by IS NULL OR rolled_back_by <> id)),
    CONSTRAINT deployment_resolution CHECK ((resolved_by IS NULL) = (resolved_at IS NULL)
        AND (resolved_by IS NULL) = (verdict IS NULL) AND (resolved_by IS NULL) = (verdict_reason IS NULL)
        AND (doubt_reason IS NULL) = (doubt_message IS NULL)
        AND (doubt_reason IS NULL OR resolved_by IS NOT NULL)),
    CONSTRAINT deployment_lease CHECK ((lease_owner IS NULL) = (lease_until IS NULL)
        AND (lease_until IS NULL OR (epoch >= 1
            AND state IN ('QUEUED', 'RUNNING', 'CANCELING', 'COMPENSATING'))))
) {table};

-- One at a time in each environment.
CREATE UNIQUE INDEX deployment_holds ON deployment (target_id)
    WHERE state IN ('RUNNING', 'CANCELING', 'COMPENSATING', 'IN_DOUBT');
-- One deployment undoes another, unless it came to nothing.
CREATE UNIQUE INDEX deployment_undoes ON deployment (undoes_id)
    WHERE undoes_id IS NOT NULL AND state NOT IN ('FAILED', 'CANCELED', 'REJECTED', 'EXPIRED');
-- What executors look for.
CREATE INDEX deployment_to_do ON deployment (created_at, id)
    WHERE state IN ('QUEUED', 'RUNNING', 'CANCELING', 'COMPENSATING');
CREATE INDEX deployment_queued ON deployment (target_id, number) WHERE state = 'QUEUED';
-- What begins by itself as soon as it may.
CREATE INDEX deployment_approved ON deployment (created_at, id) WHERE state = 'APPROVED';
-- The list by each thing it can be filtered by, in its order.
CREATE INDEX deployment_state ON deployment (project_id, state, number);
CREATE INDEX deployment_pipeline ON deployment (pipeline_id, number) WHERE pipeline_id IS NOT NULL;
CREATE INDEX deployment_target ON deployment (target_id, number);
CREATE INDEX deployment_last_success ON deployment (target_id, finished_at, number) WHERE state = 'SUCCEEDED';
CREATE INDEX deployment_created ON deployment (project_id, created_at, number);
CREATE INDEX deployment_succeeded_at ON deployment (project_id, succeeded_at) WHERE succeeded_at IS NOT NULL;
-- When the work was over, however it was undone later: what delivery figures are made of.
CREATE INDEX deployment_ended ON deployment (project_id, COALESCE(succeeded_at, finished_at));

-- Every state it has had, written down by the database itself at each change of its state.
CREATE TABLE deployment_transition (
    deployment_id {uuid} NOT NULL REFERENCES deployment (id),
    position {int} NOT NULL CHECK (position >= 0),
    state {text} NOT NULL,
    at {bigint} NOT NULL,
    PRIMARY KEY (deployment_id, position)
) {clustered};

CREATE TABLE deployment_item (
    deployment_id {uuid} NOT NULL,
    position {int} NOT NULL CHECK (position BETWEEN 0 AND 4999),
    project_id {uuid} NOT NULL,
    key {name} NOT NULL,
    name {text} NOT NULL,
    application_id {uuid},
    change {text} NOT NULL CHECK (change IN ('CREATED', 'UPDATED', 'DELETED', 'UNCHANGED', 'SKIPPED')),
    status {text} NOT NULL CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'SKIPPED', 'COMPENSATED')),
    workflow {text},
    before_digest {bytes} CHECK ({length}(before_digest) = 32),
    after_digest {bytes} CHECK ({length}(after_digest) = 32),
    rank {int} NOT NULL CHECK (rank >= 0),
    in_cycle {bool} NOT NULL,
    problem_reason {text},
    problem_message {text},
    -- A version that a release chose, in place of the one before.
    application_kind {text}
        CHECK (application_kind IN ('SERVICE', 'WORKFLOW', 'FUNCTION', 'PROMPT', 'PROMPT_ASSET', 'AI_MODEL')),
    version_before_id {uuid},
    version_after_id {uuid},
    message {text},
    declared_risk {text} CHECK (declared_risk IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    risk {text} CHECK (risk IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    risk_factors {text},
    allow_older {bool},
    PRIMARY KEY (deployment_id, position),
    UNIQUE (deployment_id, key),
    FOREIGN KEY (deployment_id, project_id) REFERENCES deployment (id, project_id),
    FOREIGN KEY (application_id, project_id) REFERENCES application (id, project_id),
    FOREIGN KEY (version_before_id, application_id) REFERENCES version (id, application_id),
    FOREIGN KEY (version_after_id, application_id) REFERENCES version (id, application_id),
    CONSTRAINT deployment_item_released CHECK ((application_kind IS NULL) = (message IS NULL)
        AND (application_kind IS NULL) = (declared_risk IS NULL) AND (application_kind IS NULL) = (risk IS NULL)
        AND (application_kind IS NULL) = (risk_factors IS NULL)
        AND (application_kind IS NULL) = (allow_older IS NULL)
        AND (application_kind IS NOT NULL OR (version_before_id IS NULL AND version_after_id IS NULL))
        AND (application_kind IS NULL OR application_id IS NOT NULL)),
    CONSTRAINT deployment_item_documents CHECK ((change <> 'CREATED' OR before_digest IS NULL)
        AND (change <> 'DELETED' OR after_digest IS NULL)),
    CONSTRAINT deployment_item_problem CHECK ((problem_reason IS NULL) = (problem_message IS NULL)
        AND (status <> 'FAILED' OR problem_reason IS NOT NULL))
) {clustered};

-- Where a version was deployed.
CREATE INDEX deployment_item_version ON deployment_item (version_after_id) WHERE version_after_id IS NOT NULL;

-- A step forwards, and for those that can be undone another one back.
CREATE TABLE deployment_step (
    deployment_id {uuid} NOT NULL REFERENCES deployment (id),
    number {int} NOT NULL CHECK (number >= 0),
    direction {text} NOT NULL CHECK (direction IN ('DO', 'UNDO')),
    wave {int} NOT NULL CHECK (wave >= 0),
    work {text} NOT NULL CHECK (work IN ('PREFLIGHT', 'PRE_SNAPSHOT', 'APPLY', 'CONNECT', 'VERIFY', 'RECORD',
        'POST_SNAPSHOT')),
    item {int},
    phase {text} NOT NULL CHECK (phase IN ('WAITING', 'BEGUN', 'DONE', 'FAILED', 'UNKNOWN')),
    PRIMARY KEY (deployment_id, number, direction),
    FOREIGN KEY (deployment_id, item) REFERENCES deployment_item (deployment_id, position),
    CONSTRAINT deployment_step_item CHECK ((item IS NOT NULL) = (work IN ('APPLY', 'CONNECT'))),
    CONSTRAINT deployment_step_undo CHECK (direction = 'DO' OR work IN ('APPLY', 'VERIFY'))
) {clustered, often updated};

-- Which deployment wrote a record. SQLite has it where the ledger is made.
{postgres} ALTER TABLE deployment_record ADD FOREIGN KEY (deployment_id, environment_id) REFERENCES deployment (id, target_id);
