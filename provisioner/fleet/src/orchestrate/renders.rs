//! Renderings under way, and what became of those before.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use cairn_contract::Digest;
use cairn_workload::{Render, Rendered};
use tokio::{task::JoinSet, time::Instant};

use crate::render::Renderer;

/// At once: each may start a program.
const AT_ONCE: usize = 2;
/// What failed is tried again after this: a program may have been installed, a registry filled.
const AGAIN: Duration = Duration::from_secs(60);
/// Results that are remembered; beyond it all are forgotten and made again when they are wanted.
const MOST: usize = 100_000;

/// All of them.
#[derive(Debug)]
pub(super) struct Renders {
    renderer: Arc<Renderer>,
    /// By key.
    pub(super) done: HashMap<Digest, Rendered>,
    failed: HashMap<Digest, Instant>,
    waiting: Vec<Render>,
    known: HashSet<Digest>,
    running: JoinSet<(Digest, Rendered)>,
}

impl Renders {
    pub(super) fn new(renderer: Arc<Renderer>) -> Self {
        Self {
            renderer,
            done: HashMap::new(),
            failed: HashMap::new(),
            waiting: Vec::new(),
            known: HashSet::new(),
            running: JoinSet::new(),
        }
    }

    /// What the planner wants; those that are under way are passed over.
    pub(super) fn want(&mut self, renders: Vec<Render>) {
        if self.done.len() > MOST {
            self.done.clear();
        }
        for render in renders {
            if self.known.insert(render.key) {
                self.waiting.push(render);
            }
        }
        self.start();
    }

    /// Forgets failures that are old enough to be tried again.
    pub(super) fn forgive(&mut self) {
        let now = Instant::now();
        let old: Vec<_> =
            self.failed.iter().filter(|(_, at)| **at + AGAIN <= now).map(|(key, _)| *key).collect();
        for key in old {
            self.failed.remove(&key);
            self.done.remove(&key);
        }
    }

    fn start(&mut self) {
        while self.running.len() < AT_ONCE {
            let Some(render) = self.waiting.pop() else { return };
            let renderer = Arc::clone(&self.renderer);
            self.running.spawn(async move { (render.key, renderer.render(&render.input).await) });
        }
    }

    /// Returns when one ended; never while none runs. Safe to cancel.
    pub(super) async fn ended(&mut self) {
        let Some(ended) = self.running.join_next().await else { return std::future::pending().await };
        match ended {
            Ok((key, rendered)) => {
                self.known.remove(&key);
                if matches!(rendered, Rendered::Failed { .. }) {
                    self.failed.insert(key, Instant::now());
                }
                self.done.insert(key, rendered);
            }
            // A rendering that panicked is asked for again by the next plan.
            Err(error) => {
                tracing::error!(%error, "a rendering ended badly");
                self.known.clear();
            }
        }
        self.start();
    }
}
