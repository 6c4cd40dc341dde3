//! Packages: whole in themselves, and never changed.

use super::{Check, metadata::check_word, refusal::Problems};
use crate::model::PackageSpec;

pub(super) fn check(_cx: &Check<'_>, spec: &PackageSpec, problems: &mut Problems) {
    check_word("spec.package", &spec.package, problems);
}
