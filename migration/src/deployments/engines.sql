-- Where an environment's workflows run. The key is a reference: the secret itself has no place here.
CREATE TABLE environment_engine (
    environment_id {uuid} PRIMARY KEY REFERENCES environment (id),
    kind {text} NOT NULL CHECK (kind IN ('DIRECTORY', 'N8N')),
    path {text},
    base_url {text},
    api_key {text} CHECK (substr(api_key, 1, 4) = 'env:' OR substr(api_key, 1, 5) = 'file:'),
    CONSTRAINT environment_engine_settings CHECK ((path IS NOT NULL) = (kind = 'DIRECTORY')
        AND (base_url IS NOT NULL) = (kind = 'N8N') AND (api_key IS NOT NULL) = (kind = 'N8N'))
) {table};

-- A key stands for one workflow, and no two keys for the same.
CREATE TABLE workflow_link (
    environment_id {uuid} NOT NULL REFERENCES environment (id),
    key {name} NOT NULL,
    workflow_id {name} NOT NULL,
    PRIMARY KEY (environment_id, key),
    UNIQUE (environment_id, workflow_id)
) {clustered};

CREATE TABLE credential_target (
    environment_id {uuid} NOT NULL REFERENCES environment (id),
    kind {name} NOT NULL,
    name {name} NOT NULL,
    target_id {text} NOT NULL,
    target_name {text} NOT NULL,
    PRIMARY KEY (environment_id, kind, name)
) {clustered};
