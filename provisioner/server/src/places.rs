//! Connections of each address, counted, so that one neighbour cannot take the whole port. Only `port` uses it.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Open connections by address; clones share them. As many addresses as the port has connections at most.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Places,
    address: IpAddr,
}

impl Places {
    /// A place for `address`, unless it has `most` already.
    pub(crate) fn take(&self, address: IpAddr, most: usize) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.entry(address).or_default();
        if *own >= most {
            return None;
        }
        *own += 1;
        Some(Place { of: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_no_place_of_another_and_gives_its_own_back() {
        let (places, a, b) = (Places::default(), IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let held: Vec<_> = (0..3).map_while(|_| places.take(a, 2)).collect();
        assert_eq!(held.len(), 2);
        assert!(places.take(b, 2).is_some());
        drop(held);
        assert!(places.0.lock().unwrap().is_empty(), "nothing is kept of who left");
        assert!(places.take(a, 2).is_some());
    }
}
