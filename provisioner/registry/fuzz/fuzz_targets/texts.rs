//! Any text as a name, tag, digest, range or place of a chunk: parsing returns, and what is accepted keeps its promise.
//! Run: `cargo +nightly fuzz run texts`.
#![no_main]

use cairn_registry::{ChunkRange, Part, RepositoryName, Tag, parse_digest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u64)| {
    let (text, size) = input;
    if let Ok(name) = text.parse::<RepositoryName>() {
        assert!(name.as_str().len() <= 255);
        assert!(name.as_str().split('/').all(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric())));
    }
    if let Ok(tag) = text.parse::<Tag>() {
        assert!(!tag.as_str().contains('/') && !tag.as_str().starts_with('.'));
    }
    if let Ok(digest) = parse_digest(text) {
        assert_eq!(format!("sha256:{digest}"), text);
    }
    if let Part::Slice { first, last } = Part::of(Some(text), size) {
        assert!(first <= last && last < size);
    }
    if let Ok(chunk) = ChunkRange::parse(text) {
        assert!(chunk.size > 0);
    }
});
