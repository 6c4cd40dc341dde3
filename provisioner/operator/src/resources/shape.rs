//! Schemas of resources, kind by kind, for the document.

use std::{collections::BTreeMap, sync::Arc};

use cairn_domain::model::{
    API_VERSION, ClaimRuleSpec, ClusterSpec, ClusterTemplateSpec, DeploymentSpec, DistributionSpec,
    FirmwareProfileSpec, HostFields, HostStatus, Kind, ManifestMetadata, OrganisationSpec, OsImageSpec,
    PackageSpec, PolicySpec, ProjectSpec, RegionSpec, RoleBindingSpec, RoleSpec, SecretSpec, SiteSpec,
    TokenSpec, UserSpec,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::affected::Affected;
use crate::route::Describe;

/// Metadata as it is shown.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct ObjectMetadata {
    name: String,
    namespace: String,
    uid: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    /// Grows with each change of `spec`.
    generation: i64,
    /// Grows with each change of anything; also the ETag.
    resource_version: String,
    /// RFC 3339.
    creation_timestamp: String,
}

/// Metadata of a list.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct ListMetadata {
    /// Where a watch goes on from.
    resource_version: String,
    /// Of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#continue: Option<String>,
    /// How many follow, where that is cheap to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_item_count: Option<u64>,
}

/// One resource, as it is given; with `affected` where it answers a dry run.
pub(crate) fn object(kind: Kind) -> Describe {
    Arc::new(move |g| {
        let mut properties = head(kind);
        properties.insert("metadata".into(), g.subschema_for::<ObjectMetadata>().to_value());
        properties.insert("spec".into(), spec(kind, g).to_value());
        if matches!(kind, Kind::Cluster | Kind::Deployment | Kind::Secret) {
            properties.insert("status".into(), json!({ "type": "object" }));
        }
        if kind == Kind::Host {
            properties.insert("status".into(), g.subschema_for::<HostStatus>().to_value());
        }
        if kind.is_node() || kind == Kind::Policy {
            properties.insert("affected".into(), g.subschema_for::<Affected>().to_value());
        }
        named(
            g,
            kind.name(),
            json!({
                "type": "object",
                "properties": properties,
                "required": ["apiVersion", "kind", "metadata", "spec"],
            }),
        )
    })
}

/// What is sent to make or replace one.
pub(crate) fn manifest(kind: Kind) -> Describe {
    Arc::new(move |g| {
        let mut properties = head(kind);
        properties.insert("metadata".into(), g.subschema_for::<ManifestMetadata>().to_value());
        properties.insert("spec".into(), spec(kind, g).to_value());
        properties.insert("status".into(), json!({ "description": "Ignored." }));
        let mut required = vec!["apiVersion", "kind", "metadata"];
        if matches!(
            kind,
            Kind::RoleBinding
                | Kind::Token
                | Kind::OsImage
                | Kind::Distribution
                | Kind::ClusterTemplate
                | Kind::Package
                | Kind::Deployment
        ) {
            required.push("spec");
        }
        let mut schema = json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        });
        if let Some(example) = example(kind) {
            schema["examples"] = json!([example]);
        }
        named(g, kind.name(), schema)
    })
}

