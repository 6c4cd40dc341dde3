//! Texts to objects by the real programs, where this machine has them.

use std::collections::BTreeMap;

use cairn_domain::model::{Chart, Files};
use cairn_fleet::render::Tools;
use cairn_store::Store;
use cairn_workload::{RenderInput, Rendered};
use serde_json::Value;

use crate::site::{Archives, on_path, renderer};

struct Kitchen {
    store: Store,
    _dir: tempfile::TempDir,
}

impl Kitchen {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { store: Store::open(dir.path()).await.unwrap(), _dir: dir }
    }

    async fn render(
        &self,
        tools: Tools,
        archives: Archives,
        input: RenderInput,
    ) -> Result<Vec<Value>, (String, String)> {
        match renderer(&self.store, tools, archives).render(&input).await {
            Rendered::Ready { digest, size } => {
                let (mut file, length) = self.store.blobs().open(&digest).unwrap().unwrap();
                assert_eq!(length, size);
                let mut text = String::new();
                std::io::Read::read_to_string(&mut file, &mut text).unwrap();
                Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
            }
            Rendered::Failed { reason, message } => Err((reason, message)),
        }
    }
}

fn files(all: &[(&str, &str)]) -> Files {
    let inline = all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Files { inline, ..Files::default() }
}

fn packed(all: &[(&str, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    for (name, text) in all {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn nowhere() -> Tools {
    Tools { search: Some("/nonexistent".into()), ..Tools::default() }
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: '${word}'}\n";
const REFERENCE: &str = "default.default/web@sha256:00";

#[tokio::test]
async fn files_of_an_archive_get_the_parameters_and_only_the_folder_that_is_meant_counts() {
    let kitchen = Kitchen::new().await;
    let archive = packed(&[("deploy/a.yaml", MAP), ("deploy/notes.txt", "${"), ("other/b.yaml", "- broken")]);
    let archives = || Archives(BTreeMap::from([(REFERENCE.to_owned(), archive.clone())]));
    let input = |folder: &str, word: &str| RenderInput::Manifests {
        files: Files { artifact: Some(REFERENCE.into()), path: Some(folder.into()), ..Files::default() },
        texts: BTreeMap::from([(word.to_owned(), "x".to_owned())]),
    };
    let good = packed(&[("deploy/a.yaml", MAP), ("other/b.yaml", "- broken")]);
    let only = Archives(BTreeMap::from([(REFERENCE.to_owned(), good)]));
    let objects = kitchen.render(nowhere(), only, input("deploy", "word")).await.unwrap();
    assert_eq!(objects[0]["data"]["a"], "x");
    let refused = kitchen.render(nowhere(), archives(), input("deploy", "word")).await.unwrap_err();
    assert_eq!(refused.0, "ParameterUnknown", "{refused:?}");
    let refused = kitchen.render(nowhere(), Archives::default(), input("deploy", "word")).await.unwrap_err();
    assert_eq!(refused.0, "ArtifactAbsent", "{refused:?}");
    let refused = kitchen.render(nowhere(), archives(), input("../x", "word")).await.unwrap_err();
    assert_eq!(refused.0, "ArchiveInvalid", "{refused:?}");
}

#[tokio::test]
async fn without_its_program_a_chart_says_what_to_install() {
    let kitchen = Kitchen::new().await;
    let helm = RenderInput::Helm {
        chart: Chart { files: files(&[("Chart.yaml", "name: x")]), values: String::new(), release: None },
        release: "x".into(),
        namespace: "x".into(),
        kubernetes: "1.36.1".into(),
    };
    let (reason, message) = kitchen.render(nowhere(), Archives::default(), helm).await.unwrap_err();
    assert!(reason == "HelmAbsent" && message.contains("/usr/local/bin"), "{message}");
    let input =
        RenderInput::Kustomize { files: files(&[("kustomization.yaml", "")]), texts: BTreeMap::new() };
    let (reason, message) = kitchen.render(nowhere(), Archives::default(), input).await.unwrap_err();
    assert!(reason == "KustomizeAbsent" && message.contains("apt install"), "{message}");
}

/// A program in the place of the real one: what it is given, and that it is held in bounds.
fn script(dir: &std::path::Path, text: &str) -> Tools {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("helm");
    std::fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Tools { helm: Some(path), ..nowhere() }
}

fn chart(release: &str) -> RenderInput {
    RenderInput::Helm {
        chart: Chart {
            files: files(&[("Chart.yaml", "name: x"), ("templates/a.yaml", "{{ .Release.Name }}")]),
            values: "a: 1\n".into(),
            release: None,
        },
        release: release.into(),
        namespace: "web".into(),
        kubernetes: "1.36.1".into(),
    }
}

#[tokio::test]
async fn a_program_gets_the_chart_and_is_ended_when_it_prints_too_much_or_fails() {
    let (kitchen, dir) = (Kitchen::new().await, tempfile::tempdir().unwrap());
    let echo = "[ \"$(cat templates/a.yaml)\" = '{{ .Release.Name }}' ] || exit 3\n\
                grep -q 'a: 1' cairn-values.yaml || exit 4\n\
                printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: one}\\ndata: {args: \"%s\", home: \"%s\", secret: \"%s\"}\\n' \
                \"$*\" \"$HOME\" \"$CARGO_MANIFEST_DIR\"";
    let objects =
        kitchen.render(script(dir.path(), echo), Archives::default(), chart("--evil")).await.unwrap();
    let data = &objects[0]["data"];
    let args = data["args"].as_str().unwrap();
    assert!(args.starts_with("template --namespace=web --values=cairn-values.yaml"), "{args}");
    assert!(args.ends_with("--kube-version=1.36.1 -- --evil ./"), "{args}");
    assert_eq!(data["secret"], "", "nothing of our environment");
    let fails = "echo 'no template: \u{1b}[31m' >&2; exit 1";
    let (reason, message) =
        kitchen.render(script(dir.path(), fails), Archives::default(), chart("x")).await.unwrap_err();
    assert!(
        reason == "HelmFailed" && message.contains("no template") && !message.contains('\u{1b}'),
        "{message}"
    );
    let endless =
        "while :; do echo 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'; done";
    let (reason, _) =
        kitchen.render(script(dir.path(), endless), Archives::default(), chart("x")).await.unwrap_err();
    assert_eq!(reason, "TooLarge");
}

#[tokio::test]
async fn a_kustomization_is_rendered_by_the_real_program() {
    let program = on_path("kustomize")
        .or_else(|| on_path("kubectl"))
        .expect("the tests need Debian's kubernetes-client");
    let kitchen = Kitchen::new().await;
    let tools = Tools { kustomize: Some(program), ..nowhere() };
    let base = "resources: [map.yaml]\n";
    let overlay = "resources: [../base]\nnamePrefix: pre-\nnamespace: shop\n";
    let archive = packed(&[
        ("base/kustomization.yaml", base),
        ("base/map.yaml", MAP),
        ("over/kustomization.yaml", overlay),
    ]);
    let archives = Archives(BTreeMap::from([(REFERENCE.to_owned(), archive)]));
    let input = RenderInput::Kustomize {
        files: Files { artifact: Some(REFERENCE.into()), path: Some("over".into()), ..Files::default() },
        texts: BTreeMap::from([("word".to_owned(), "y".to_owned())]),
    };
    let objects = kitchen.render(tools.clone(), archives, input).await.unwrap();
    assert_eq!(objects[0]["metadata"]["name"], "pre-one");
    assert_eq!(objects[0]["metadata"]["namespace"], "shop");
    assert_eq!(objects[0]["data"]["a"], "y");
    let outside = RenderInput::Kustomize {
        files: files(&[("kustomization.yaml", "resources: [/etc/hostname]\n")]),
        texts: BTreeMap::new(),
    };
    let (reason, _) = kitchen.render(tools, Archives::default(), outside).await.unwrap_err();
    assert_eq!(reason, "KustomizeFailed");
}
