//! `cairn distribution import`: fills digests and sizes of a folder's files into the resource, sends the files, applies it.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use cairn_contract::Digest;
use cairn_domain::{fact::plain, model::Kind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{apply, folder, list};
use crate::{
    Context,
    args::DistributionCommand,
    context::Session,
    exit::Failure,
    images::{progress, stream},
    target::{text, with_query},
    verbs::apply::Run,
};

/// Its name in a folder.
const FILE: &str = "distribution.yaml";
/// Bytes read from a file at once.
const CHUNK: usize = 256 << 10;

/// A file to send.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Artifact {
    name: String,
    path: PathBuf,
    digest: Digest,
    size: u64,
}

/// `cairn distribution ...`
pub(super) async fn run(cx: &mut Context, command: &DistributionCommand) -> Result<(), Failure> {
    match command {
        DistributionCommand::Import { path, dry_run } => import(cx, path, Run::of(*dry_run)).await,
        DistributionCommand::Ls => list(cx, Kind::Distribution).await,
    }
}

async fn import(cx: &mut Context, path: &Path, run: Run) -> Result<(), Failure> {
    let session = cx.session()?;
    let folder::Folder { mut object, root } =
        folder::read(path, (Kind::Distribution, FILE), session.namespace())?;
    let artifacts = fill(&mut object, &root)?;
    if run == Run::Real {
        // What the server would refuse is refused before gigabytes travel.
        check(&session, &object).await?;
        for artifact in &artifacts {
            send(cx, &session, (&object, artifact)).await?;
        }
    }
    if cx.output.is_text() {
        let words = cx.words();
        let done = if run == Run::Real { "kept" } else { "would be sent" };
        for a in &artifacts {
            cx.line(&format!(
                "{} {done} ({}, sha256:{})",
                plain(&a.name, 80),
                words.bytes(a.size),
                a.digest
            ))?;
        }
    }
    apply(cx, &session, &object, run).await.map(drop)
}

/// Each artifact gets digest and size of its file; what is given must be right. An artifact with a digest and without a file
/// was sent before.
fn fill(object: &mut Value, root: &Path) -> Result<Vec<Artifact>, Failure> {
    let mut out = Vec::new();
    let all = object.pointer_mut("/spec/run/artifacts").and_then(Value::as_array_mut);
    for artifact in all.into_iter().flatten() {
        let name = text(artifact, "/name").to_owned();
        let file = artifact.as_object_mut().and_then(|map| map.remove("file"));
        let named = file.as_ref().and_then(Value::as_str).unwrap_or(&name);
        let path = folder::inside(root, named)?;
        let given = text(artifact, "/digest").to_owned();
        if !path.is_file() && !given.is_empty() {
            continue;
        }
        let (digest, size) = digest(&path)?;
        if !given.is_empty() && given != digest.to_string() {
            let text = format!("{} has the digest {digest}, not {}", path.display(), plain(&given, 80));
            return Err(Failure::new(text, "Is it the right file? Mend the digest, or leave it out."));
        }
        artifact["digest"] = digest.to_string().into();
        artifact["size"] = size.into();
        out.push(Artifact { name, path, digest, size });
    }
    Ok(out)
}

fn digest(path: &Path) -> Result<(Digest, u64), Failure> {
    let unread = |e: io::Error| {
        let next =
            "Each artifact is a file of its name beside distribution.yaml, or of the name that file: gives.";
        Failure::new(format!("cannot read {}: {e}", path.display()), next)
    };
    let mut file = fs::File::open(path).map_err(unread)?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = file.read(&mut chunk).map_err(unread)?;
        let Some(bytes) = chunk.get(..n).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
        size += n as u64;
    }
    Ok((Digest(hash.finalize().into()), size))
}

async fn check(session: &Session, object: &Value) -> Result<(), Failure> {
    let body = json!({ "items": [object], "dryRun": true });
    let answer: Value = session.client.post("/api/v1/apply", Some(&body)).await?;
    let problem = answer.pointer("/items/0/problem").filter(|p| p.is_object()).and_then(crate::Problem::of);
    problem.map_or(Ok(()), |problem| Err(Failure::refused(problem)))
}

async fn send(
    cx: &Context,
    session: &Session,
    (object, artifact): (&Value, &Artifact),
) -> Result<(), Failure> {
    let path = format!("/api/v1/artifacts/sha256:{}", artifact.digest);
    let namespace = Some(text(object, "/metadata/namespace")).filter(|n| !n.is_empty());
    let path = with_query(&path, &[("namespace", namespace)]);
    let unread = |e: io::Error| {
        Failure::new(format!("cannot read {}: {e}", artifact.path.display()), "Check its rights.")
    };
    let file = tokio::fs::File::open(&artifact.path).await.map_err(unread)?;
    let bar = progress(artifact.size, &cx.output);
    let sent = session.client.put_file(&path, artifact.size, stream(file, bar.clone())).await;
    bar.finish_and_clear();
    sent?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_give_digest_and_size() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("kubelet"), "binary").unwrap();
        fs::write(dir.path().join("cni.tgz"), "archive").unwrap();
        let of = |artifacts: Value| json!({"spec": {"run": {"artifacts": artifacts}}});
        let mut object = of(json!([
            {"name": "kubelet", "place": {"program": "kubelet"}},
            {"name": "cni", "file": "cni.tgz", "place": {"unpack": "/opt/cni/bin"}},
            {"name": "old", "digest": Digest::of(b"x").to_string(), "size": 1, "place": {"program": "old"}},
        ]));
        let found = fill(&mut object, dir.path()).unwrap();
        assert_eq!(found.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["kubelet", "cni"]);
        let kubelet = json!({"name": "kubelet", "digest": Digest::of(b"binary").to_string(), "size": 6, "place": {"program": "kubelet"}});
        assert_eq!(object["spec"]["run"]["artifacts"][0], kubelet);
        assert!(object["spec"]["run"]["artifacts"][1].get("file").is_none());
        let mut wrong = of(json!([{"name": "kubelet", "digest": Digest::of(b"other").to_string()}]));
        assert!(fill(&mut wrong, dir.path()).unwrap_err().text.contains("has the digest"));
        let mut missing = of(json!([{"name": "nothing"}]));
        assert!(fill(&mut missing, dir.path()).unwrap_err().next.contains("beside distribution.yaml"));
        let mut out = of(json!([{"name": "a", "file": "../../etc/passwd"}]));
        assert!(fill(&mut out, dir.path()).unwrap_err().text.contains("leads out of"));
    }
}
