CREATE TABLE project (
    id {uuid} PRIMARY KEY,
    slug {name} NOT NULL UNIQUE,
    display_name {text} NOT NULL,
    description {text} NOT NULL,
    created_at {bigint} NOT NULL,
    archived_at {bigint},
    revision {bigint} NOT NULL CHECK (revision >= 1),
    -- What it requires of versions before they are released, as JSON.
    required_locales {text} NOT NULL,
    validation_rules {text} NOT NULL
) {table};

-- The names of people, in one place where they can be erased (display_name NULL). A principal's row has the principal's
-- id and no project; a name claimed in a report has an id of its own and the project it was claimed in.
CREATE TABLE person (
    id {uuid} PRIMARY KEY,
    project_id {uuid} REFERENCES project (id),
    display_name {name},
    email {name}
) {table};
CREATE UNIQUE INDEX person_claimed ON person (project_id, display_name) WHERE project_id IS NOT NULL;
CREATE UNIQUE INDEX person_email ON person (lower(email)) WHERE email IS NOT NULL AND project_id IS NULL;

CREATE TABLE principal (
    id {uuid} PRIMARY KEY REFERENCES person (id),
    kind {text} NOT NULL CHECK (kind IN ('USER', 'SERVICE_ACCOUNT')),
    owner_id {uuid} REFERENCES principal (id),
    tenant_admin {bool} NOT NULL,
    created_at {bigint} NOT NULL,
    disabled_at {bigint},
    disabled_reason {text},
    CHECK ((kind = 'SERVICE_ACCOUNT') = (owner_id IS NOT NULL)),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) {table};
CREATE INDEX principal_tenant_admin ON principal (id) WHERE tenant_admin AND disabled_at IS NULL;

CREATE TABLE membership (
    project_id {uuid} NOT NULL REFERENCES project (id),
    principal_id {uuid} NOT NULL REFERENCES principal (id),
    roles {text} NOT NULL,
    groups {text} NOT NULL,
    created_at {bigint} NOT NULL,
    updated_at {bigint} NOT NULL,
    PRIMARY KEY (project_id, principal_id)
) {clustered};
CREATE INDEX membership_principal ON membership (principal_id);

CREATE TABLE token (
    id {uuid} PRIMARY KEY,
    principal_id {uuid} NOT NULL REFERENCES principal (id),
    name {text} NOT NULL,
    digest {bytes} NOT NULL CHECK ({length}(digest) = 32),
    created_at {bigint} NOT NULL,
    expires_at {bigint},
    revoked_at {bigint},
    last_used_at {bigint}
) {table};
CREATE INDEX token_principal ON token (principal_id, id);

-- Requests made before. No project is the nil UUID: a primary key has no NULL.
CREATE TABLE request (
    principal_id {uuid} NOT NULL REFERENCES principal (id),
    project_id {uuid} NOT NULL,
    method {name} NOT NULL,
    request_id {name} NOT NULL,
    digest {bytes} NOT NULL CHECK ({length}(digest) = 32),
    resource {text} NOT NULL,
    at {bigint} NOT NULL,
    PRIMARY KEY (principal_id, project_id, method, request_id)
) {clustered};
CREATE INDEX request_at ON request (at);
