//! Who may tell of trouble how often: nothing is proven yet, so one machine must not fill its timeline, nor many the disk.
//! Only `gateway` uses it; the time is an argument.

use std::collections::HashMap;

use cairn_contract::{Mac, Timestamp};

/// Lines of one address within [`WINDOW_S`]: an installer tells of one trouble before it reboots.
const ALLOWED: u32 = 4;
const WINDOW_S: u32 = 60;
/// Addresses remembered at once; when so many call within one window, new ones are not heard.
const MOST: usize = 1024;

/// Address -> since when, and how many.
#[derive(Debug, Default)]
pub(crate) struct Troubles(HashMap<Mac, (Timestamp, u32)>);

impl Troubles {
    /// Counts one call of `mac`; whether it is heard.
    pub(crate) fn hear(&mut self, mac: Mac, now: Timestamp) -> bool {
        // A clock that was set back begins a new window, too.
        let fresh = |since: Timestamp| since <= now && now < since.after_seconds(WINDOW_S);
        if self.0.len() >= MOST {
            self.0.retain(|_, (since, _)| fresh(*since));
        }
        if self.0.len() >= MOST && !self.0.contains_key(&mac) {
            return false;
        }
        let (since, count) = self.0.entry(mac).or_insert((now, 0));
        if !fresh(*since) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= ALLOWED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(n: u16) -> Mac {
        let [a, b] = n.to_be_bytes();
        Mac([2, 0, 0, 0, a, b])
    }

    #[test]
    fn one_address_is_heard_a_few_times_a_minute_and_leaves_room_for_others() {
        let (mut troubles, now) = (Troubles::default(), Timestamp(1_000_000));
        let heard = (0..100).filter(|_| troubles.hear(mac(1), now)).count();
        assert_eq!(heard, 4);
        assert!(troubles.hear(mac(2), now));
        assert!(troubles.hear(mac(1), now.after_seconds(WINDOW_S)));
        assert!(troubles.hear(mac(1), Timestamp(0)), "a clock set back silences nobody");
    }

    #[test]
    fn invented_addresses_cost_bounded_memory_and_time_frees_it() {
        let (mut troubles, now) = (Troubles::default(), Timestamp(0));
        for n in 0..5000 {
            troubles.hear(mac(n), now);
        }
        assert_eq!(troubles.0.len(), MOST);
        assert!(!troubles.hear(mac(6000), now));
        assert!(troubles.hear(mac(6000), now.after_seconds(WINDOW_S)));
    }
}
