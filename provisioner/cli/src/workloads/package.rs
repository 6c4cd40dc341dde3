//! `cairn package push`, `ls`.

use std::path::Path;

use cairn_domain::model::Kind;
use serde_json::Value;

use super::{apply, folder, list};
use crate::{Context, args::PackageCommand, exit::Failure, target::text, verbs::apply::Run};

/// Its name in a folder.
const FILE: &str = "package.yaml";

/// `cairn package ...`
pub(super) async fn run(cx: &mut Context, command: &PackageCommand) -> Result<(), Failure> {
    match command {
        PackageCommand::Push { path, dry_run } => push(cx, path, Run::of(*dry_run)).await,
        PackageCommand::Ls => list(cx, Kind::Package).await,
    }
}

async fn push(cx: &mut Context, path: &Path, run: Run) -> Result<(), Failure> {
    let session = cx.session()?;
    let object = package(path, session.namespace())?;
    let item = apply(cx, &session, &object, run).await?;
    if cx.output.is_text() && run == Run::Real && text(&item, "/action") == "created" {
        let (name, version) = (text(&object, "/spec/package"), text(&object, "/spec/version"));
        cx.line(&format!(
            "Bring it somewhere: cairn deploy NAME --package {name} --version {version} --selector LABEL=VALUE --dry-run"
        ))?;
    }
    Ok(())
}

/// The resource, with the files of its applications in place.
fn package(path: &Path, namespace: Option<&str>) -> Result<Value, Failure> {
    let folder::Folder { mut object, root } = folder::read(path, (Kind::Package, FILE), namespace)?;
    let applications = object.pointer_mut("/spec/applications").and_then(Value::as_array_mut);
    for application in applications.into_iter().flatten() {
        for pointer in ["/source/manifests", "/source/kustomize", "/source/helm/files"] {
            if let Some(files) = application.pointer_mut(pointer) {
                fill(files, &root)?;
            }
        }
    }
    Ok(object)
}

/// Files with a path alone are those of the folder.
fn fill(files: &mut Value, root: &Path) -> Result<(), Failure> {
    let Value::Object(map) = files else { return Ok(()) };
    if map.contains_key("inline") || map.contains_key("artifact") {
        return Ok(());
    }
    let Some(path) = map.get("path").and_then(Value::as_str) else { return Ok(()) };
    let found = folder::inline(root, path)?;
    map.remove("path");
    map.insert("inline".to_owned(), Value::Object(found));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_folder_becomes_one_resource() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("manifests")).unwrap();
        fs::write(dir.path().join("manifests/web.yaml"), "kind: Service\n").unwrap();
        let text = "apiVersion: cairn/v1\nkind: Package\nmetadata: {name: shop-1}\nspec:\n  package: shop\n  version: 1.0.0\n  \
                    applications:\n  - {name: web, source: {manifests: {path: manifests}}}\n";
        fs::write(dir.path().join("package.yaml"), text).unwrap();
        for path in [dir.path().to_owned(), dir.path().join("package.yaml")] {
            let made = package(&path, Some("acme")).unwrap();
            assert_eq!(
                made["spec"]["applications"][0]["source"],
                json!({"manifests": {"inline": {"web.yaml": "kind: Service\n"}}})
            );
            assert_eq!(made["metadata"]["namespace"], "acme");
        }
        fs::write(dir.path().join("package.yaml"), text.replace("path: manifests", "path: ../x")).unwrap();
        assert!(package(dir.path(), None).unwrap_err().text.contains("leads out of"));
        fs::write(dir.path().join("package.yaml"), text.replace("kind: Package", "kind: Site")).unwrap();
        assert!(package(dir.path(), None).unwrap_err().text.contains("holds a Site"));
        fs::remove_file(dir.path().join("package.yaml")).unwrap();
        assert!(package(dir.path(), None).unwrap_err().text.contains("holds no package.yaml"));
    }
}
