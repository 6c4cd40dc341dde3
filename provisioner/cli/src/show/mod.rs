//! How answers look to people: plain, short English; columns; colour only where a terminal shows it.

pub(crate) mod columns;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod duration;
pub(crate) mod effective;
pub(crate) mod entry;
pub(crate) mod facts;
pub(crate) mod progress;
pub(crate) mod size;
pub(crate) mod table;
pub(crate) mod words;
pub(crate) mod workloads;

/// Whether colour is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// On a terminal.
    Colour,
    /// In a file or pipe.
    Plain,
}
