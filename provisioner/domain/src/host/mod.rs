//! The lifecycle of one host.
//!
//! ```text
//!            accept                knock            claim             proven
//!  Pending ---------> Registered --------> Booting -------> Attesting --------> Installing
//!                         ^                   ^  too long?      | refused           | finished
//!                   retry |                   +---- silence or failure -------------+--> FirstBoot
//!            Quarantined, Failed  <-- evidence refused / attempts used up           |        | agent proven
//!                                                                                   |        v
//!                                                    Silent <--- no heartbeat --- Running <--+
//! ```
//! Out of service: `Retiring`, `Wiping`, `Retired`, drawn in `retire.rs`.
//!
//! Final until a person acts: `Quarantined`, `Failed`, `Pending`; for good: `Retired`. `Retiring` waits for a boot from the network. `Registered` waits for the machine's first sign, `Silent` for
//! its agent's next one, for as long as it takes. Every other state has a deadline in its data.

mod retire;
mod state;
mod step;
mod why;

pub use retire::{Retirement, may_decommission};
pub use state::{Effect, Event, Host, HostMeta, HostSpec, Installed, State};
pub use step::{Context, Step, step};
pub use why::Why;
