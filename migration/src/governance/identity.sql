-- What identity providers and certificates call principals. The issuer of names in certificates is `certificate`.
CREATE TABLE principal_identity (
    issuer {name} NOT NULL CHECK (issuer <> ''),
    subject {name} NOT NULL CHECK (subject <> ''),
    principal_id {uuid} NOT NULL REFERENCES principal (id),
    -- Whether this is why the principal administers the installation.
    tenant_admin {bool} NOT NULL,
    -- When the newest token was issued whose groups were carried over.
    asserted_at {bigint},
    created_at {bigint} NOT NULL,
    PRIMARY KEY (issuer, subject),
    CHECK (issuer <> 'certificate' OR (asserted_at IS NULL AND NOT tenant_admin))
) {clustered};
CREATE INDEX principal_identity_principal ON principal_identity (principal_id);
CREATE UNIQUE INDEX principal_identity_one ON principal_identity (principal_id, issuer) WHERE issuer <> 'certificate';

-- Who gave a membership what: by hand where the source is empty, else an identity provider. The row in `membership` is
-- all of it together, kept in the same transaction.
CREATE TABLE membership_part (
    project_id {uuid} NOT NULL REFERENCES project (id),
    principal_id {uuid} NOT NULL REFERENCES principal (id),
    source {name} NOT NULL,
    roles {text} NOT NULL,
    groups {text} NOT NULL,
    created_at {bigint} NOT NULL,
    updated_at {bigint} NOT NULL,
    PRIMARY KEY (project_id, principal_id, source)
) {clustered};
CREATE INDEX membership_part_principal ON membership_part (principal_id, source);
