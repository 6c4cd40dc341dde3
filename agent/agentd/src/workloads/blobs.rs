//! Files by digest: artifacts straight to where they go, manifests into memory with a copy on disk for the time without the
//! provisioner. A transfer that broke off goes on where it was; no byte counts before its digest is right.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cairn_contract::Digest;
use cairn_contract::workload::{Body, Desired};
use cairn_node::{Blobs, FetchError, Sink};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::calls::{CallError, Calls};
use super::desired::Orders;

/// Largest manifests of one application.
const MOST: u64 = 64 << 20;
/// Silence of a transfer.
const SILENCE: Duration = Duration::from_secs(30);
/// Times that a transfer is taken up again without a byte between.
const TRIES: u32 = 5;
const AGAIN: Duration = Duration::from_secs(5);

/// Fetches files.
#[derive(Debug)]
pub(super) struct Store {
    calls: Arc<Calls>,
    folder: PathBuf,
    manifests: Mutex<BTreeMap<Digest, Arc<Vec<u8>>>>,
    news: watch::Sender<u64>,
}

impl Store {
    /// Manifests are kept below `folder`.
    pub(super) fn new(calls: Arc<Calls>, folder: &Path) -> Self {
        let folder = folder.join("manifests");
        Self { calls, folder, manifests: Mutex::default(), news: watch::Sender::new(0) }
    }

    /// Manifests that have come.
    pub(super) fn manifests(&self, digests: &[Digest]) -> BTreeMap<Digest, Arc<Vec<u8>>> {
        let held = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.iter().filter_map(|d| Some((*d, Arc::clone(held.get(d)?)))).collect()
    }

    /// Tells of each that comes.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Fetches the manifests that the orders name; forgets others, on disk too.
    pub(super) async fn run(&self, mut orders: Orders) {
        loop {
            let desired = orders.borrow_and_update().clone();
            let complete = match &desired {
                Some(desired) => self.gather(desired).await,
                None => true,
            };
            let again = Instant::now() + AGAIN;
            tokio::select! {
                () = tokio::time::sleep_until(again), if !complete => {}
                changed = orders.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Whether all are there.
    async fn gather(&self, desired: &Desired) -> bool {
        let wanted: BTreeMap<Digest, u64> = desired
            .releases
            .iter()
            .flat_map(|release| &release.applications)
            .filter_map(|application| match &application.body {
                Body::Manifests { digest, size, .. } => Some((*digest, *size)),
                Body::Container(_) | Body::Vm(_) => None,
            })
            .collect();
        self.manifests.lock().unwrap_or_else(PoisonError::into_inner).retain(|d, _| wanted.contains_key(d));
        self.forget(&wanted);
        let mut complete = true;
        for (digest, size) in wanted {
            if self.manifests.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&digest) {
                continue;
            }
            match self.manifest(digest, size).await {
                Ok(bytes) => {
                    let held = &self.manifests;
                    held.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, Arc::new(bytes));
                    self.news.send_modify(|n| *n = n.wrapping_add(1));
                }
                Err(why) => {
                    complete = false;
                    tracing::warn!(%digest, why, "manifests cannot be fetched");
                }
            }
        }
        complete
    }

    async fn manifest(&self, digest: Digest, size: u64) -> Result<Vec<u8>, String> {
        if size > MOST {
            return Err(format!("they have {size} bytes; {MOST} are the most"));
        }
        let path = self.folder.join(digest.to_string());
        if let Some(bytes) = read(&path, size).filter(|bytes| Digest::of(bytes) == digest) {
            return Ok(bytes);
        }
        let mut bytes = Vec::new();
        let mut take = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        self.transfer(&digest, (0, size), &mut take).await.map_err(|e| e.to_string())?;
        if Digest::of(&bytes) != digest {
            return Err("the bytes that came have another digest".to_owned());
        }
        // Without the copy it works until the next restart.
        let kept = fs::create_dir_all(&self.folder).and_then(|()| {
            let part = path.with_extension("part");
            fs::write(&part, &bytes)?;
            fs::rename(&part, &path)
        });
        if let Err(error) = kept {
            tracing::warn!(%error, "manifests cannot be kept on disk");
        }
        Ok(bytes)
    }

    fn forget(&self, wanted: &BTreeMap<Digest, u64>) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_wanted = wanted.keys().any(|digest| name.to_str() == Some(&digest.to_string()));
            if !is_wanted {
                let _gone = fs::remove_file(entry.path());
            }
        }
    }

    /// Bytes from `at` to `size`, in order, over as many connections as it takes.
    async fn transfer(
        &self,
        digest: &Digest,
        (mut at, size): (u64, u64),
        take: &mut (dyn FnMut(&[u8]) -> Result<(), FetchError> + Send),
    ) -> Result<(), FetchError> {
        let path = format!("/host/v1/blob/sha256:{digest}");
        let mut tries = 0;
        while at < size {
            let before = at;
            let broken = match self.piece(&path, (&mut at, size), take).await? {
                Ok(()) => continue,
                Err(error) => error,
            };
            tries = if at > before { 0 } else { tries + 1 };
            if tries >= TRIES || broken.is_refusal() {
                return Err(FetchError::Source(format!("{:#}", anyhow::Error::new(broken))));
            }
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    async fn piece(
        &self,
        path: &str,
        (at, size): (&mut u64, u64),
        take: &mut (dyn FnMut(&[u8]) -> Result<(), FetchError> + Send),
    ) -> Result<Result<(), CallError>, FetchError> {
        let mut body = match self.calls.range(path, *at, size.saturating_sub(*at)).await {
            Ok(body) => body,
            Err(error) => return Ok(Err(error)),
        };
        while *at < size {
            let bytes = match timeout(SILENCE, body.next()).await {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) | Err(_) => return Ok(Err(CallError::Short)),
                Ok(Err(error)) => return Ok(Err(error.into())),
            };
            let left = usize::try_from(size.saturating_sub(*at)).unwrap_or(usize::MAX);
            let bytes = bytes.get(..left).unwrap_or(&bytes);
            take(bytes)?;
            *at = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        Ok(Ok(()))
    }
}

impl Blobs for Store {
    fn fetch<'a>(
        &'a self,
        digest: &'a Digest,
        size: u64,
        sink: &'a mut Sink,
    ) -> cairn_node::place::Answer<'a> {
        Box::pin(async move {
            let at = sink.written();
            let mut take = |piece: &[u8]| Ok(sink.write(piece)?);
            self.transfer(digest, (at, size), &mut take).await
        })
    }
}

fn read(path: &Path, size: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(size).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
