//! Distributions and templates that come with Cairn, as text. A distribution becomes a resource with its files' digests and its
//! Kubernetes version when it is imported.

/// A distribution with its template.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Of both.
    pub name: &'static str,
    /// YAML of a [`cairn_contract::workload::Distribution`], without artifacts.
    pub distribution: &'static str,
    /// YAML of the manifest of a ClusterTemplate.
    pub template: &'static str,
}

/// All of them.
pub const BUILT_IN: [BuiltIn; 3] = [
    BuiltIn {
        name: "kubeadm",
        distribution: include_str!("../distributions/kubeadm.yaml"),
        template: include_str!("../templates/kubeadm.yaml"),
    },
    BuiltIn {
        name: "k3s",
        distribution: include_str!("../distributions/k3s.yaml"),
        template: include_str!("../templates/k3s.yaml"),
    },
    BuiltIn {
        name: "rke2",
        distribution: include_str!("../distributions/rke2.yaml"),
        template: include_str!("../templates/rke2.yaml"),
    },
];
