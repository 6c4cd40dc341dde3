//! Whose an object of the cluster is, and whether it is still as it was applied. Pure.
//!
//! Drift needs no comparison of values: server-side apply makes the server note in `managedFields` which fields manager `cairn`
//! set, and whoever changes or removes one of them takes it out of that note. So an object is as it was applied exactly when the
//! note is the one that the server gave back when it was. Defaults, other spellings of a quantity, and fields that others added
//! make no difference; values of secrets need not be kept. (`put::Trace` adds the generation, for writes that pass the note by.)

use cairn_contract::Digest;
use serde_json::Value;
use uuid::Uuid;

use crate::key::{each, text};
use crate::manifest::{OWNER, OWNER_NAME};

/// Our field manager.
pub const MANAGER: &str = "cairn";

/// Digest of the fields that we set; `None` when it notes none.
#[must_use]
pub fn fields(live: &Value) -> Option<Digest> {
    let ours = |entry: &&Value| {
        text(entry, &["manager"]) == MANAGER
            && text(entry, &["operation"]) == "Apply"
            && text(entry, &["subresource"]).is_empty()
    };
    let entry = each(live, &["metadata", "managedFields"]).find(ours)?;
    serde_json::to_vec(entry.get("fieldsV1")?).ok().map(|bytes| Digest::of(&bytes))
}

/// Which other manager wrote last; for people.
#[must_use]
pub fn last_writer(live: &Value) -> Option<&str> {
    let others = each(live, &["metadata", "managedFields"])
        .filter(|e| text(e, &["manager"]) != MANAGER && !status_only(e));
    others.max_by_key(|e| text(e, &["time"])).map(|e| text(e, &["manager"])).filter(|m| !m.is_empty())
}

/// Controllers note their status as `Update` of a subresource, and before 1.22 of the whole object.
fn status_only(entry: &Value) -> bool {
    let fields = entry.get("fieldsV1").and_then(Value::as_object);
    text(entry, &["subresource"]) == "status" || fields.is_some_and(|f| f.keys().all(|k| k == "f:status"))
}

/// Whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// There is no such object.
    Free,
    /// This deployment's.
    Ours,
    /// Made by others than Cairn.
    Found,
    /// Another deployment's.
    Another {
        /// Its full name, or its uid when that was taken off.
        name: String,
    },
}

/// Whose `live` is, seen from `deployment`, which applied an object of this kind and name with `uid` before (empty: none).
#[must_use]
pub fn claim(live: Option<&Value>, deployment: Uuid, uid: &str) -> Claim {
    let Some(live) = live else { return Claim::Free };
    let mark = text(live, &["metadata", "labels", OWNER]);
    if mark == deployment.to_string() {
        return Claim::Ours;
    }
    if !mark.is_empty() {
        let name = text(live, &["metadata", "annotations", OWNER_NAME]);
        return Claim::Another { name: if name.is_empty() { mark } else { name }.to_owned() };
    }
    // Somebody took the mark off; the object is the same.
    if !uid.is_empty() && text(live, &["metadata", "uid"]) == uid { Claim::Ours } else { Claim::Found }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(mark: &str) -> Value {
        json!({"metadata": {"uid": "u1", "labels": {OWNER: mark}, "annotations": {OWNER_NAME: "b.acme"}, "managedFields": [
            {"manager": "kube-controller-manager", "operation": "Update", "time": "2026-02-02T00:00:00Z", "fieldsV1": {"f:status": {}}},
            {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
            {"manager": "cairn", "operation": "Update", "fieldsV1": {"f:x": {}}},
            {"manager": "cairn", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}},
        ]}})
    }

    #[test]
    fn the_note_of_our_fields_changes_when_others_take_one() {
        let before = live("");
        let mut after = before.clone();
        after["metadata"]["managedFields"][3]["fieldsV1"] = json!({});
        assert!(fields(&before).is_some() && fields(&before) != fields(&after));
        after["metadata"]["managedFields"] = json!([]);
        assert_eq!((fields(&after), fields(&json!(7))), (None, None));
        assert_eq!(last_writer(&before), Some("kubectl-edit"));
    }

    #[test]
    fn marks_and_uids_say_whose_it_is() {
        let me = Uuid::from_u128(7);
        assert_eq!(claim(None, me, "u1"), Claim::Free);
        assert_eq!(claim(Some(&live(&me.to_string())), me, ""), Claim::Ours);
        assert_eq!(claim(Some(&live("x")), me, "u1"), Claim::Another { name: "b.acme".into() });
        assert_eq!(claim(Some(&live("")), me, "u1"), Claim::Ours);
        assert_eq!(claim(Some(&live("")), me, "u2"), Claim::Found);
        assert_eq!(claim(Some(&live("")), me, ""), Claim::Found);
    }
}
