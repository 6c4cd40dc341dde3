-- One dialect for SQLite and PostgreSQL: TEXT identifiers, BIGINT numbers, JSON as TEXT, milliseconds since 1970.

-- Numbers that never go back, although rows are deleted.
CREATE TABLE sequence (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO sequence (name, last) VALUES ('history', 0), ('outbox', 0);

CREATE TABLE host (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL,
    word TEXT NOT NULL,
    state TEXT NOT NULL,
    deadline BIGINT,
    ek TEXT UNIQUE,
    inventory TEXT,
    installed TEXT,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX host_by_deadline ON host (deadline) WHERE deadline IS NOT NULL;

-- By what a host is found. source: spec (registered), inventory (told by the proven host), boot (it reached us by it).
CREATE TABLE host_key (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    source TEXT NOT NULL,
    host TEXT NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, value, source, host)
);
CREATE INDEX host_key_by_host ON host_key (host);

-- subject: host:<id>, mac:<address> (no host was known), or site. Outlives its host.
CREATE TABLE history (
    seq BIGINT PRIMARY KEY,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL,
    level TEXT NOT NULL,
    code TEXT NOT NULL,
    text TEXT NOT NULL,
    state TEXT
);
CREATE INDEX history_by_subject ON history (subject, seq);

-- Addresses with history of their own; bounds it.
CREATE TABLE machine (
    mac TEXT PRIMARY KEY,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    last_seq BIGINT NOT NULL
);
CREATE INDEX machine_by_last ON machine (last_seq);

CREATE TABLE outbox (
    id BIGINT PRIMARY KEY,
    effect TEXT NOT NULL,
    due BIGINT NOT NULL,
    attempts BIGINT NOT NULL
);
CREATE INDEX outbox_by_due ON outbox (due);

-- Outlives its host.
CREATE TABLE install (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE,
    image TEXT NOT NULL,
    version BIGINT NOT NULL,
    started BIGINT NOT NULL,
    ended BIGINT,
    voided BIGINT,
    result TEXT
);
CREATE INDEX install_by_host ON install (host, started);

CREATE TABLE image (
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    os_version TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    manifest TEXT NOT NULL,
    reference TEXT NOT NULL,
    blob TEXT NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE installer (
    flavour TEXT NOT NULL,
    version TEXT NOT NULL,
    created BIGINT NOT NULL,
    reference TEXT NOT NULL,
    uki TEXT NOT NULL,
    kernel TEXT NOT NULL,
    initrd TEXT NOT NULL,
    standing TEXT NOT NULL,
    PRIMARY KEY (flavour, version)
);

CREATE TABLE lease (
    ip TEXT PRIMARY KEY,
    record TEXT NOT NULL
);
