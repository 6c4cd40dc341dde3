//! How far a change may go: batch after batch, each when enough of those before are ready.
//!
//! Nothing is remembered but the batch that the status names for the same revision: a batch that was once open stays open. So
//! what was released is never taken back, and a target that comes later gets it at once when its batch is open.

use cairn_domain::model::{Rollout, Uid};

/// What is known of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    /// It was told the revision that it shall have.
    pub(crate) released: bool,
    /// It has it, healthy.
    pub(crate) ready: bool,
    /// It does not get there.
    pub(crate) failed: bool,
    /// Its place in the order, always the same.
    pub(crate) hash: u64,
}

/// How far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gate {
    /// Whether each target, as they were given, may have the change.
    pub(crate) open: Open,
    /// Number of the batch, counted from 0.
    pub(crate) batch: usize,
    /// Of the targets.
    pub(crate) percent: u8,
    /// Why it stopped.
    pub(crate) stopped: Option<Stop>,
}

/// Who may have the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Open {
    /// All.
    All,
    /// Those.
    Some(Vec<bool>),
}

impl Open {
    pub(crate) fn is_open(&self, at: usize) -> bool {
        match self {
            Self::All => true,
            Self::Some(open) => open.get(at).copied().unwrap_or(false),
        }
    }
}

/// Why it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `maxFailed` is reached.
    TooManyFailed(usize),
    /// So many of the batch failed that `successPercent` cannot be reached.
    Unreachable(usize),
}

/// A place in the order of a deployment's targets that neither names nor times change.
pub(crate) fn hash(subject: Uid, target: Uid) -> u64 {
    let (a, b) = subject.0.as_u64_pair();
    let (c, d) = target.0.as_u64_pair();
    [a, b, c, d].into_iter().fold(0x9e37_79b9_7f4a_7c15, |state, word| mix(state ^ word))
}

/// The finaliser of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Targets of the first batches that make up this percentage: at least one of any.
fn count(targets: usize, percent: u8) -> usize {
    targets.saturating_mul(usize::from(percent)).div_ceil(100).clamp(usize::from(targets > 0), targets)
}

/// `reached`: the batch that was open at the same revision before.
pub(crate) fn gate(rollout: &Rollout, seats: &[Seat], reached: usize) -> Gate {
    let mut steps = rollout.batches.clone();
    if steps.last() != Some(&100) {
        steps.push(100);
    }
    let last = steps.len().saturating_sub(1);
    let all = Gate { open: Open::All, batch: last, percent: 100, stopped: None };
    if reached >= last {
        return all;
    }
    let mut order: Vec<usize> = (0..seats.len()).collect();
    order.sort_by_key(|at| seats.get(*at).map(|s| (!s.released, s.hash)));
    let mut batch = reached;
    let mut stopped = None;
    while batch < last {
        let size = count(seats.len(), steps.get(batch).copied().unwrap_or(100));
        let within: Vec<&Seat> = order.iter().take(size).filter_map(|at| seats.get(*at)).collect();
        stopped = stop(rollout, &within, seats);
        let ready = within.iter().filter(|s| s.ready).count();
        if stopped.is_some() || !enough(rollout, ready, size) {
            break;
        }
        batch = batch.saturating_add(1);
    }
    if batch >= last {
        return all;
    }
    let percent = steps.get(batch).copied().unwrap_or(100);
    let mut open = vec![false; seats.len()];
    for at in order.into_iter().take(count(seats.len(), percent)) {
        if let Some(open) = open.get_mut(at) {
            *open = true;
        }
    }
    Gate { open: Open::Some(open), batch, percent, stopped }
}

fn enough(rollout: &Rollout, good: usize, of: usize) -> bool {
    good.saturating_mul(100) >= of.saturating_mul(usize::from(rollout.success_percent))
}

fn stop(rollout: &Rollout, within: &[&Seat], all: &[Seat]) -> Option<Stop> {
    let failed = all.iter().filter(|s| s.failed).count();
    if rollout.max_failed.is_some_and(|max| failed >= usize::try_from(max).unwrap_or(usize::MAX)) {
        return Some(Stop::TooManyFailed(failed));
    }
    let lost = within.iter().filter(|s| s.failed).count();
    let best = within.len().saturating_sub(lost);
    (!enough(rollout, best, within.len())).then_some(Stop::Unreachable(lost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW: Seat = Seat { released: false, ready: false, failed: false, hash: 0 };

    fn seats(words: &str) -> Vec<Seat> {
        let seat = |(at, word): (usize, char)| Seat {
            released: word != '-',
            ready: word == 'r',
            failed: word == 'f',
            hash: at as u64,
        };
        words.chars().enumerate().map(seat).collect()
    }

    fn rollout(batches: &[u8], success_percent: u8, max_failed: Option<u32>) -> Rollout {
        Rollout { batches: batches.to_vec(), success_percent, max_failed }
    }

    fn opened(gate: &Gate, of: usize) -> usize {
        (0..of).filter(|at| gate.open.is_open(*at)).count()
    }

    #[test]
    fn a_batch_opens_when_enough_of_those_before_are_ready() {
        let r = rollout(&[10, 50, 100], 100, None);
        for (words, batch, open) in [
            ("----------", 0, 1),
            ("p---------", 0, 1),
            ("r---------", 1, 5),
            ("rrrrp-----", 1, 5),
            ("rrrrr-----", 2, 10),
            ("rrrrrrrrrr", 2, 10),
        ] {
            let gate = gate(&r, &seats(words), 0);
            assert_eq!((gate.batch, opened(&gate, 10), gate.stopped), (batch, open, None), "{words}");
        }
    }

    #[test]
    fn failures_stop_it_and_a_batch_once_open_stays_open() {
        let strict = rollout(&[50, 100], 100, None);
        assert_eq!(gate(&strict, &seats("rf--"), 0).stopped, Some(Stop::Unreachable(1)));
        let lax = rollout(&[50, 100], 50, Some(2));
        assert_eq!(gate(&lax, &seats("rf--"), 0).batch, 1);
        assert_eq!(gate(&lax, &seats("rrff--"), 0).stopped, Some(Stop::TooManyFailed(2)));
        assert_eq!(gate(&strict, &seats("fff-"), 1).open, Open::All, "it had reached 100 percent");
    }

    #[test]
    fn one_target_of_many_is_the_smallest_batch_and_none_of_none() {
        assert_eq!((count(3, 1), count(0, 50), count(1000, 10), count(3, 100)), (1, 0, 100, 3));
        assert_eq!(gate(&rollout(&[], 100, None), &[NEW; 4], 0).open, Open::All);
    }

    proptest! {
        #[test]
        fn no_more_are_open_than_the_batch_has_or_had(
            words in "[-prf]{0,30}", batches in prop::collection::btree_set(1_u8..=100, 0..4),
            success in 1_u8..=100, max in prop::option::of(1_u32..5), reached in 0_usize..5,
        ) {
            let r = rollout(&batches.into_iter().collect::<Vec<_>>(), success, max);
            let seats = seats(&words);
            let gate = gate(&r, &seats, reached);
            let released = seats.iter().filter(|s| s.released).count();
            let told = (0..seats.len()).filter(|at| seats[*at].released || gate.open.is_open(*at)).count();
            prop_assert!(told <= count(seats.len(), gate.percent).max(released));
        }
    }
}
