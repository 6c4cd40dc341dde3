//! Deployments: what they name, and how they roll out.

use super::{Check, metadata::check_word, refusal::Problems};
use crate::model::DeploymentSpec;

pub(super) fn check(_cx: &Check<'_>, spec: &DeploymentSpec, problems: &mut Problems) {
    check_word("spec.package", &spec.package, problems);
}
