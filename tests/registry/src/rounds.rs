//! The measurement: in each round everybody does the same once, the first one changing, and the medians are compared.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use cairn_contract::Digest;
use tempfile::TempDir;

use crate::{
    client::Client,
    figure::{Figure, Target, median},
    hashes,
    peers::Peer,
};

/// How much and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    mebibytes: usize,
    pulls: usize,
    pushes: usize,
}

impl Plan {
    pub(crate) fn full() -> Self {
        Self { mebibytes: 256, pulls: 21, pushes: 9 }
    }

    pub(crate) fn quick() -> Self {
        Self { mebibytes: 64, pulls: 11, pushes: 5 }
    }
}

/// What runs, and in which folders.
struct Stand {
    folder: TempDir,
    blob: Vec<u8>,
    ours: Peer,
    docker: Peer,
    nginx: Peer,
}

/// Measures.
pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    let mut stand = Stand::build(plan.mebibytes << 20)?;
    let mut figures = hashes::figures();
    figures.extend(stand.pushes(plan.pushes)?);
    figures.extend(stand.pulls(plan.pulls)?);
    figures.push(Figure::new(
        "memory of the registry at most",
        stand.ours.peak()?,
        "MiB",
        Target::Below(100.0),
    ));
    figures.push(Figure::new("memory of docker-registry at most", stand.docker.peak()?, "MiB", Target::None));
    Ok(figures)
}

impl Stand {
    fn build(size: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let part = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).map(|()| path)
        };
        let (ours, docker, nginx, files) = (part("ours")?, part("docker")?, part("nginx")?, part("files")?);
        Ok(Self {
            blob: noise(size),
            ours: Peer::ours(&ours)?,
            docker: Peer::docker_registry(&docker)?,
            nginx: Peer::nginx(&nginx, &files)?,
            folder,
        })
    }

    /// Each round another content, because what is there already need not be stored.
    fn pushes(&mut self, rounds: usize) -> Result<Vec<Figure>> {
        let (mut ours, mut docker) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let digest = self.renew(round)?;
            let push = |peer: &Peer, times: &mut Vec<f64>| {
                nix::unistd::sync();
                let took = Client::connect(peer.port)?.push("bench/blob", &digest, &self.blob)?;
                // The first round warms up.
                times.extend((round > 0).then_some(took.as_secs_f64()));
                anyhow::Ok(())
            };
            if round % 2 == 0 {
                push(&self.ours, &mut ours)?;
                push(&self.docker, &mut docker)?;
            } else {
                push(&self.docker, &mut docker)?;
                push(&self.ours, &mut ours)?;
            }
            if round < rounds {
                remove_files_named(&self.folder.path().join("ours"), &digest)?;
                remove_files_named(&self.folder.path().join("docker"), &digest)?;
            }
        }
        let (ours, docker) = (self.rate(ours), self.rate(docker));
        Ok(vec![
            Figure::new("push, the registry", ours, "MiB/s", Target::None),
            Figure::new("push, docker-registry", docker, "MiB/s", Target::None),
            Figure::new("push, the registry of docker-registry", ours / docker, "x", Target::AtLeast(1.0)),
        ])
    }

    /// What the last push left, which nginx gets as a file of its own.
    fn pulls(&mut self, rounds: usize) -> Result<Vec<Figure>> {
        let digest = format!("sha256:{}", Digest::of(&self.blob));
        fs::write(self.folder.path().join("files/blob"), &self.blob)?;
        nix::unistd::sync();
        let path = format!("/v2/bench/blob/blobs/{digest}");
        let who = [(&self.ours, path.as_str()), (&self.docker, path.as_str()), (&self.nginx, "/blob")];
        let mut times = [const { Vec::new() }; 3];
        for round in 0..=rounds {
            for turn in 0..who.len() {
                let index = (round + turn) % who.len();
                let (Some((peer, path)), Some(times)) = (who.get(index), times.get_mut(index)) else {
                    continue;
                };
                let took: Duration =
                    Client::connect(peer.port)?.pull(path, u64::try_from(self.blob.len())?)?;
                times.extend((round > 0).then_some(took.as_secs_f64()));
            }
        }
        let [ours, docker, nginx] = times.map(|times| self.rate(times));
        Ok(vec![
            Figure::new("pull, the registry", ours, "MiB/s", Target::None),
            Figure::new("pull, docker-registry", docker, "MiB/s", Target::None),
            Figure::new("pull, nginx", nginx, "MiB/s", Target::None),
            Figure::new("pull, the registry of docker-registry", ours / docker, "x", Target::AtLeast(1.0)),
            Figure::new("pull, the registry of nginx", ours / nginx, "x", Target::AtLeast(0.9)),
        ])
    }

    /// MiB/s of the median time.
    fn rate(&self, times: Vec<f64>) -> f64 {
        (self.blob.len() >> 20) as f64 / median(times)
    }

    fn renew(&mut self, round: usize) -> Result<String> {
        let first = self.blob.first_mut().context("an empty blob")?;
        *first = u8::try_from(round % 251)?;
        Ok(format!("sha256:{}", Digest::of(&self.blob)))
    }
}

/// Bytes that nothing compresses or shares.
fn noise(size: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Whatever a server keeps of this blob: names, and folders of that name.
fn remove_files_named(folder: &Path, digest: &str) -> Result<()> {
    let hex = digest.trim_start_matches("sha256:");
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let named = path.file_name().is_some_and(|name| name == hex);
        match (named, path.is_dir()) {
            (true, true) => fs::remove_dir_all(&path)?,
            (true, false) => fs::remove_file(&path)?,
            (false, true) => remove_files_named(&path, digest)?,
            (false, false) => {}
        }
    }
    Ok(())
}
