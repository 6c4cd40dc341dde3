//! The type of what was checked. Only this crate's verifiers build one; everyone else can only receive it.

use std::ops::Deref;

/// A value read from evidence whose proof was checked. There is no public constructor: holding one means that the check
/// named by the function that returned it has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven<T>(T);

impl<T> Proven<T> {
    pub(crate) fn new(checked: T) -> Self {
        Self(checked)
    }

    /// The value; what it says is no longer marked as proven.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Proven<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
