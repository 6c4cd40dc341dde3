//! Claims, services, definitions of kinds, namespaces.

use serde_json::Value;

use super::{Around, Health, brief, condition, failed, is, progressing, ready, words};
use crate::key::{each, text};

pub(super) fn claim(live: &Value, around: &Around) -> Health {
    match text(live, &["status", "phase"]) {
        "Bound" => ready("bound"),
        "Lost" => failed("its volume is lost"),
        // The pod may be of an application that comes later: nothing would ever begin.
        _ if around.waits_for_pod => ready("it gets its volume with its first pod"),
        _ => progressing(format!("no volume yet{}", around.warning())),
    }
}

/// What a controller of load balancers leaves: that of a cloud, MetalLB, kube-vip.
const BALANCED: [&str; 4] = ["EnsuringLoadBalancer", "EnsuredLoadBalancer", "IPAllocated", "nodeAssigned"];
const UNBALANCED: [&str; 4] =
    ["SyncLoadBalancerFailed", "AllocationFailed", "CreatingLoadBalancerFailed", "UnAvailableLoadBalancer"];

/// A load balancer is waited for only when something in the cluster has begun to make one: elsewhere it would be for ever.
pub(super) fn service(live: &Value, around: &Around) -> Health {
    if text(live, &["spec", "type"]) != "LoadBalancer" {
        return ready("applied");
    }
    let ingress = each(live, &["status", "loadBalancer", "ingress"]).next();
    if let Some(place) = ingress {
        let address = text(place, &["ip"]);
        return ready(format!(
            "at {}",
            brief(if address.is_empty() { text(place, &["hostname"]) } else { address })
        ));
    }
    if let Some(event) = around.latest(&UNBALANCED) {
        return progressing(format!("no address: {}", brief(text(event, &["message"]))));
    }
    if around.latest(&BALANCED).is_some() {
        return progressing("its load balancer is being made");
    }
    ready("no address: nothing in this cluster makes load balancers; its node ports work")
}

pub(super) fn namespace(live: &Value) -> Health {
    match text(live, &["status", "phase"]) {
        "Terminating" => progressing("it is being deleted by somebody"),
        _ => ready("active"),
    }
}

pub(super) fn definition(live: &Value) -> Health {
    if let Some(c) = condition(live, "NamesAccepted").filter(|c| text(c, &["status"]) == "False") {
        return failed(format!("its names are taken: {}", words(c)));
    }
    if is(live, "Established", "True") { ready("established") } else { progressing("not yet established") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{told, told_with};
    use super::*;

    #[test]
    fn a_load_balancer_is_waited_for_only_where_something_makes_one() {
        let with = |status: Value| json!({"spec": {"type": "LoadBalancer"}, "status": status});
        assert!(told("v1", "Service", &with(json!({}))).starts_with("Ready: no address: nothing"));
        let has = with(json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}));
        assert_eq!(told("v1", "Service", &has), "Ready: at 192.0.2.1");
        let event = |reason: &str| Around {
            events: vec![json!({"reason": reason, "message": "no more addresses", "type": "Warning"})],
            waits_for_pod: false,
        };
        let say = |reason| told_with("v1", "Service", (&with(json!({})), &event(reason)));
        assert_eq!(say("EnsuringLoadBalancer"), "Progressing: its load balancer is being made");
        assert_eq!(say("AllocationFailed"), "Progressing: no address: no more addresses");
    }

    #[test]
    fn a_claim_that_waits_for_its_pod_holds_up_nothing() {
        let pending = json!({"status": {"phase": "Pending"}});
        assert_eq!(told("v1", "PersistentVolumeClaim", &pending), "Progressing: no volume yet");
        let around = Around { events: vec![], waits_for_pod: true };
        assert!(told_with("v1", "PersistentVolumeClaim", (&pending, &around)).starts_with("Ready"));
    }

    #[test]
    fn definitions_wait_until_they_are_established() {
        let kind = "CustomResourceDefinition";
        let with =
            |t: &str, s: &str| json!({"status": {"conditions": [{"type": t, "status": s, "message": "m"}]}});
        assert_eq!(told("apiextensions.k8s.io/v1", kind, &json!({})), "Progressing: not yet established");
        assert_eq!(told("apiextensions.k8s.io/v1", kind, &with("Established", "True")), "Ready: established");
        assert_eq!(
            told("apiextensions.k8s.io/v1", kind, &with("NamesAccepted", "False")),
            "Failed: its names are taken: m"
        );
    }
}