/// A manifest that an appliance admits as it is when it is new. A token's would expire with time, an image's is not written.
fn example(kind: Kind) -> Option<Value> {
    let spec = match kind {
        Kind::Organisation | Kind::Project => json!({ "settings": { "ntp": "10.0.0.1" } }),
        Kind::Region => json!({ "displayName": "Europe" }),
        Kind::Site => json!({ "timezone": "Europe/Berlin" }),
        Kind::Host => json!({ "serial": "CZ2025001" }),
        Kind::Policy => json!({ "boot": { "patienceSeconds": 900 } }),
        Kind::FirmwareProfile => {
            json!({ "match": { "manufacturer": "Lenovo*" }, "quirks": { "slowStartSeconds": 60 } })
        }
        Kind::ClaimRule => {
            json!({ "match": { "serial": "CZ2025*" }, "site": "main", "accept": false, "priority": 0 })
        }
        Kind::User => json!({ "displayName": "Anna" }),
        Kind::Role => json!({ "rules": [{ "verbs": ["get"], "kinds": ["Host"] }] }),
        Kind::RoleBinding => json!({ "role": "viewer", "subjects": [{ "kind": "User", "name": "example" }] }),
        Kind::Distribution => json!({
            "family": "kubeadm", "version": "1.36.1",
            "run": { "adminKubeconfig": "/etc/kubernetes/admin.conf", "caCertificate": "/etc/kubernetes/pki/ca.crt" },
        }),
        Kind::ClusterTemplate => json!({ "version": "1.0.0", "distribution": "example" }),
        Kind::Cluster => json!({ "template": "example", "selector": { "matchLabels": { "role": "till" } } }),
        Kind::Package => json!({
            "package": "hello", "version": "1.0.0",
            "applications": [{ "name": "web", "source": { "container": { "image": "hello:1" } } }],
        }),
        Kind::Deployment => json!({
            "package": "hello",
            "targets": { "kind": "host", "selector": { "matchLabels": { "role": "till" } } },
        }),
        Kind::Secret => json!({ "description": "of the till" }),
        Kind::OsImage | Kind::Token => return None,
    };
    Some(
        json!({ "apiVersion": API_VERSION, "kind": kind.name(), "metadata": { "name": "example" }, "spec": spec }),
    )
}

/// One page of a list.
pub(crate) fn list(kind: Kind) -> Describe {
    let item = object(kind);
    Arc::new(move |g| {
        let items = item(g).to_value();
        json_schema!({
            "type": "object",
            "properties": {
                "apiVersion": { "const": API_VERSION },
                "kind": { "const": format!("{kind}List") },
                "metadata": g.subschema_for::<ListMetadata>().to_value(),
                "items": { "type": "array", "items": items },
            },
            "required": ["apiVersion", "kind", "metadata", "items"],
        })
    })
}

/// A merge patch: any object.
pub(crate) fn patch() -> Describe {
    Arc::new(|_| json_schema!({ "type": "object" }))
}

fn head(kind: Kind) -> Map<String, Value> {
    let mut properties = Map::new();
    properties.insert("apiVersion".into(), json!({ "const": API_VERSION }));
    properties.insert("kind".into(), json!({ "const": kind.name() }));
    properties
}

/// Puts a schema among the named ones.
fn named(generator: &mut SchemaGenerator, name: &str, schema: Value) -> Schema {
    generator.definitions_mut().insert(name.to_owned(), schema);
    Schema::new_ref(format!("#/components/schemas/{name}"))
}

fn spec(kind: Kind, g: &mut SchemaGenerator) -> Schema {
    match kind {
        Kind::Organisation => g.subschema_for::<OrganisationSpec>(),
        Kind::Project => g.subschema_for::<ProjectSpec>(),
        Kind::Region => g.subschema_for::<RegionSpec>(),
        Kind::Site => g.subschema_for::<SiteSpec>(),
        Kind::Host => g.subschema_for::<HostFields>(),
        Kind::Policy => g.subschema_for::<PolicySpec>(),
        Kind::OsImage => g.subschema_for::<OsImageSpec>(),
        Kind::FirmwareProfile => g.subschema_for::<FirmwareProfileSpec>(),
        Kind::ClaimRule => g.subschema_for::<ClaimRuleSpec>(),
        Kind::User => g.subschema_for::<UserSpec>(),
        Kind::Role => g.subschema_for::<RoleSpec>(),
        Kind::RoleBinding => g.subschema_for::<RoleBindingSpec>(),
        Kind::Token => g.subschema_for::<TokenSpec>(),
        Kind::Distribution => g.subschema_for::<DistributionSpec>(),
        Kind::ClusterTemplate => g.subschema_for::<ClusterTemplateSpec>(),
        Kind::Cluster => g.subschema_for::<ClusterSpec>(),
        Kind::Package => g.subschema_for::<PackageSpec>(),
        Kind::Deployment => g.subschema_for::<DeploymentSpec>(),
        Kind::Secret => g.subschema_for::<SecretSpec>(),
    }
}
