//! Who somebody is: passwords, tokens, one-time codes, OpenID Connect, and how often one may guess. Not what somebody may do
//! (`cairn_domain::access`), no routes (`cairn-operator`) and no rows (`cairn-store`): values in, values out, `now` is an argument.
//!
//! ```text
//!  name + password --- NameThrottle, Passwords::verify ------------------+
//!  one-time code ----- OneTimeCode::parse, IssuedCode::redeem -----------+--> the operator makes a session: Token::random
//!  browser ----------- Provider::begin -> issuer -> Provider::finish ----+
//!  CLI --------------- Provider::begin_device -> ... -> poll_device -----+
//!  service, session -- Token::parse -> Token::hash -> the store's row
//! ```

mod base32;
mod code;
pub mod oidc;
mod password;
mod pending;
mod secret;
mod throttle;
mod token;

pub use code::{CodeError, IssuedCode, OneTimeCode, RedeemError};
pub use password::{HashError, Password, PasswordError, Passwords, Phc, PhcError};
pub use pending::Pendings;
pub use secret::{NoRandomness, Secret, SecretHash};
pub use throttle::NameThrottle;
pub use token::{Token, TokenError, TokenKind};
