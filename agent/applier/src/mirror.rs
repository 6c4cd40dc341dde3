//! What the cluster has of ours, as it changes: one list and watch for each kind in use, of objects that carry an owner's mark.
//! Changes by others are seen within milliseconds, and health costs no requests. Not what to do about it (`keep`).
//!
//! Contents of ConfigMaps and Secrets are not kept, and `managedFields` only as the digest of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cairn_contract::Digest;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cluster::{CallError, Cluster};
use crate::key::{Gvk, Key, number, text};
use crate::kinds::Resource;
use crate::lines::Lines;
use crate::manifest::OWNER;
use crate::owned;

/// The server ends a watch after this time; it is begun again where it ended.
const WATCH_S: u64 = 240;
/// A watch that is silent for longer than the server lets it live is dead.
const SILENCE: Duration = Duration::from_secs(WATCH_S + 20);
/// Pause between the end of a watch and the next.
const BETWEEN: Duration = Duration::from_millis(100);
/// Longest line of a watch: an object and its frame.
const MAX_LINE: usize = 8 << 20;

/// An object of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// Without content and `managedFields`.
    pub value: Arc<Value>,
    /// Digest of the fields that we set.
    pub fields: Option<Digest>,
    /// Which other manager wrote last.
    pub writer: Option<String>,
    /// Grows with each change of its specification; 0 for kinds without.
    pub generation: i64,
    /// Its version, where it is a number.
    version: u64,
}

impl Live {
    /// From an answer of the server. (Items of a list do not name their kind.)
    #[must_use]
    pub fn read(gvk: &Gvk, mut value: Value) -> Self {
        let fields = owned::fields(&value);
        let writer = owned::last_writer(&value).map(str::to_owned);
        let version = text(&value, &["metadata", "resourceVersion"]).parse().unwrap_or(0);
        let generation = number(&value, &["metadata", "generation"]);
        let content = gvk.is("", "ConfigMap") || gvk.is("", "Secret");
        if let Value::Object(fields) = &mut value {
            if content {
                fields.retain(|name, _| matches!(name.as_str(), "apiVersion" | "kind" | "metadata"));
            }
            if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
                metadata.remove("managedFields");
            }
        }
        Self { value: Arc::new(value), fields, writer, generation, version }
    }

    /// Its version; 0 when it is no number.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// The objects of one kind. Not the requests.
#[derive(Debug, Default)]
struct Kind {
    objects: BTreeMap<(String, String), Live>,
    listed: bool,
}

impl Kind {
    /// A list replaces all but what was put since.
    fn replace(&mut self, gvk: &Gvk, (all, version): (Vec<Value>, u64)) {
        self.objects.retain(|_, live| live.version > version && version > 0);
        for value in all {
            self.put(gvk, value);
        }
        self.listed = true;
    }

    /// Newer than what is there, or passed over: events come in order, but an answer to us may have come before them.
    fn put(&mut self, gvk: &Gvk, value: Value) {
        let place = place(&value);
        let live = Live::read(gvk, value);
        let older =
            self.objects.get(&place).is_some_and(|old| live.version > 0 && live.version < old.version);
        if !older {
            self.objects.insert(place, live);
        }
    }

    fn remove(&mut self, value: &Value) {
        let version: u64 = text(value, &["metadata", "resourceVersion"]).parse().unwrap_or(0);
        let place = place(value);
        if !self.objects.get(&place).is_some_and(|old| version > 0 && version < old.version) {
            self.objects.remove(&place);
        }
    }
}

fn place(value: &Value) -> (String, String) {
    (text(value, &["metadata", "namespace"]).to_owned(), text(value, &["metadata", "name"]).to_owned())
}

#[derive(Debug, Default)]
struct Shared {
    kinds: Mutex<BTreeMap<(String, String), Kind>>,
    changed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Kind>> {
        self.kinds.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn with(&self, gvk: &Gvk, change: impl FnOnce(&mut Kind)) {
        change(self.lock().entry((gvk.group.clone(), gvk.kind.clone())).or_default());
    }
}

/// The mirror and its watches. Watches end when it is dropped.
#[derive(Debug)]
pub struct Mirror {
    cluster: Cluster,
    shared: Arc<Shared>,
    watches: BTreeMap<Resource, CancellationToken>,
    tasks: JoinSet<()>,
}

impl Mirror {
    /// Empty.
    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, shared: Arc::default(), watches: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Watches these kinds and no others.
    pub fn follow(&mut self, wanted: &BTreeSet<Resource>) {
        while self.tasks.try_join_next().is_some() {}
        let (cluster, shared, tasks) = (&self.cluster, &self.shared, &mut self.tasks);
        self.watches.retain(|resource, stop| {
            let keep = wanted.contains(resource);
            if !keep {
                stop.cancel();
                shared.lock().remove(&(resource.gvk.group.clone(), resource.gvk.kind.clone()));
            }
            keep
        });
        for resource in wanted {
            self.watches.entry(resource.clone()).or_insert_with(|| {
                let stop = CancellationToken::new();
                let watch = Watch {
                    cluster: cluster.clone(),
                    shared: Arc::clone(shared),
                    resource: resource.clone(),
                };
                tasks.spawn(watch.run(stop.clone()));
                stop
            });
        }
    }

    /// The object, as far as it is known.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Live> {
        let kinds = self.shared.lock();
        let kind = kinds.get(&(key.group.clone(), key.kind.clone()))?;
        kind.objects.get(&(key.namespace.clone(), key.name.clone())).cloned()
    }

