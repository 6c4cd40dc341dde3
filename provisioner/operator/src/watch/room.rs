//! How many watches are open, in all and by one principal: nobody takes the place of all others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cairn_domain::access::{Principal, PrincipalKind};

type Who = (PrincipalKind, String);

/// All open watches; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watches(Arc<Mutex<HashMap<Who, usize>>>);

/// One open watch; its drop ends it.
#[derive(Debug)]
pub(crate) struct Place {
    watches: Watches,
    who: Who,
}

impl Watches {
    /// `None` when there are `most` already, or half of them are the principal's own.
    pub(super) fn take(&self, principal: &Principal, most: usize) -> Option<Place> {
        let who = (principal.kind, principal.name.clone());
        let mut open = self.open();
        let own = open.get(&who).copied().unwrap_or_default();
        if open.values().sum::<usize>() >= most || own >= most.div_ceil(2) {
            return None;
        }
        open.insert(who.clone(), own.saturating_add(1));
        drop(open);
        Some(Place { watches: self.clone(), who })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Who, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.watches.open();
        match open.get_mut(&self.who) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(open.remove(&self.who)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_the_place_of_all_others() {
        let (watches, greedy) = (Watches::default(), Principal::token("greedy.acme"));
        let mut own: Vec<Place> = (0..9).filter_map(|_| watches.take(&greedy, 4)).collect();
        assert_eq!(own.len(), 2);
        let other = watches.take(&Principal::setup(), 4);
        assert!(other.is_some());
        own.pop();
        assert!(watches.take(&greedy, 4).is_some());
        drop((own, other));
        assert!(watches.open().is_empty(), "what is closed is forgotten");
    }
}
