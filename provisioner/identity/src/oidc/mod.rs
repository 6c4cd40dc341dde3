//! OpenID Connect relying party: the site's own users log in to Cairn. Authorization code with PKCE for browsers, device
//! authorization (RFC 8628) for the command line, both driven by the provisioner. No routes, no cookies: the operator has them.
//!
//! ```text
//! begin -> address --browser--> issuer --redirect--> Callback::parse -> finish -> Person
//!       -> Pending (kept by the caller, bound to that browser) ----------^
//! begin_device -> DeviceLogin (code for the person) -> poll_device ... -> Person
//! ```
//! Believed is only an ID token that came from the token endpoint, signed by a published key, for this client, in time, and with
//! this login's nonce. Keys are cached for an hour and asked for again when a token names another.

mod callback;
mod claims;
mod code_flow;
mod config;
mod device;
mod http;
mod known;
mod provider;
mod tokens;
mod verify;

pub use callback::{Callback, CallbackError};
pub use claims::{Person, PersonError};
pub use code_flow::{Begun, Pending};
pub use config::{Oidc, SetupError};
pub use device::{DeviceError, DeviceLogin, DevicePoll};
pub use http::HttpError;
pub use known::DiscoverError;
pub use openidconnect::url::Url;
pub use provider::Provider;
pub use tokens::EndpointError;
pub use verify::{FinishError, TokenRefused};
