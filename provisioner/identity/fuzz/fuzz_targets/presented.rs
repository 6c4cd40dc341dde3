//! Any bytes as what a stranger presents: token, one-time code, callback, stored hash. What is read is read again alike.
#![no_main]

use cairn_identity::oidc::{Callback, DeviceLogin, Pending};
use cairn_identity::{OneTimeCode, Phc, Token};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(token) = Token::parse(text) {
        assert_eq!(token.expose(), text);
    }
    if let Ok(code) = OneTimeCode::parse(text) {
        let again = OneTimeCode::parse(code.expose().expose()).expect("what is shown is read");
        assert!(again.hash() == code.hash());
    }
    if let Ok(phc) = Phc::parse(text) {
        assert_eq!(phc.as_str(), text);
    }
    let _ = Callback::parse(text);
    let _ = (Pending::from_record(text), DeviceLogin::from_record(text));
});
