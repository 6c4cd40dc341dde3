//! Distributions, templates, clusters: what they name exists, their networks are apart.

use super::{Check, metadata::check_word, refusal::Problems};
use crate::model::{ClusterSpec, ClusterTemplateSpec, DistributionSpec};

pub(super) fn check_distribution(spec: &DistributionSpec, problems: &mut Problems) {
    check_word("spec.family", &spec.family, problems);
    check_word("spec.version", &spec.version, problems);
}

pub(super) fn check_template(_cx: &Check<'_>, spec: &ClusterTemplateSpec, problems: &mut Problems) {
    check_word("spec.distribution", &spec.distribution, problems);
}

pub(super) fn check(_cx: &Check<'_>, spec: &ClusterSpec, problems: &mut Problems) {
    if let Some(template) = &spec.template {
        check_word("spec.template", template, problems);
    }
}
