//! Kustomizations, by the real `kustomize build` or `kubectl kustomize`.

use std::collections::BTreeMap;

use cairn_domain::model::Files;
use serde_json::Value;

use super::{Fault, Renderer, documents, objects, tool::Run, tree};

pub(super) async fn render(
    renderer: &Renderer,
    files: &Files,
    texts: &BTreeMap<String, String>,
) -> Result<Vec<Value>, Fault> {
    let program = renderer.tools.kustomize().ok_or_else(|| {
        Fault::new(
            "KustomizeAbsent",
            "this appliance has neither kustomize nor kubectl: install one (on Debian: apt install kubernetes-client), or name it \
             as `kustomize` under [tools] in cairn.toml",
        )
    })?;
    let tree = tree::gather(files, texts, renderer.packages.as_ref()).await?;
    let is_kubectl = program.file_name().is_some_and(|name| name.to_string_lossy().contains("kubectl"));
    let verb = if is_kubectl { "kustomize" } else { "build" };
    let args = vec![verb.to_owned(), ".".to_owned()];
    let run =
        Run { program, args, files: &tree.files, folder: tree.folder.clone(), failed: "KustomizeFailed" };
    objects::checked(documents::read("the kustomization", &run.output().await?)?)
}
