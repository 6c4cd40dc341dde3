//! What is loaded: a region over all, regions below it, sites and hosts with labels of their own and from above; made
//! through the API as an operator would.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::Scale;
use crate::http::{Dialer, Http1};

/// Where it all lies.
pub(crate) const PROJECT: &str = "retail.acme";
/// The region over all others.
pub(crate) const TOP: &str = "world";
/// Regions below it: two levels, twenty in all.
pub(crate) const REGIONS: usize = 19;
const TIERS: [&str; 3] = ["gold", "silver", "bronze"];
const SIZES: [&str; 2] = ["large", "small"];
/// Resources of one request, as the command line sends them.
const BATCH: usize = 500;

/// Loads everything.
pub(crate) async fn load(dialer: &Dialer, scale: &Scale) -> Result<()> {
    let mut client = dialer.http1(Ipv4Addr::LOCALHOST).await?;
    let mut all = vec![
        resource("Organisation", ("acme", ""), json!({}), json!({})),
        resource("Project", ("retail", "acme"), json!({"line": "retail"}), json!({})),
        region(TOP, json!({})),
    ];
    all.extend((0..REGIONS).map(below));
    all.extend((0..scale.sites).map(site));
    all.extend((0..scale.hosts).map(|number| host(number, scale)));
    for batch in all.chunks(BATCH) {
        apply(&mut client, batch).await?;
    }
    Ok(())
}

/// Applies some resources; fails when one of them is refused.
pub(crate) async fn apply(client: &mut Http1, items: &[Value]) -> Result<()> {
    let answer = client.post("/api/v1/apply", &json!({ "items": items })).await?;
    let answers = answer.get("items").and_then(Value::as_array).context("an answer without items")?;
    let refused = answers.iter().find(|a| a.get("action").and_then(Value::as_str) == Some("failed"));
    match refused {
        Some(answer) => bail!("refused: {answer}"),
        None => Ok(()),
    }
}

/// A region with these labels.
pub(crate) fn region(name: &str, labels: Value) -> Value {
    resource("Region", (name, PROJECT), labels, json!({}))
}

/// A host with these labels beside its usual ones.
pub(crate) fn host_with(number: usize, scale: &Scale, more: (&str, &str)) -> Value {
    let mut host = host(number, scale);
    if let Some(labels) = host.pointer_mut("/metadata/labels") {
        labels[more.0] = more.1.into();
    }
    host
}

/// A host's name.
pub(crate) fn host_name(number: usize) -> String {
    format!("till-{number:05}")
}

fn below(number: usize) -> Value {
    let labels = json!({ "zone": format!("z{number:02}"), "tier": TIERS.get(number % TIERS.len()) });
    resource("Region", (&format!("r{number:02}"), PROJECT), labels, json!({ "parent": TOP }))
}

fn site(number: usize) -> Value {
    let spec = json!({ "region": format!("r{:02}", number % REGIONS), "timezone": "Europe/Berlin" });
    resource(
        "Site",
        (&format!("s{number:04}"), PROJECT),
        json!({ "size": SIZES.get(number % SIZES.len()) }),
        spec,
    )
}

fn host(number: usize, scale: &Scale) -> Value {
    let labels = json!({
        "role": if number % 10 == 9 { "server" } else { "till" },
        "shelf": (number % 1000).to_string(),
    });
    let spec = json!({ "site": format!("s{:04}", number % scale.sites), "serial": format!("SN{number:08}") });
    resource("Host", (&host_name(number), PROJECT), labels, spec)
}

fn resource(kind: &str, (name, namespace): (&str, &str), labels: Value, spec: Value) -> Value {
    json!({
        "apiVersion": "cairn/v1",
        "kind": kind,
        "metadata": { "name": name, "namespace": namespace, "labels": labels },
        "spec": spec,
    })
}
