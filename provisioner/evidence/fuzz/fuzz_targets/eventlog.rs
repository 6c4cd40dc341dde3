//! Event logs. Seed: `mkdir -p corpus/eventlog; cp ../tests/data/*eventlog* corpus/eventlog`.

#![no_main]

use cairn_evidence::eventlog::EventLog;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(log) = EventLog::parse(bytes) {
        let _ = log.replay();
        log.events.iter().for_each(|event| drop(event.describe()));
    }
});
