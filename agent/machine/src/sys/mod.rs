//! The only `unsafe` code: system calls that no safe wrapper covers. Each function is safe to call and says why.

#![allow(unsafe_code, reason = "ioctls on network interfaces and block devices have no safe wrapper")]

pub(crate) mod block;
pub(crate) mod net;
