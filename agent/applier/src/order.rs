//! What of an application comes before what. Pure.

use crate::key::Gvk;

/// Objects of one stage are sent together; each stage after those before it. Removal goes the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Namespaces and CustomResourceDefinitions: all else waits until they serve.
    Foundation,
    /// Who may do what, and how much.
    Access,
    /// ConfigMaps and Secrets.
    Settings,
    /// Volumes.
    Storage,
    /// Services: pods get their addresses as environment when they start.
    Service,
    /// What runs.
    Workload,
    /// What leads to it, scales it or asks it (webhooks would refuse before their pods run).
    Edge,
    /// Custom resources: what answers for them runs by now.
    Custom,
}

impl Stage {
    /// Of a kind.
    #[must_use]
    pub fn of(gvk: &Gvk) -> Self {
        match (gvk.group.as_str(), gvk.kind.as_str()) {
            ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition") => Self::Foundation,
            ("", "ServiceAccount" | "ResourceQuota" | "LimitRange")
            | ("networking.k8s.io", "NetworkPolicy")
            | ("rbac.authorization.k8s.io" | "scheduling.k8s.io" | "node.k8s.io" | "policy", _) => {
                Self::Access
            }
            ("", "ConfigMap" | "Secret") => Self::Settings,
            ("", "PersistentVolume" | "PersistentVolumeClaim") | ("storage.k8s.io", _) => Self::Storage,
            ("", "Service" | "Endpoints") | ("discovery.k8s.io", _) => Self::Service,
            ("" | "apps" | "batch", _) => Self::Workload,
            ("networking.k8s.io" | "extensions" | "autoscaling", _)
            | ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => Self::Edge,
            _ => Self::Custom,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_in_the_order_in_which_they_need_each_other() {
        let kinds = [
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ("v1", "ServiceAccount"),
            ("v1", "Secret"),
            ("v1", "PersistentVolumeClaim"),
            ("v1", "Service"),
            ("apps/v1", "Deployment"),
            ("networking.k8s.io/v1", "Ingress"),
            ("kubevirt.io/v1", "VirtualMachine"),
        ];
        let stages: Vec<Stage> = kinds.iter().map(|(v, k)| Stage::of(&Gvk::new(v, k).unwrap())).collect();
        assert!(stages.is_sorted_by(|a, b| a < b), "{stages:?}");
    }
}
