CREATE TABLE pipeline (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL REFERENCES project (id),
    slug {name} NOT NULL,
    display_name {text} NOT NULL,
    description {text} NOT NULL,
    created_at {bigint} NOT NULL,
    archived_at {bigint},
    revision {bigint} NOT NULL CHECK (revision >= 1),
    UNIQUE (project_id, slug),
    UNIQUE (id, project_id)
) {table};

-- A stage has its project's id, so that both of its environments are the project's.
CREATE TABLE pipeline_stage (
    pipeline_id {uuid} NOT NULL,
    position {int} NOT NULL CHECK (position BETWEEN 0 AND 19),
    project_id {uuid} NOT NULL,
    source_id {uuid} NOT NULL,
    target_id {uuid} NOT NULL,
    approval_required {bool} NOT NULL,
    source_unchanged {bool} NOT NULL,
    drift {text} NOT NULL CHECK (drift IN ('ALLOW', 'REFUSE')),
    on_failure {text} NOT NULL CHECK (on_failure IN ('COMPENSATE', 'KEEP')),
    publish {text} NOT NULL CHECK (publish IN ('KEEP', 'AS_SOURCE', 'DEACTIVATE')),
    secrets {text} NOT NULL CHECK (secrets IN ('WARN', 'BLOCK')),
    PRIMARY KEY (pipeline_id, position),
    FOREIGN KEY (pipeline_id, project_id) REFERENCES pipeline (id, project_id),
    FOREIGN KEY (source_id, project_id) REFERENCES environment (id, project_id),
    FOREIGN KEY (target_id, project_id) REFERENCES environment (id, project_id),
    CHECK (source_id <> target_id)
) {clustered};
CREATE INDEX pipeline_stage_guarded ON pipeline_stage (target_id) WHERE approval_required;
