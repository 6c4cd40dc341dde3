//! All tables of the present schema, with what their columns hold; children after those they refer to.

use super::format::Type::{self, Number, Text};

/// One table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The primary key's columns are the first.
    pub(super) key: usize,
    pub(super) columns: &'static [(&'static str, Type)],
}

macro_rules! tables {
    ($($name:ident ($($key:ident $kt:ident),+) [$($column:ident $ct:ident),*];)*) => {
        &[$(Table {
            name: stringify!($name),
            key: [$(stringify!($key)),+].len(),
            columns: &[$((stringify!($key), $kt),)+ $((stringify!($column), $ct)),*],
        }),*]
    };
}

/// Every table but `duty`: who had one is of no use later.
pub(super) const ALL: &[Table] = tables! {
    sequence (name Text) [last Number];
    resource (uid Text) [kind Text, namespace Text, name Text, spec Text, labels Text, annotations Text,
        generation Number, rv Number, created Number, status Text];
    host (id Text) [project Text, name Text, site Text, spec Text, labels Text, annotations Text, settings Text,
        generation Number, word Text, state Text, deadline Number, ek Text, tpm Text, inventory Text, installed Text,
        created Number, changed Number, version Number, rv Number];
    host_key (kind Text, value Text, source Text, host Text) [];
    history (seq Number) [subject Text, at Number, level Text, code Text, text Text, state Text];
    machine (mac Text) [first_at Number, last_at Number, last_seq Number];
    outbox (id Number) [effect Text, due Number, attempts Number];
    install (id Text) [host Text, token_sha256 Text, image Text, version Number, started Number, ended Number,
        voided Number, result Text];
    image (name Text, version Number) [os_version Text, created Number, expires Number, manifest Text, reference Text,
        blob Text, size Number];
    installer (flavour Text, version Text) [created Number, reference Text, uki Text, kernel Text, initrd Text,
        standing Text];
    lease (ip Text) [record Text];
    change (rv Number) [kind Text, uid Text, verb Text, body Text];
    audit (seq Number) [at Number, actor_kind Text, actor Text, origin Text, verb Text, kind Text, uid Text,
        namespace Text, name Text, outcome Text, reason Text, before Text, after Text, prev Text, hash Text];
    audit_anchor (id Number) [seq Number, hash Text];
    password (user_uid Text) [phc Text, changed Number];
    token (sha256 Text) [uid Text, created Number, expires Number, last_used Number];
    session (sha256 Text) [user_uid Text, principal Text, created Number, expires Number, last_seen Number];
    idempotency (principal Text, key Text) [request Text, status Number, response Text, at Number];
    ticket (name Text) [value Text, expires Number];
    assignment (host Text, subject Text) [kind Text, revision Text, body Text, observed Text, phase Text, seq Number,
        changed Number, heard Number];
    secret_value (owner Text, name Text) [sealed Text, changed Number];
    bootstrap_token (id Text) [cluster Text, host Text, node Text, sealed Text, expires Number, spent Number];
};

/// Tables in which a migration has put rows, and how a restore empties them.
pub(super) const SEEDED: [(&str, &str); 3] = [
    ("sequence", "DELETE FROM sequence"),
    ("resource", "DELETE FROM resource"),
    ("audit_anchor", "DELETE FROM audit_anchor"),
];
