//! Texts of packages become objects of Kubernetes: a blob of JSON lines, one object each, in the artifact store. Charts and
//! kustomizations go through the real programs, never through an imitation of them.
//!
//! ```text
//! inline files --+                 +-- Manifests --------------------+
//! archive -------+-> tree of files +-- Kustomize -> kubectl kustomize +-> documents -> objects -> blob
//!                                  +-- Helm ------> helm template ----+
//! ```
//! Everything here is foreign: sizes, depths, counts and times are bounded. Not here: which texts ([`cairn_workload`]), and the
//! registry's repositories ([`Packages`] is its adapter).

mod archive;
mod documents;
mod helm;
mod kustomize;
mod objects;
mod tool;
mod tree;

pub use archive::{Files as Unpacked, unpack};
pub use documents::read as read_documents;
pub use tool::Tools;
pub use tree::{PackageError, Packages};

use std::{collections::BTreeMap, io::Write as _, sync::Arc};

use cairn_contract::Digest;
use cairn_domain::fact::plain;
use cairn_store::Blobs;
use cairn_workload::{RenderInput, Rendered};
use serde_json::Value;

use tree::Tree;

/// Bytes of all objects together, and of what a program may print.
const MAX_OUTPUT: usize = 8 << 20;

/// Renders. One for each provisioner.
#[derive(Debug)]
pub struct Renderer {
    /// Where results go.
    pub blobs: Blobs,
    /// Where archives come from.
    pub packages: Arc<dyn Packages>,
    /// Programs of the appliance.
    pub tools: Tools,
}

/// Why something is not rendered: for the condition of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// One word.
    pub reason: &'static str,
    /// For people, with what to do.
    pub message: String,
}

impl Fault {
    pub(crate) fn new(reason: &'static str, message: impl AsRef<str>) -> Self {
        Self { reason, message: plain(message.as_ref(), 1000) }
    }
}

impl Renderer {
    /// Total: whatever it is given, it says what became of it.
    pub async fn render(&self, input: &RenderInput) -> Rendered {
        let objects = match input {
            RenderInput::Manifests { files, texts } => self.manifests(files, texts).await,
            RenderInput::Kustomize { files, texts } => kustomize::render(self, files, texts).await,
            RenderInput::Helm { chart, release, namespace, kubernetes } => {
                helm::render(self, chart, helm::Target { release, namespace, kubernetes }).await
            }
            RenderInput::Objects(objects) => objects::checked(objects.clone()),
        };
        let kept = match objects {
            Ok(objects) => self.keep(objects).await,
            Err(fault) => Err(fault),
        };
        kept.unwrap_or_else(|Fault { reason, message }| Rendered::Failed {
            reason: reason.to_owned(),
            message,
        })
    }

    async fn manifests(
        &self,
        files: &cairn_domain::model::Files,
        texts: &BTreeMap<String, String>,
    ) -> Result<Vec<Value>, Fault> {
        let Tree { files, folder } = tree::gather(files, texts, self.packages.as_ref()).await?;
        let mut objects = Vec::new();
        for (name, bytes) in files.iter().filter(|(name, _)| tree::is_in(name, &folder) && is_manifest(name))
        {
            objects.extend(documents::read(name, bytes)?);
        }
        objects::checked(objects)
    }

    async fn keep(&self, objects: Vec<Value>) -> Result<Rendered, Fault> {
        let mut lines = Vec::new();
        for object in objects {
            lines.extend(object.to_string().into_bytes());
            lines.push(b'\n');
            if lines.len() > MAX_OUTPUT {
                return Err(too_large());
            }
        }
        let blobs = self.blobs.clone();
        let written = tokio::task::spawn_blocking(move || write(&blobs, &lines)).await;
        let failed = |why: String| {
            Fault::new("StoreFailed", format!("what was rendered cannot be kept: {why}; is the disk full?"))
        };
        let (digest, size) = written.map_err(|e| failed(e.to_string()))?.map_err(failed)?;
        Ok(Rendered::Ready { digest, size })
    }
}

fn write(blobs: &Blobs, bytes: &[u8]) -> Result<(Digest, u64), String> {
    let mut blob = blobs.writer().map_err(|e| in_words(&e))?;
    blob.write_all(bytes).map_err(|e| e.to_string())?;
    blob.finish().map_err(|e| in_words(&e))
}

pub(crate) fn too_large() -> Fault {
    Fault::new("TooLarge", format!("its objects are more than {} MiB; split the package", MAX_OUTPUT >> 20))
}

fn is_manifest(name: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end))
}

fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |e| e.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
