//! State, history, outbox, leases and artifacts in SQLite.
