CREATE TABLE template (
    id {uuid} PRIMARY KEY,
    project_id {uuid} NOT NULL REFERENCES project (id),
    slug {name} NOT NULL,
    -- The last one.
    version {bigint} NOT NULL CHECK (version >= 1),
    deleted_at {bigint}
) {table};
CREATE UNIQUE INDEX template_slug ON template (project_id, slug) WHERE deleted_at IS NULL;

-- What a template was in each of its versions. Items are JSON.
CREATE TABLE template_version (
    template_id {uuid} NOT NULL REFERENCES template (id),
    version {bigint} NOT NULL CHECK (version >= 1),
    display_name {text} NOT NULL,
    description {text} NOT NULL,
    items {text} NOT NULL,
    created_by {uuid} NOT NULL REFERENCES principal (id),
    created_at {bigint} NOT NULL,
    PRIMARY KEY (template_id, version)
) {clustered};
{postgres} ALTER TABLE deployment ADD FOREIGN KEY (template_id, template_version) REFERENCES template_version (template_id, version);
