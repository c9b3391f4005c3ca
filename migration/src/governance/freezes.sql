-- A time in which deployments don't begin. One that is deleted stays, so that what was decided about it can name it.
CREATE TABLE freeze_window (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL REFERENCES project (id),
    slug {name} NOT NULL,
    -- What it covers: a tier, an environment, or, where neither is given, the project.
    tier {text} CHECK (tier IN ('DEVELOPMENT', 'TESTING', 'STAGING', 'PRODUCTION')),
    environment_id {uuid},
    -- Once: from one moment to another.
    starts_at {bigint},
    ends_at {bigint},
    -- Or again and again: on these days of the week, by the clocks of this zone, from one day to another.
    zone {text},
    weekdays {text},
    start_minute {int} CHECK (start_minute BETWEEN 0 AND 1439),
    minutes {int} CHECK (minutes BETWEEN 1 AND 10080),
    first_day {text},
    last_day {text},
    actions {text} NOT NULL,
    reason {text} NOT NULL,
    suspended {bool} NOT NULL,
    created_at {bigint} NOT NULL,
    deleted_at {bigint},
    revision {bigint} NOT NULL CHECK (revision >= 1),
    UNIQUE (id, project_id),
    FOREIGN KEY (environment_id, project_id) REFERENCES environment (id, project_id),
    CONSTRAINT freeze_window_scope CHECK (tier IS NULL OR environment_id IS NULL),
    CONSTRAINT freeze_window_schedule CHECK (
        (starts_at IS NOT NULL AND ends_at IS NOT NULL AND starts_at < ends_at AND zone IS NULL AND weekdays IS NULL
            AND start_minute IS NULL AND minutes IS NULL AND first_day IS NULL AND last_day IS NULL)
        OR (starts_at IS NULL AND ends_at IS NULL AND zone IS NOT NULL AND weekdays IS NOT NULL
            AND start_minute IS NOT NULL AND minutes IS NOT NULL
            AND (first_day IS NULL OR last_day IS NULL OR first_day <= last_day)))
) {table};
CREATE UNIQUE INDEX freeze_window_slug ON freeze_window (project_id, slug) WHERE deleted_at IS NULL;
CREATE INDEX freeze_window_list ON freeze_window (project_id, slug, id);

-- That a deployment may begin though a window stands.
CREATE TABLE freeze_override (
    deployment_id {uuid} NOT NULL,
    window_id {uuid} NOT NULL,
    project_id {uuid} NOT NULL,
    overridden_by {uuid} NOT NULL REFERENCES principal (id),
    overridden_at {bigint} NOT NULL,
    reason {text} NOT NULL,
    -- Of what was looked at: as long as the deployment has it, the override counts.
    plan_digest {bytes} NOT NULL CHECK ({length}(plan_digest) = 32),
    PRIMARY KEY (deployment_id, window_id, plan_digest),
    FOREIGN KEY (deployment_id, project_id) REFERENCES deployment (id, project_id),
    FOREIGN KEY (window_id, project_id) REFERENCES freeze_window (id, project_id)
) {clustered};
