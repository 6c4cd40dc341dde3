//! Virtual machines of KubeVirt, as far as a control plane without KubeVirt goes: its objects, their status, and who may switch
//! them. The definitions are minimal ones of this test.

use cairn_applier::{Power, PowerError};
use cairn_contract::workload::Phase;
use serde_json::json;

use crate::site::{Site, definition, order};

const PATH: &str = "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/vm";

/// A machine is switched without that being drift.
pub(crate) async fn machines(site: &Site) {
    assert!(matches!(site.applier.power("shop", "vm", Power::Stop).await, Err(PowerError::Absent { .. })));
    site.create(&definition("kubevirt.io", "VirtualMachine", "Namespaced"));
    site.create(&definition("kubevirt.io", "VirtualMachineInstance", "Namespaced"));
    let machine = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "vm"},
        "spec": {"runStrategy": "Always", "template": {"spec": {"domain": {"devices": {}}}}}});
    let orders = vec![order(1, &[("vm", vec![machine.clone()])])];
    site.applier.want(orders.clone());
    site.until("the machine", |all| all.iter().any(|r| r.message.contains("KubeVirt has not seen it yet")))
        .await;
    let says = |status: &'static str| {
        site.set_status(PATH, "virtualmachine vm -n shop", json!({"printableStatus": status}))
    };
    says("ErrorUnschedulable").await;
    site.until("the failure", |all| {
        all[0].phase == Phase::Failed && all[0].message.contains("ErrorUnschedulable")
    })
    .await;
    says("Running").await;
    site.until_ready(&orders).await;

    let strategy = || site.kubectl("get virtualmachine vm -n shop -o jsonpath={.spec.runStrategy}");
    site.applier.power("shop", "vm", Power::Stop).await.unwrap();
    says("Stopped").await;
    site.until("stopped", |all| all[0].applications[0].workloads[0].message == "stopped, as it shall be")
        .await;
    assert_eq!((strategy().as_str(), site.seen.borrow()[0].corrected), ("Halted", 0));
    // By somebody else it is drift.
    site.kubectl("patch virtualmachine vm -n shop --type=merge -p {\"spec\":{\"runStrategy\":\"Manual\"}}");
    site.until("a correction", |all| all[0].corrected == 1).await;
    assert_eq!(strategy(), "Always");
    site.applier.power("shop", "vm", Power::Start).await.unwrap();
    assert_eq!(strategy(), "Always");

    // Without KubeVirt's own API a restart ends the instance.
    assert!(matches!(site.applier.power("shop", "vm", Power::Restart).await, Err(PowerError::Off { .. })));
    site.create(&json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "metadata": {"name": "vm", "namespace": "shop"}}));
    site.applier.power("shop", "vm", Power::Restart).await.unwrap();
    assert!(!site.has("virtualmachineinstance vm -n shop"));
}
