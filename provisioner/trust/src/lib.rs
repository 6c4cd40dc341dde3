//! A host proves itself: attestation, the site's CA and keys.
