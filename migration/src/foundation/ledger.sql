CREATE TABLE deployment_record (
    sequence {sequence, taken beforehand},
    id {uuid} NOT NULL UNIQUE,
    project_id {uuid} NOT NULL,
    application_id {uuid} NOT NULL,
    version_id {uuid} NOT NULL,
    environment_id {uuid} NOT NULL,
    kind {text} NOT NULL CHECK (kind IN ('DEPLOYED', 'REMOVED')),
    deployed_at {bigint} NOT NULL,
    reported_at {bigint} NOT NULL,
    recorded_at {bigint} NOT NULL,
    reporter_id {uuid} NOT NULL REFERENCES principal (id),
    deployed_by_id {uuid} REFERENCES person (id),
    risk {text} CHECK (risk IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    notes {text} NOT NULL,
    attributes {text} NOT NULL,
    external_id {name},
    -- The deployment that wrote it; NULL where somebody reported it, beside the policies that govern the environment or
    -- where none does.
    deployment_id {uuid},
    outside_governance {bool} NOT NULL DEFAULT FALSE,
    FOREIGN KEY (version_id, application_id) REFERENCES version (id, application_id),
    FOREIGN KEY (application_id, project_id) REFERENCES application (id, project_id),
    FOREIGN KEY (environment_id, project_id) REFERENCES environment (id, project_id),
    {sqlite} FOREIGN KEY (deployment_id, environment_id) REFERENCES deployment (id, target_id),
    CHECK (deployed_at <= recorded_at),
    CHECK (deployment_id IS NULL OR NOT outside_governance)
) {table};

CREATE INDEX deployment_record_deployment ON deployment_record (deployment_id, sequence) WHERE deployment_id IS NOT NULL;
-- The natural key, so that reporting a record again finds it.
CREATE UNIQUE INDEX deployment_record_external
    ON deployment_record (project_id, reporter_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX deployment_record_natural
    ON deployment_record (application_id, version_id, environment_id, reported_at, kind) WHERE external_id IS NULL;

-- The history by each thing it can be filtered by, in its order.
CREATE INDEX deployment_record_project ON deployment_record (project_id, deployed_at, sequence);
CREATE INDEX deployment_record_cell ON deployment_record (environment_id, application_id, deployed_at, sequence);
CREATE INDEX deployment_record_environment ON deployment_record (environment_id, deployed_at, sequence);
CREATE INDEX deployment_record_application ON deployment_record (application_id, deployed_at, sequence);
CREATE INDEX deployment_record_version ON deployment_record (version_id, deployed_at, sequence);
CREATE INDEX deployment_record_deployed_by
    ON deployment_record (deployed_by_id, deployed_at, sequence) WHERE deployed_by_id IS NOT NULL;
CREATE INDEX deployment_record_removed ON deployment_record (project_id, deployed_at, sequence) WHERE kind = 'REMOVED';

CREATE TABLE record_retraction (
    record_sequence {bigint} PRIMARY KEY REFERENCES deployment_record (sequence),
    record_id {uuid} NOT NULL UNIQUE REFERENCES deployment_record (id),
    project_id {uuid} NOT NULL REFERENCES project (id),
    retracted_at {bigint} NOT NULL,
    retracted_by {uuid} NOT NULL REFERENCES principal (id),
    reason {text} NOT NULL
) {table};
CREATE INDEX record_retraction_project ON record_retraction (project_id);

-- What a list of cells shows stands here, so that it reads nothing of the history, however long that is.
-- A cell all of whose records are retracted keeps its row, without a record, so that it can be locked. No index holds a
-- column that changes.
CREATE TABLE current_state (
    environment_id {uuid} NOT NULL,
    application_id {uuid} NOT NULL,
    project_id {uuid} NOT NULL,
    application_key {name} NOT NULL,
    environment_slug {name} NOT NULL,
    record_sequence {bigint} REFERENCES deployment_record (sequence),
    kind {text} CHECK (kind IN ('DEPLOYED', 'REMOVED')),
    deployed_at {bigint},
    version_id {uuid},
    record_id {uuid},
    deployed_by_id {uuid},
    PRIMARY KEY (environment_id, application_id),
    FOREIGN KEY (environment_id, project_id) REFERENCES environment (id, project_id),
    FOREIGN KEY (application_id, project_id) REFERENCES application (id, project_id),
    FOREIGN KEY (version_id, application_id) REFERENCES version (id, application_id),
    CHECK ((record_sequence IS NULL) = (kind IS NULL)
        AND (record_sequence IS NULL) = (deployed_at IS NULL)
        AND (record_sequence IS NULL) = (version_id IS NULL)
        AND (record_sequence IS NULL) = (record_id IS NULL)
        AND (record_sequence IS NOT NULL OR deployed_by_id IS NULL))
) {clustered, often updated};
CREATE UNIQUE INDEX current_state_environment ON current_state (environment_id, application_key);
CREATE UNIQUE INDEX current_state_project ON current_state (project_id, application_key, environment_slug);
