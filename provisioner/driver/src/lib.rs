//! The loop: a fact or an order, one step, one transaction, then effects.
//!
//! Nothing is decided here that `cairn-domain` can decide; nothing else changes a host's state. No sockets.
//!
//! ```text
//!  report / order --> turn (one at a time) --> load --> identify, step --> commit --> caller
//!  observe --> bounded channel --> batch each 100 ms --> notes in one transaction; events as above
//!  every second --> hosts past their deadline --> Tick --> as above
//!  outbox --> Execute (at least once, with backoff) --> done
//! ```

mod deadline;
mod deed;
mod draft;
mod driver;
mod execute;
mod fact;
mod leader;
mod observed;
mod order;
mod outbox;
mod proven;
mod react;
mod run;
mod spec;
mod together;

pub use driver::Driver;
pub use execute::{Execute, ExecuteError};
