//! `cairn cluster kubeconfig`: prints, keeps or merges a kubeconfig that works for a while.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use cairn_domain::model::Kind;
use serde_json::{Map, Value, json};

use crate::{
    Context,
    args::Kubeconfig,
    client::Client,
    context::Session,
    exit::Failure,
    target::{self, Target},
    yaml,
};

/// `cairn cluster kubeconfig`
pub(crate) async fn run(cx: &mut Context, args: &Kubeconfig) -> Result<(), Failure> {
    let session = cx.session()?;
    let path = path(&session, &args.name).await?;
    if args.revoke {
        session.client.delete(&path).await?;
        return cx.line(&format!("all your kubeconfigs for {} are void", args.name));
    }
    let answer = get(&session.client, &path, args.seconds).await?;
    let config = answer.get("config").cloned().unwrap_or_default();
    let expires = target::text(&answer, "/expires").to_owned();
    if args.merge {
        let file = users_file()?;
        merge(&file, &config)?;
        return cx.line(&format!("in {} until {expires}: kubectl get pods", file.display()));
    }
    match &args.out {
        Some(file) => {
            write(file, &yaml::write(&config)).map_err(|e| unwritten(file, &e))?;
            cx.line(&format!("in {} until {expires}", file.display()))
        }
        None => cx.raw(yaml::write(&config).as_bytes()),
    }
}

/// Path of the kubeconfigs of a cluster.
pub(super) async fn path(session: &Session, name: &str) -> Result<String, Failure> {
    let target = Target { kind: Kind::Cluster, name: name.to_owned() };
    let key = target.key(&session.client, session.namespace()).await?;
    Ok(format!("{}/kubeconfig", target::path(Kind::Cluster, &key)))
}

/// A fresh one.
pub(super) async fn get(client: &Client, path: &str, seconds: Option<u32>) -> Result<Value, Failure> {
    let wanted = match seconds {
        Some(seconds) => json!({ "seconds": seconds }),
        None => json!({}),
    };
    Ok(client.post(path, Some(&wanted)).await?)
}

/// kubectl's own file.
fn users_file() -> Result<PathBuf, Failure> {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let listed =
        var("KUBECONFIG").and_then(|all| std::env::split_paths(&all).find(|p| !p.as_os_str().is_empty()));
    let home = || var("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    listed
        .or_else(home)
        .ok_or_else(|| Failure::new("there is no home folder", "Write it to a file: --out FILE"))
}

fn merge(file: &Path, new: &Value) -> Result<(), Failure> {
    let mut whole = match fs::read(file) {
        Ok(bytes) => {
            let next = "Correct it, or write another file: --out FILE";
            let wrong =
                |what: String| Failure::new(format!("{} is no kubeconfig: {what}", file.display()), next);
            let mut documents = yaml::read(&bytes).map_err(|e| wrong(e.to_string()))?;
            match documents.pop().map(|d| d.value) {
                Some(Value::Object(map)) if documents.is_empty() => map,
                None => Map::new(),
                Some(_) => return Err(wrong("it holds something else".to_owned())),
            }
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Map::new(),
        Err(e) => {
            return Err(Failure::new(
                format!("cannot read {}: {e}", file.display()),
                "Write another file: --out FILE",
            ));
        }
    };
    merged(&mut whole, new);
    write(file, &yaml::write(&Value::Object(whole))).map_err(|e| unwritten(file, &e))
}

/// Entries of the same name make room.
fn merged(into: &mut Map<String, Value>, new: &Value) {
    for list in ["clusters", "users", "contexts"] {
        let added = new.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
        let entry = into.entry(list).or_insert_with(|| json!([]));
        if !entry.is_array() {
            *entry = json!([]);
        }
        if let Some(all) = entry.as_array_mut() {
            all.retain(|old| added.iter().all(|new| new.get("name") != old.get("name")));
            all.extend(added);
        }
    }
    for word in ["apiVersion", "kind", "current-context"] {
        if let Some(value) = new.get(word) {
            into.insert(word.to_owned(), value.clone());
        }
    }
}

/// Whole or not at all; for its owner only.
fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".cairn-part");
    let part = PathBuf::from(name);
    let _old = fs::remove_file(&part);
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(part, file)
}

fn unwritten(file: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}", file.display()), "Write another file: --out FILE")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn of(name: &str, token: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Config", "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": "https://x"}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}]})
    }

    #[test]
    fn what_was_there_stays_and_what_has_the_name_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kube/config");
        for config in [of("mine", "a"), of("shop", "b"), of("shop", "c")] {
            merge(&file, &config).unwrap();
        }
        let text = fs::read(&file).unwrap();
        let read = yaml::read(&text).unwrap().remove(0).value;
        assert_eq!(read["users"].as_array().unwrap().len(), 2);
        assert_eq!(read["users"][1]["user"]["token"], "c");
        assert_eq!(read["current-context"], "shop");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, "- 1\n").unwrap();
        assert!(merge(&file, &of("x", "y")).is_err(), "a file that is something else is left alone");
        assert_eq!(fs::read(&file).unwrap(), b"- 1\n");
    }
}
