//! Any bytes as a window: eight bytes of `now`, two of length, one for the zone, the rest the start. The answer lies after `now`, and
//! what it promises holds there. Run: `cargo +nightly fuzz run cron`.
#![no_main]

use cairn_contract::Timestamp;
use cairn_domain::window::{State, Windows};
use libfuzzer_sys::fuzz_target;

const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"];

fuzz_target!(|bytes: &[u8]| {
    let Some((now, rest)) = bytes.split_first_chunk::<8>() else { return };
    let Some(([low, high, zone], start)) = rest.split_first_chunk::<3>() else { return };
    let Ok(start) = std::str::from_utf8(start) else { return };
    let minutes = u32::from(u16::from_le_bytes([*low, *high]));
    let zone = ZONES[usize::from(*zone) % ZONES.len()];
    let Ok(windows) = Windows::read(zone, [(start, minutes)]) else { return };
    // Most of all possible instants are outside the calendar; half of the tries are in 1970 to 2104.
    let now = i64::from_le_bytes(*now);
    let now = if now % 2 == 0 { now } else { now.rem_euclid(1 << 42) };
    let is_open = |at: i64| matches!(windows.state(Timestamp(at)), State::Open { .. });
    match windows.state(Timestamp(now)) {
        State::Open { until } => assert!(until.0 > now && is_open(until.0 - 1)),
        State::Closed { next: Some(next) } => {
            assert!(next.0 > now && is_open(next.0) && !is_open(next.0 - 1))
        }
        State::Closed { next: None } => {}
    }
});
