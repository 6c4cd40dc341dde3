-- What hosts run: orders and what came of them; values that only proven hosts get.

INSERT INTO sequence (name, last) VALUES ('assignment', 0);

-- What a host was told to run, and what it said of it. subject: uid of a Deployment or Cluster (kind).
-- body: JSON of the order (contract: Release or NodeDesired); NULL: to be removed, and the row goes when the host says that it is gone.
-- observed: JSON of what the host said last (ReleaseObserved or NodeObserved). phase: of that, in one word.
-- seq: grows with each change of an order, over all hosts: who follows it learns which hosts to wake.
CREATE TABLE assignment (
    host TEXT NOT NULL REFERENCES host (id) ON DELETE CASCADE,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    revision TEXT NOT NULL,
    body TEXT,
    observed TEXT,
    phase TEXT NOT NULL,
    seq BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    heard BIGINT,
    CONSTRAINT assignment_once PRIMARY KEY (host, subject)
);
CREATE INDEX assignment_by_subject ON assignment (subject);
CREATE INDEX assignment_by_seq ON assignment (seq);

-- owner: uid of a Secret. sealed: AES-256-GCM under the site's key, hexadecimal; bound to owner and name.
CREATE TABLE secret_value (
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed TEXT NOT NULL,
    changed BIGINT NOT NULL,
    CONSTRAINT secret_value_once PRIMARY KEY (owner, name)
);

-- A host's way into a cluster: once, for minutes. sealed: the secret half, as in secret_value. spent: used or void since.
CREATE TABLE bootstrap_token (
    id TEXT NOT NULL PRIMARY KEY,
    cluster TEXT NOT NULL,
    host TEXT NOT NULL,
    node TEXT NOT NULL,
    sealed TEXT NOT NULL,
    expires BIGINT NOT NULL,
    spent BIGINT
);
CREATE INDEX bootstrap_token_by_cluster ON bootstrap_token (cluster);
