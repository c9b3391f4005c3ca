CREATE TABLE webhook (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL REFERENCES project (id),
    slug {name} NOT NULL,
    display_name {text} NOT NULL,
    -- The target and the filter, as JSON.
    target {text} NOT NULL,
    filter {text} NOT NULL,
    enabled {bool} NOT NULL,
    created_at {bigint} NOT NULL,
    revision {bigint} NOT NULL CHECK (revision >= 1),
    UNIQUE (project_id, slug),
    UNIQUE (id, project_id)
) {table};

CREATE INDEX webhook_enabled ON webhook (project_id) WHERE enabled;

-- What happened that webhooks may be told of. Of one deployment, what happened later has the higher sequence: whoever adds
-- a row holds the deployment's row.
CREATE TABLE outbox (
    sequence {sequence},
    project_id {uuid} NOT NULL REFERENCES project (id),
    deployment_id {uuid} NOT NULL,
    environment_id {uuid} NOT NULL,
    event {text} NOT NULL,
    facts {text} NOT NULL,
    at {bigint} NOT NULL,
    dispatched_at {bigint},
    FOREIGN KEY (deployment_id, project_id) REFERENCES deployment (id, project_id),
    FOREIGN KEY (deployment_id, environment_id) REFERENCES deployment (id, target_id)
) {table};

CREATE INDEX outbox_waits ON outbox (sequence) WHERE dispatched_at IS NULL;
CREATE INDEX outbox_waits_of ON outbox (deployment_id, sequence) WHERE dispatched_at IS NULL;
CREATE INDEX outbox_dispatched ON outbox (dispatched_at) WHERE dispatched_at IS NOT NULL;

CREATE TABLE delivery (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL,
    webhook_id {uuid} NOT NULL,
    -- The event's place in the outbox, and its deployment; a test has neither.
    sequence {bigint},
    deployment_id {uuid},
    event {text} NOT NULL,
    message {text} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('PENDING', 'DELIVERED', 'DEAD')),
    attempts {int} NOT NULL CHECK (attempts >= 0),
    created_at {bigint} NOT NULL,
    -- When the next attempt is due, or when it was over.
    due_at {bigint} NOT NULL,
    -- What came of the last attempt.
    attempted_at {bigint},
    status {int} CHECK (status BETWEEN 0 AND 999),
    problem {text},
    answer {text},
    -- Who attempts it: until when, by the database's clock, and which claim that is.
    epoch {bigint} NOT NULL CHECK (epoch >= 0),
    lease_until {bigint},
    FOREIGN KEY (webhook_id, project_id) REFERENCES webhook (id, project_id),
    FOREIGN KEY (deployment_id, project_id) REFERENCES deployment (id, project_id),
    UNIQUE (webhook_id, sequence),
    CONSTRAINT delivery_event CHECK ((sequence IS NULL) = (deployment_id IS NULL)
        AND (sequence IS NULL) = (event = 'webhook.test')),
    CONSTRAINT delivery_attempt CHECK ((attempted_at IS NULL) = (problem IS NULL)
        AND (attempted_at IS NULL) = (answer IS NULL) AND (status IS NULL OR attempted_at IS NOT NULL)
        AND (state = 'PENDING' OR attempted_at IS NOT NULL)),
    CONSTRAINT delivery_lease CHECK (lease_until IS NULL OR (state = 'PENDING' AND epoch >= 1))
) {often updated};

CREATE INDEX delivery_due ON delivery (webhook_id, due_at) WHERE state = 'PENDING';
CREATE INDEX delivery_order ON delivery (webhook_id, deployment_id, sequence) WHERE state = 'PENDING';
CREATE INDEX delivery_under_way ON delivery (webhook_id) WHERE lease_until IS NOT NULL;
-- The list by each thing it can be filtered by, in its order.
CREATE INDEX delivery_listed ON delivery (project_id, id);
CREATE INDEX delivery_of ON delivery (project_id, webhook_id, id);
CREATE INDEX delivery_state ON delivery (project_id, state, id);
CREATE INDEX delivery_about ON delivery (project_id, deployment_id, id) WHERE deployment_id IS NOT NULL;
CREATE INDEX delivery_old ON delivery (due_at);
