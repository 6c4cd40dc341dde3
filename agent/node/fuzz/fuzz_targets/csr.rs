//! A kubelet's PKCS#10 request, as PEM: whatever comes, it is read or refused.
#![no_main]

use cairn_node::control::csr::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Request::of_pem(bytes);
});
