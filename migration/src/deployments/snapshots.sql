CREATE TABLE snapshot (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL,
    environment_id {uuid} NOT NULL,
    commit_sha {name} NOT NULL CHECK ({length}(commit_sha) = 40),
    content_hash {bytes} NOT NULL CHECK ({length}(content_hash) = 32),
    kind {text} NOT NULL CHECK (kind IN ('AUTO_BACKUP', 'PRE_PROMOTION', 'POST_PROMOTION', 'MANUAL_BACKUP',
        'PRE_RESTORE', 'POST_RESTORE')),
    created_at {bigint} NOT NULL,
    created_by {uuid} REFERENCES principal (id),
    deployment_id {uuid},
    notes {text} NOT NULL,
    workflows {int} NOT NULL CHECK (workflows >= 0),
    UNIQUE (id, environment_id),
    FOREIGN KEY (environment_id, project_id) REFERENCES environment (id, project_id),
    FOREIGN KEY (deployment_id, environment_id) REFERENCES deployment (id, target_id),
    CONSTRAINT snapshot_deployment CHECK (deployment_id IS NOT NULL OR kind IN ('AUTO_BACKUP', 'MANUAL_BACKUP'))
) {table};

-- The list by each thing it can be filtered by, in its order.
CREATE INDEX snapshot_project ON snapshot (project_id, created_at, id);
CREATE INDEX snapshot_environment ON snapshot (environment_id, created_at, id);
CREATE INDEX snapshot_kind ON snapshot (project_id, kind, created_at, id);
CREATE INDEX snapshot_environment_kind ON snapshot (environment_id, kind, created_at, id);

-- Who takes an environment's backup by the clock: the last claim alone writes what came of it.
CREATE TABLE environment_backup (
    environment_id {uuid} PRIMARY KEY REFERENCES environment (id),
    epoch {bigint} NOT NULL CHECK (epoch >= 1),
    not_before {bigint} NOT NULL,
    failures {int} NOT NULL CHECK (failures >= 0),
    problem {text},
    CONSTRAINT environment_backup_problem CHECK ((problem IS NULL) = (failures = 0))
) {clustered, often updated};

{postgres} ALTER TABLE deployment ADD FOREIGN KEY (restores_id, target_id) REFERENCES snapshot (id, environment_id);
{postgres} ALTER TABLE deployment ADD FOREIGN KEY (pre_snapshot_id, target_id) REFERENCES snapshot (id, environment_id);
{postgres} ALTER TABLE deployment ADD FOREIGN KEY (post_snapshot_id, target_id) REFERENCES snapshot (id, environment_id);
