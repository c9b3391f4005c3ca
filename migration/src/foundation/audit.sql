-- A chain is its project's id; the installation's is the nil UUID. Events hold ids and no references: what they tell of
-- may never have existed.
CREATE TABLE audit_event (
    sequence {sequence},
    id {uuid} NOT NULL UNIQUE,
    chain_id {uuid} NOT NULL,
    at {bigint} NOT NULL,
    principal_id {uuid} NOT NULL,
    command {name} NOT NULL,
    outcome {text} NOT NULL CHECK (outcome IN ('ALLOWED', 'REFUSED')),
    refusal_reason {text},
    resource_kind {name} NOT NULL,
    resource_name {name} NOT NULL,
    before_json {text},
    after_json {text},
    facts {text} NOT NULL,
    correlation_id {text} NOT NULL,
    repeat_count {bigint} NOT NULL CHECK (repeat_count >= 1),
    CHECK ((outcome = 'REFUSED') = (refusal_reason IS NOT NULL))
) {table};
CREATE INDEX audit_event_newest ON audit_event (chain_id, at, id);

CREATE TABLE audit_chain (
    chain_id {uuid} NOT NULL,
    position {bigint} NOT NULL CHECK (position >= 1),
    event_id {uuid} NOT NULL UNIQUE,
    event_sequence {bigint} NOT NULL UNIQUE,
    hash {bytes} NOT NULL CHECK ({length}(hash) = 32),
    chained_at {bigint} NOT NULL,
    PRIMARY KEY (chain_id, position)
) {clustered};
