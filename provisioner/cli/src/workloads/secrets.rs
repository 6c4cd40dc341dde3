//! `cairn secret set`, `unset`, `ls`. Values are read, sent, and wiped; no answer holds one.

use std::{fs, io::Read as _, path::Path};

use cairn_domain::{
    fact::plain,
    model::{API_VERSION, Kind},
};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{list, project};
use crate::{
    CallError, Context,
    args::SecretCommand,
    context::Session,
    exit::Failure,
    secret::Secret,
    target::{self, Target, escape},
};

/// Bytes of one value, as the server takes them.
const MAX_VALUE: u64 = 256 << 10;

/// `cairn secret ...`
pub(super) async fn run(cx: &mut Context, command: &SecretCommand) -> Result<(), Failure> {
    match command {
        SecretCommand::Set { name, values, from_stdin } => {
            let values = if *from_stdin { vec![typed(cx, values)?] } else { read(values)? };
            set(cx, name, values).await
        }
        SecretCommand::Unset { name, keys } => unset(cx, name, keys).await,
        SecretCommand::Ls => list(cx, Kind::Secret).await,
    }
}

/// The one key, and its value from standard input, without the line's end.
fn typed(cx: &mut Context, words: &[String]) -> Result<(String, Secret), Failure> {
    let [key] = words else {
        return Err(Failure::usage("standard input holds one value", "Name one KEY with --from-stdin."));
    };
    if key.contains('=') {
        return Err(Failure::usage("the value comes from standard input", "Write the KEY alone."));
    }
    let mut text = cx.all_input(MAX_VALUE)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok((key.clone(), Secret::from(text)))
}

fn read(words: &[String]) -> Result<Vec<(String, Secret)>, Failure> {
    words.iter().map(|word| one(word)).collect()
}

/// `KEY=VALUE` or `KEY=@FILE`.
fn one(word: &str) -> Result<(String, Secret), Failure> {
    let Some((key, value)) = word.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        let next = "Write KEY=VALUE, KEY=@FILE, or: cairn secret set NAME KEY --from-stdin < FILE";
        // What was meant as a value is not repeated.
        return Err(Failure::usage("a value has no key", next));
    };
    let value = match value.strip_prefix('@') {
        Some(path) => file(Path::new(path))?,
        None => Secret::new(value),
    };
    Ok((key.to_owned(), value))
}

fn file(path: &Path) -> Result<Secret, Failure> {
    let shown = path.display();
    let unread =
        |e: std::io::Error| Failure::new(format!("cannot read {shown}: {e}"), "Check its name and rights.");
    let mut bytes = Zeroizing::new(Vec::new());
    let file = fs::File::open(path).map_err(unread)?;
    file.take(MAX_VALUE + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > MAX_VALUE {
        return Err(Failure::new(format!("{shown} is larger than 256 KiB"), "A value has 256 KiB at most."));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Failure::new(format!("{shown} is not text (UTF-8)"), "Encode it first, such as: base64 FILE")
    })?;
    Ok(Secret::new(text))
}

async fn set(cx: &mut Context, name: &str, values: Vec<(String, Secret)>) -> Result<(), Failure> {
    let session = cx.session()?;
    let mut keys = Map::new();
    for (key, value) in &values {
        if keys.insert(key.clone(), value.reveal().into()).is_some() {
            return Err(Failure::usage(format!("{} is there twice", plain(key, 80)), "Say it once."));
        }
    }
    let (key, made) = find_or_make(&session, name).await?;
    let body = Zeroizing::new(json!({ "values": keys }).to_string());
    let answer = session.client.put(&format!("{}/values", target::path(Kind::Secret, &key)), &body).await?;
    wipe(keys);
    if cx.value(&answer)? {
        return Ok(());
    }
    let names: Vec<String> = values.iter().map(|(key, _)| plain(key, 80)).collect();
    let made = if made == Made::New { " (new)" } else { "" };
    cx.line(&format!("secret/{}{made}: set {}", plain(&target::full_name(&answer), 200), names.join(", ")))
}

/// Whether the secret was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    New,
    Before,
}

async fn find_or_make(session: &Session, name: &str) -> Result<(String, Made), Failure> {
    let target = Target { kind: Kind::Secret, name: name.to_owned() };
    match target.get(&session.client, session.namespace()).await {
        Ok(found) => return Ok((target::full_name(&found), Made::Before)),
        Err(failure) if failure.code == 3 && !name.contains('.') => {}
        Err(failure) => return Err(failure),
    }
    let namespace = project(session, "a secret")?;
    let object = json!({ "apiVersion": API_VERSION, "kind": Kind::Secret.name(),
        "metadata": { "name": name, "namespace": namespace }, "spec": {} });
    let made: Result<Value, CallError> =
        session.client.post(&target::list_path(Kind::Secret), Some(&object)).await;
    Ok((target::full_name(&made?), Made::New))
}

async fn unset(cx: &mut Context, name: &str, keys: &[String]) -> Result<(), Failure> {
    let session = cx.session()?;
    let target = Target { kind: Kind::Secret, name: name.to_owned() };
    let key = target.key(&session.client, session.namespace()).await?;
    let mut last = Value::Null;
    for one in keys {
        let path = format!("{}/values/{}", target::path(Kind::Secret, &key), escape(one));
        last = session.client.delete(&path).await?;
    }
    if cx.value(&last)? {
        return Ok(());
    }
    let names: Vec<String> = keys.iter().map(|key| plain(key, 80)).collect();
    cx.line(&format!("secret/{}: removed {}", plain(&target::full_name(&last), 200), names.join(", ")))
}

/// `serde_json` keeps texts as they are; they are wiped by hand.
fn wipe(map: Map<String, Value>) {
    for (_, value) in map {
        if let Value::String(text) = value {
            drop(Zeroizing::new(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_words_and_files_and_are_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "correct horse").unwrap();
        let words = ["user=app".to_owned(), format!("password=@{}", path.display()), "empty=".to_owned()];
        let read = read(&words).unwrap();
        let shown: Vec<_> = read.iter().map(|(k, v)| (k.as_str(), v.reveal())).collect();
        assert_eq!(shown, [("user", "app"), ("password", "correct horse"), ("empty", "")]);
        for bad in ["hunter2", "=hunter2"] {
            let failure = one(bad).unwrap_err();
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(file(&path).unwrap_err().text.contains("is not text"));
        fs::write(&path, vec![b'a'; (256 << 10) + 1]).unwrap();
        assert!(file(&path).unwrap_err().text.contains("larger than 256 KiB"));
    }
}
