//! Any bytes as a label selector (text and JSON) and as a field selector: what is read keeps to its own rules and
//! survives its text form. Run: `cargo +nightly fuzz run selector`.
#![no_main]

use cairn_domain::selector::{FieldSelector, Selector};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(selector) = serde_json::from_slice::<Selector>(bytes) {
        let _ = (selector.check(), selector.matches(|key| key.get(1..).map(str::to_owned)));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(selector) = text.parse::<Selector>() {
        assert_eq!(selector.check(), Ok(()));
        assert_eq!(selector.to_string().parse().as_ref(), Ok(&selector));
        let _ = selector.matches(|key| key.get(1..).map(str::to_owned));
    }
    if let Ok(fields) = text.parse::<FieldSelector>() {
        assert_eq!(fields.to_string().parse().as_ref(), Ok(&fields));
        let _ = fields.matches(|path| path.get(1..).map(str::to_owned));
    }
});
