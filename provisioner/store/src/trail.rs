//! What goes with a change that somebody ordered, in the same transaction: audit rows and the answer to repeat.

use cairn_domain::audit::Deed;

use crate::Answer;

/// Beside a change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trail {
    /// Rows of the audit log, in order.
    pub deeds: Vec<Deed>,
    /// What the request was answered, to be said again when it comes again.
    pub answer: Option<Answer>,
}
