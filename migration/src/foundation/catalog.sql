CREATE TABLE environment (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL REFERENCES project (id),
    slug {name} NOT NULL,
    display_name {text} NOT NULL,
    description {text} NOT NULL,
    tier {text} NOT NULL CHECK (tier IN ('DEVELOPMENT', 'TESTING', 'STAGING', 'PRODUCTION')),
    position {int} NOT NULL,
    -- A backup by the clock is taken this often.
    backup_seconds {bigint} CHECK (backup_seconds BETWEEN 60 AND 2592000),
    created_at {bigint} NOT NULL,
    archived_at {bigint},
    revision {bigint} NOT NULL CHECK (revision >= 1),
    UNIQUE (project_id, slug),
    UNIQUE (id, project_id)
) {table};
CREATE INDEX environment_position ON environment (project_id, position, slug);
CREATE INDEX environment_backed_up ON environment (id) WHERE backup_seconds IS NOT NULL;

CREATE TABLE application (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL REFERENCES project (id),
    key {name} NOT NULL,
    kind {text} NOT NULL
        CHECK (kind IN ('SERVICE', 'WORKFLOW', 'FUNCTION', 'PROMPT', 'PROMPT_ASSET', 'AI_MODEL')),
    display_name {text} NOT NULL,
    description {text} NOT NULL,
    created_at {bigint} NOT NULL,
    archived_at {bigint},
    revision {bigint} NOT NULL CHECK (revision >= 1),
    UNIQUE (project_id, key),
    UNIQUE (id, project_id)
) {table};

CREATE TABLE version (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL,
    application_id {uuid} NOT NULL,
    identifier {name} NOT NULL,
    digest {bytes} CHECK ({length}(digest) = 32),
    content_size {bigint} CHECK (content_size BETWEEN 0 AND 3145728),
    content_type {text},
    dependencies {text} NOT NULL,
    attributes {text} NOT NULL,
    notes {text} NOT NULL,
    author_id {uuid} NOT NULL REFERENCES principal (id),
    created_by {uuid} NOT NULL REFERENCES principal (id),
    created_at {bigint} NOT NULL,
    deprecated_at {bigint},
    deprecated_by {uuid} REFERENCES principal (id),
    deprecated_reason {text},
    UNIQUE (application_id, identifier),
    -- What a deployment record refers to, so that its version is its application's.
    UNIQUE (id, application_id),
    FOREIGN KEY (application_id, project_id) REFERENCES application (id, project_id),
    CHECK ((content_size IS NULL) = (content_type IS NULL)),
    CHECK (content_size IS NULL OR digest IS NOT NULL),
    CHECK ((deprecated_at IS NULL) = (deprecated_by IS NULL)
        AND (deprecated_at IS NULL) = (deprecated_reason IS NULL))
) {table};
CREATE INDEX version_newest ON version (application_id, created_at DESC, id DESC);
CREATE INDEX version_identifier ON version (project_id, identifier);
