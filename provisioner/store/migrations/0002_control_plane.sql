-- The tree, its policies and people; who changed what; what several provisioners share.
-- SQLite cannot drop a UNIQUE: host and host_key are made anew, which both engines can.

INSERT INTO sequence (name, last) VALUES ('change', 0), ('audit', 0);

-- A resource other than a host. rv: grows with each change, over all resources and hosts.
CREATE TABLE resource (
    uid TEXT NOT NULL CONSTRAINT resource_uid_once PRIMARY KEY,
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    spec TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    generation BIGINT NOT NULL,
    rv BIGINT NOT NULL,
    created BIGINT NOT NULL,
    status TEXT,
    CONSTRAINT resource_name_once UNIQUE (kind, namespace, name)
);
-- Where hosts are that nobody put elsewhere. `created` 0 is set to the present time when the program opens the database.
INSERT INTO resource (uid, kind, namespace, name, spec, labels, annotations, generation, rv, created) VALUES
    ('00000000-0000-4000-8000-0000000000a1', 'Organisation', '', 'default', '{}', '{}', '{}', 1, 1, 0),
    ('00000000-0000-4000-8000-0000000000a2', 'Project', 'default', 'default', '{}', '{}', '{}', 1, 2, 0),
    ('00000000-0000-4000-8000-0000000000a3', 'Site', 'default.default', 'main', '{}', '{}', '{}', 1, 3, 0);

-- project: namespace such as retail.acme. site: name of a site of it. settings, labels, annotations: JSON.
CREATE TABLE host_new (
    id TEXT NOT NULL CONSTRAINT host_id_once PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    site TEXT,
    spec TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    settings TEXT NOT NULL,
    generation BIGINT NOT NULL,
    word TEXT NOT NULL,
    state TEXT NOT NULL,
    deadline BIGINT,
    ek TEXT CONSTRAINT host_ek_once UNIQUE,
    tpm TEXT,
    inventory TEXT,
    installed TEXT,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    version BIGINT NOT NULL,
    rv BIGINT NOT NULL,
    CONSTRAINT host_name_once UNIQUE (project, name)
);
INSERT INTO host_new (id, project, name, site, spec, labels, annotations, settings, generation, word, state, deadline,
                      ek, inventory, installed, created, changed, version, rv)
    SELECT id, 'default.default', name, 'main', spec, '{}', '{}', '{}', 1, word, state, deadline,
           ek, inventory, installed, created, changed, version, 3 + ROW_NUMBER() OVER (ORDER BY created, id)
    FROM host;
CREATE TABLE host_key_new (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    source TEXT NOT NULL,
    host TEXT NOT NULL REFERENCES host_new (id) ON DELETE CASCADE,
    CONSTRAINT host_key_once PRIMARY KEY (kind, value, source, host)
);
INSERT INTO host_key_new (kind, value, source, host) SELECT kind, value, source, host FROM host_key;
DROP TABLE host_key;
DROP TABLE host;
ALTER TABLE host_new RENAME TO host;
ALTER TABLE host_key_new RENAME TO host_key;
CREATE INDEX host_by_deadline ON host (deadline) WHERE deadline IS NOT NULL;
CREATE INDEX host_by_name ON host (name, id);
CREATE INDEX host_key_by_host ON host_key (host);
UPDATE sequence SET last = 3 + (SELECT COUNT(*) FROM host) WHERE name = 'change';

-- What changed, for watchers and other provisioners. verb: put or delete; body: what a deleted one was, JSON.
CREATE TABLE change (
    rv BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    uid TEXT NOT NULL,
    verb TEXT NOT NULL,
    body TEXT
);

-- hash: SHA-256 over prev and the row, hexadecimal. prev: the hash of the row before.
CREATE TABLE audit (
    seq BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    origin TEXT NOT NULL,
    verb TEXT NOT NULL,
    kind TEXT,
    uid TEXT,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    before TEXT,
    after TEXT,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_by_uid ON audit (uid, seq);
-- The last row that was cut off the front: the chain begins after it.
CREATE TABLE audit_anchor (
    id BIGINT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_anchor (id, seq, hash) VALUES (1, 0, '');

-- phc: argon2id as a PHC string.
CREATE TABLE password (
    user_uid TEXT NOT NULL PRIMARY KEY,
    phc TEXT NOT NULL,
    changed BIGINT NOT NULL
);

-- The secret of a Token resource, as its SHA-256.
CREATE TABLE token (
    sha256 TEXT NOT NULL PRIMARY KEY,
    uid TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    last_used BIGINT
);
CREATE INDEX token_by_uid ON token (uid);

CREATE TABLE session (
    sha256 TEXT NOT NULL PRIMARY KEY,
    user_uid TEXT NOT NULL,
    principal TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    last_seen BIGINT NOT NULL
);
CREATE INDEX session_by_user ON session (user_uid);
CREATE INDEX session_by_expiry ON session (expires);

-- What a request with an idempotency key was answered. request: SHA-256 of it.
CREATE TABLE idempotency (
    principal TEXT NOT NULL,
    key TEXT NOT NULL,
    request TEXT NOT NULL,
    status BIGINT NOT NULL,
    response TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT idempotency_once PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_by_time ON idempotency (at);

-- Values that are taken once: codes, logins under way.
CREATE TABLE ticket (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX ticket_by_expiry ON ticket (expires);

-- Which provisioner has a duty that only one may have.
CREATE TABLE duty (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until BIGINT NOT NULL
);
