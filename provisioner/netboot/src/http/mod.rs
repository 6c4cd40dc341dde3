//! HTTP boot: [`BootHttp`] answers requests, [`Config`] listens in the clear. The server crate calls the same handler on
//! its TLS port.
//!
//! On a boot path there is never a redirect: firmware does not follow one, and some stop (netboot.md rule 34).

mod body;
mod conditional;
mod handler;
mod listener;
mod range;
mod route;
mod stall;

pub use body::Body;
pub use handler::BootHttp;
pub use listener::{BindError, Config, Http, Limits, ServeError};
pub use stall::Stall;
