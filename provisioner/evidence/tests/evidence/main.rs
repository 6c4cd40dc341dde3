//! The promises of `cairn-evidence`, on samples of a virtual host, on structures made here, and against swtpm.

mod builders;
mod eventlog;
mod hostile;
mod quote;
mod samples;
