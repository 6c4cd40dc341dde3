//! Why something is not done, for conditions: a word, the field that is to blame, and what to do.

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// One word in upper camel case.
    pub reason: &'static str,
    /// Path of the field, such as `spec.parameters.replicas`; empty: none in particular.
    pub field: String,
    /// For people, with what to do.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(reason: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, field: field.into(), message: message.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.field, self.message)
        }
    }
}
