//! Each file of `examples/` holds resources that a new appliance admits, in the order of the files' names.

#![allow(clippy::unwrap_used, reason = "in tests, also beside test functions")]

use std::path::{Path, PathBuf};

use cairn_contract::Timestamp;
use cairn_domain::{
    admit::{Admitted, Intent, Stamp, admit, manifest},
    index::Index,
    model::{Kind, Uid},
};
use serde_json::Value;

/// 2026-11-22.
const NOW: Timestamp = Timestamp(1_795_305_600_000);

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Admits all resources of a folder, one after the other.
#[track_caller]
fn apply(folder: &str) -> Index {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(folder);
    let mut index = Index::load([], 0);
    let mut number = 0;
    for file in files(&folder) {
        let text = std::fs::read_to_string(&file).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for document in documents {
            number += 1;
            let manifest = manifest(&document).unwrap_or_else(|refusals| panic!("{file:?}: {refusals:#?}"));
            let stamp = Stamp {
                uid: Uid(uuid::Uuid::from_u128(number)),
                resource_version: i64::try_from(number).unwrap(),
                now: NOW,
            };
            let intent = Intent::Create { manifest: &manifest, namespace: None };
            match admit(&index, intent, stamp) {
                Ok(Admitted::Create(object)) => drop(index.put(*object)),
                other => panic!("{file:?}: {}: {other:#?}", manifest.metadata.name),
            }
        }
    }
    index
}

#[test]
fn the_chain_of_shops_is_admitted_and_shows_every_level() {
    let index = apply("retail");
    let shown = [
        Kind::Organisation,
        Kind::Project,
        Kind::Region,
        Kind::Site,
        Kind::Host,
        Kind::Policy,
        Kind::ClaimRule,
        Kind::FirmwareProfile,
        Kind::User,
        Kind::Role,
        Kind::RoleBinding,
    ];
    for kind in shown {
        assert!(index.count(kind) > 0, "no {kind}");
    }
}

#[test]
fn the_demos_tree_is_admitted_and_has_its_host_in_a_region_of_a_region() {
    let index = apply("demo");
    let host = index.of_kind(Kind::Host).next().unwrap();
    let lineage: Vec<Kind> = index.lineage(host.metadata.uid).iter().map(|object| object.kind()).collect();
    assert_eq!((index.count(Kind::Host), lineage.len()), (1, 6), "{lineage:?}");
    assert_eq!(index.seen(host.metadata.uid).unwrap().label("stage"), Some("lab"));
}

#[test]
fn the_workshop_shows_every_kind_of_workload() {
    let index = apply("workloads");
    for kind in [
        Kind::Distribution,
        Kind::ClusterTemplate,
        Kind::Cluster,
        Kind::Package,
        Kind::Secret,
        Kind::Deployment,
    ] {
        assert!(index.count(kind) > 0, "no {kind}");
    }
    let sources: std::collections::BTreeSet<String> = index
        .of_kind(Kind::Package)
        .map(|object| serde_json::to_value(object.as_ref()).unwrap())
        .flat_map(|package| package["spec"]["applications"].as_array().unwrap().clone())
        .flat_map(|application| {
            application["source"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(sources.into_iter().collect::<Vec<_>>(), ["container", "manifests", "vm"]);
}
