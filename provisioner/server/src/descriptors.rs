//! How many files and connections the process may have open. Systems start programs with 1,024, for the sake of ones that
//! use `select`; hosts and watchers need more.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// With fewer, a large site is told.
const ENOUGH: u64 = 8192;
/// For the database, files that are served, and plain HTTP.
const OWN: u64 = 512;

/// Raises the limit as far as it goes without root, and says how many connections of the TLS port fit in, at most `most`.
pub(crate) fn room(most: usize) -> usize {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => {
            tracing::warn!(%error, "cannot tell how many files may be open");
            return most;
        }
    };
    let now = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(error) => {
            tracing::warn!(%error, soft, hard, "cannot raise the limit of open files");
            soft
        }
    };
    let room = fits(now, most);
    if now < ENOUGH {
        tracing::warn!(
            limit = now,
            connections = room,
            "few files may be open (RLIMIT_NOFILE); for more hosts set LimitNOFILE= of the service, or `ulimit -Hn`"
        );
    }
    room
}

fn fits(limit: u64, most: usize) -> usize {
    let left = limit.saturating_sub(OWN).max(limit / 2);
    usize::try_from(left).unwrap_or(usize::MAX).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        assert_eq!(fits(1_048_576, 16_384), 16_384);
        assert_eq!(fits(4096, 16_384), 3584);
        assert_eq!(fits(256, 16_384), 128);
    }
}
