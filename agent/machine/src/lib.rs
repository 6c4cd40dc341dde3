//! This machine's hands: what the installer and the agent do to the machine that they run on.
//!
//! Not decisions (those are the provisioner's) and not the programs (`cairn-installer`, `cairn-agent`). Everything
//! here is linked into static programs that may be PID 1: the C library's resolver is never called, and `unsafe`
//! lives in `sys` only.
//!
//! | module | does |
//! |---|---|
//! | [`start`] | PID 1's chores: mounts, console, command line, the end |
//! | [`modules`] | kernel modules by list and by device |
//! | [`net`] | interfaces, DHCP, address and route |
//! | [`clock`], [`console`] | reads and sets the time; log lines |
//! | [`tpm`], [`eventlog`], [`prover`] | keys, quotes, the TCG event log; evidence from them |
//! | [`inventory`] | what the machine is made of |
//! | [`link`], [`attest`] | the connection to the provisioner; proving oneself on it |
//! | [`disk`], [`layout`], [`install`] | which disk, where on it, and the writing |
//! | [`wipe`] | makes a whole disk zero, and reads back that it is |
//! | [`gpt`], [`slots`] | what was written, found again |

pub mod attest;
pub mod clock;
pub mod console;
pub mod disk;
pub mod eventlog;
pub mod gpt;
pub mod install;
pub mod inventory;
pub mod layout;
pub mod link;
pub mod modules;
pub mod net;
pub mod prover;
pub mod slots;
pub mod start;
mod sys;
pub mod tpm;
pub mod wipe;
