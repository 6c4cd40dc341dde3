//! Kinds that nobody here knows: by the conventions of Kubernetes' API (`observedGeneration`, `conditions`) and kstatus.

use serde_json::Value;

use super::{Health, condition, failed, progressing, ready, unseen, words};
use crate::key::{at, each, text};

/// By `Stalled`, `Reconciling`, then `Ready`, `Available`, `Succeeded`, `Healthy`; what has none of them is ready.
pub(super) fn conditions(live: &Value) -> Health {
    if at(live, &["status", "observedGeneration"]).is_some() && unseen(live) {
        return progressing("its controller has not seen the last change yet");
    }
    let of = |kind: &str, status: &str| condition(live, kind).filter(|c| text(c, &["status"]) == status);
    if let Some(c) = of("Stalled", "True") {
        return failed(words(c));
    }
    if let Some(c) = of("Reconciling", "True") {
        return progressing(words(c));
    }
    let telling =
        ["Ready", "Available", "Succeeded", "Healthy"].iter().find_map(|kind| condition(live, kind));
    match telling {
        Some(c) if text(c, &["status"]) == "True" => ready(text(c, &["type"]).to_lowercase()),
        Some(c) => progressing(format!("not {}: {}", text(c, &["type"]).to_lowercase(), words(c))),
        None if each(live, &["status", "conditions"]).next().is_some() => {
            ready("applied; its conditions tell nothing")
        }
        None => ready("applied"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::told;

    #[test]
    fn conditions_tell_where_there_are_some() {
        let with = |kind: &str, status: &str| json!({"status": {"conditions": [{"type": kind, "status": status, "reason": "Why", "message": "m"}]}});
        let tell = |live| told("cert-manager.io/v1", "Certificate", &live);
        assert_eq!(tell(with("Ready", "True")), "Ready: ready");
        assert_eq!(tell(with("Ready", "False")), "Progressing: not ready: m");
        assert_eq!(tell(with("Ready", "Unknown")), "Progressing: not ready: m");
        assert_eq!(tell(with("Stalled", "True")), "Failed: m");
        assert_eq!(tell(with("Odd", "True")), "Ready: applied; its conditions tell nothing");
        assert_eq!(tell(json!({"metadata": {"generation": 3}})), "Ready: applied");
        let old = json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 2}});
        assert!(tell(old).starts_with("Progressing"));
    }
}
