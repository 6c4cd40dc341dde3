//! The table of all stories, the longest first so that the last job to end is a short one.

use anyhow::Result;

use crate::story::Story;
use crate::{firmware_knocks, rig_breaks_things};

/// One story.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Also its file and its folder below `.lab`.
    pub(crate) name: &'static str,
    /// What it shows, in one line.
    pub(crate) promise: &'static str,
    /// How many guests it has on at once, at most.
    pub(crate) guests: usize,
    /// The story itself.
    pub(crate) tell: fn(&Story) -> Result<()>,
}

/// All of them.
pub(crate) const STORIES: &[Entry] = &[
    Entry {
        name: "rig_breaks_things",
        promise: "the lab's silent cables, bad weather, power cuts and killed servers do what they say",
        guests: 1,
        tell: rig_breaks_things::tell,
    },
    Entry {
        name: "firmware_knocks",
        promise: "OVMF (PXE, HTTP) and SeaBIOS with iPXE power on and ask for an address as themselves",
        guests: 1,
        tell: firmware_knocks::tell,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_folder() {
        for (index, story) in STORIES.iter().enumerate() {
            assert!(
                story
                    .name
                    .chars()
                    .all(|letter| letter.is_ascii_lowercase() || "_0123456789".contains(letter))
            );
            assert!(!STORIES.iter().skip(index + 1).any(|other| other.name == story.name), "{}", story.name);
            assert!(story.guests >= 1);
        }
    }
}