    /// Whether an object that is not there is known to be missing.
    #[must_use]
    pub fn knows(&self, key: &Key) -> bool {
        self.shared.lock().get(&(key.group.clone(), key.kind.clone())).is_some_and(|k| k.listed)
    }

    /// What the server answered to us; no need to wait for the watch to say it again.
    pub fn put(&self, gvk: &Gvk, value: Value) {
        self.shared.with(gvk, |kind| kind.put(gvk, value));
    }

    /// Something changed since the last call.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}

/// The watch of one kind.
struct Watch {
    cluster: Cluster,
    shared: Arc<Shared>,
    resource: Resource,
}

impl Watch {
    async fn run(self, stop: CancellationToken) {
        let mut delay = Delay::default();
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.follow() => ended,
            };
            let pause = match ended {
                // The normal end of a watch is not an error, but a list comes next: not at once, again and again.
                Ok(()) => delay.reset(),
                Err(error) => {
                    tracing::debug!(kind = %self.resource.gvk.kind, %error, "a watch ended");
                    delay.longer()
                }
            };
            // Whoever waits looks at what is known, and finds out by itself that the server is away.
            self.shared.changed.notify_one();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Lists, then follows until the watch can no longer go on where it ended.
    async fn follow(&self) -> Result<(), CallError> {
        let (all, mut version) =
            self.cluster.list(&self.resource.all(), &format!("labelSelector={OWNER}")).await?;
        let at = version.parse().unwrap_or(0);
        let gvk = &self.resource.gvk;
        self.shared.with(gvk, |kind| kind.replace(gvk, (all, at)));
        self.shared.changed.notify_one();
        loop {
            let query =
                format!("watch=1&labelSelector={OWNER}&allowWatchBookmarks=true&timeoutSeconds={WATCH_S}");
            let path = format!("{}?{query}&resourceVersion={version}", self.resource.all());
            let mut body = self.cluster.watch(&path).await?;
            let mut lines = Lines::new(MAX_LINE);
            while let Some(frame) = next_frame(&mut body).await? {
                for line in lines.push(&frame).map_err(|_| CallError::Answer)? {
                    let Some(at) = self.event(&line)? else { return Ok(()) };
                    version = at;
                }
            }
            // A server that ends each watch at once is not asked a thousand times a second.
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Takes one event in; gives the version that it brought us to, or none when the server has forgotten where we were.
    fn event(&self, line: &[u8]) -> Result<Option<String>, CallError> {
        let mut event: Value = serde_json::from_slice(line).map_err(|_| CallError::Answer)?;
        let object = event.get_mut("object").map(Value::take).unwrap_or_default();
        let version = text(&object, &["metadata", "resourceVersion"]).to_owned();
        let gvk = &self.resource.gvk;
        match text(&event, &["type"]) {
            "ADDED" | "MODIFIED" => self.shared.with(gvk, |kind| kind.put(gvk, object)),
            "DELETED" => self.shared.with(gvk, |kind| kind.remove(&object)),
            "BOOKMARK" => return Ok(Some(version)),
            _ => return Ok(None),
        }
        self.shared.changed.notify_one();
        Ok(Some(version))
    }
}

async fn next_frame(body: &mut kube::client::Body) -> Result<Option<bytes::Bytes>, CallError> {
    let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| CallError::Late)?;
    match frame {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(e)) => Err(CallError::Unreachable(Box::new(e))),
    }
}

/// Ever longer pauses: 0.5 s to 30 s.
#[derive(Debug, Default)]
struct Delay(u32);

impl Delay {
    fn reset(&mut self) -> Duration {
        self.0 = 0;
        Duration::from_millis(500)
    }

    fn longer(&mut self) -> Duration {
        let pause = Duration::from_millis(500).saturating_mul(2_u32.saturating_pow(self.0.min(6)));
        self.0 = self.0.saturating_add(1);
        pause.min(Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret() -> Gvk {
        Gvk::new("v1", "Secret").unwrap()
    }

    /// As an item of a list: without its kind.
    fn object(name: &str, version: u64) -> Value {
        json!({"metadata": {"name": name, "resourceVersion": version.to_string()}, "data": {"a": "aHVudGVy"}})
    }

    fn versions(kind: &Kind) -> Vec<u64> {
        kind.objects.values().map(Live::version).collect()
    }

    #[test]
    fn old_news_do_not_overwrite_what_was_answered_to_us() {
        let mut kind = Kind::default();
        kind.put(&secret(), object("a", 7));
        kind.put(&secret(), object("a", 5));
        kind.remove(&object("a", 6));
        assert_eq!(versions(&kind), [7]);
        kind.replace(&secret(), (vec![object("b", 3)], 6));
        assert_eq!(versions(&kind), [7, 3]);
        kind.replace(&secret(), (vec![object("b", 3)], 8));
        assert_eq!(versions(&kind), [3]);
        kind.remove(&object("b", 9));
        assert!(versions(&kind).is_empty());
    }

    #[test]
    fn contents_of_secrets_are_not_kept() {
        let live = Live::read(&secret(), object("a", 1));
        assert!(!format!("{live:?}").contains("aHVudGVy"));
    }

    #[test]
    fn pauses_grow_to_half_a_minute() {
        let mut delay = Delay::default();
        let pauses: Vec<u64> = (0..9).map(|_| delay.longer().as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(delay.reset(), Duration::from_millis(500));
    }
}
