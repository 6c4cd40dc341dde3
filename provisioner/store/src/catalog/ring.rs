//! The newest events, in order and bounded: what watchers read.

use std::{collections::VecDeque, sync::Arc};

use cairn_domain::index::Event;

/// Weight of all events that are kept. One that keeps an old version of a resource alive weighs more than one that only
/// tells of inherited values: a label of a region with all hosts below it must fit.
const MOST: u32 = 65_536;
const OWN: u32 = 8;
const INHERITED: u32 = 1;

/// Events, oldest first.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Arc<Event>>,
    /// Position of the first event; positions only grow.
    first: u64,
    weight: u32,
    /// All events after this revision are here.
    floor: i64,
}

impl Ring {
    /// Nothing before `floor` is known.
    pub(super) fn new(floor: i64) -> Self {
        Self { events: VecDeque::new(), first: 0, weight: 0, floor }
    }

    pub(super) fn push(&mut self, event: Event) {
        self.weight = self.weight.saturating_add(weight(&event));
        self.events.push_back(Arc::new(event));
        while self.weight > MOST {
            let Some(oldest) = self.events.pop_front() else { break };
            self.first = self.first.saturating_add(1);
            self.weight = self.weight.saturating_sub(weight(&oldest));
            self.floor = oldest.revision;
        }
    }

    /// Forgets everything; all who read are told.
    pub(super) fn restart(&mut self, floor: i64) {
        self.first = self.end().saturating_add(1);
        self.events.clear();
        (self.weight, self.floor) = (0, floor);
    }

    /// Position of the first event after `revision`; `None` when some of them are gone.
    pub(super) fn position_after(&self, revision: i64) -> Option<u64> {
        let known = revision >= self.floor;
        let offset = self.events.partition_point(|event| event.revision <= revision);
        known.then(|| self.first.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX)))
    }

    /// At most `most` events from `position` on; `None` when some of them are gone.
    pub(super) fn from(&self, position: u64, most: usize) -> Option<Vec<Arc<Event>>> {
        let offset = usize::try_from(position.checked_sub(self.first)?).ok()?;
        Some(self.events.iter().skip(offset).take(most).cloned().collect())
    }

    fn end(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.events.len()).unwrap_or(u64::MAX))
    }
}

fn weight(event: &Event) -> u32 {
    if event.is_inherited() { INHERITED } else { OWN }
}
