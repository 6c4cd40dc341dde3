//! Ports of services and pods say their protocol. It is TCP when they do not, on every version; but before Kubernetes 1.21
//! server-side apply refuses such a port, because the protocol is part of what tells ports apart. Pure.

use serde_json::{Map, Value};

use crate::key::Gvk;

/// Adds `protocol: TCP` where a port of a known kind has none.
pub(crate) fn complete(gvk: &Gvk, object: &mut Value) {
    if gvk.is("", "Service") {
        let ports = object.get_mut("spec").and_then(|s| s.get_mut("ports"));
        each(ports, &mut |port| with_protocol(port));
    } else if matches!(gvk.group.as_str(), "" | "apps" | "batch" | "extensions") {
        templates(object);
    }
}

/// Looks for containers at any depth: pod templates lie at several.
fn templates(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    for (name, inner) in fields {
        if matches!(name.as_str(), "containers" | "initContainers") {
            each(Some(inner), &mut |container| each(container.get_mut("ports"), &mut with_protocol));
        } else {
            templates(inner);
        }
    }
}

fn each(list: Option<&mut Value>, visit: &mut dyn FnMut(&mut Map<String, Value>)) {
    let items = list.and_then(Value::as_array_mut).into_iter().flatten();
    items.filter_map(Value::as_object_mut).for_each(visit);
}

fn with_protocol(port: &mut Map<String, Value>) {
    port.entry("protocol").or_insert_with(|| "TCP".into());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(api_version: &str, kind: &str, (mut before, after): (Value, Value)) {
        complete(&Gvk::new(api_version, kind).unwrap(), &mut before);
        assert_eq!(before, after);
    }

    #[test]
    fn ports_of_services_and_templates_say_tcp_and_others_stay() {
        let service = |port: Value| json!({"spec": {"ports": [port, 7]}});
        check(
            "v1",
            "Service",
            (service(json!({"port": 80})), service(json!({"port": 80, "protocol": "TCP"}))),
        );
        let udp = json!({"port": 53, "protocol": "UDP"});
        check("v1", "Service", (service(udp.clone()), service(udp)));
        let job = |port: Value| json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"ports": [port]}]}}}}}});
        let said = json!({"containerPort": 80, "protocol": "TCP"});
        check("batch/v1", "CronJob", (job(json!({"containerPort": 80})), job(said)));
        check("a.io/v1", "Service", (service(json!({"port": 80})), service(json!({"port": 80}))));
    }
}
