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
/// A failure is forgotten after this.
const FORGET: Duration = Duration::from_secs(3600);
/// Results that are remembered; beyond it all are forgotten and made again when they are wanted.
const MOST: usize = 100_000;

/// What failed, and is tried again.
#[derive(Debug)]
struct Failure {
    render: Render,
    first: Instant,
    last: Instant,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Renders {
    renderer: Arc<Renderer>,
    /// By key.
    pub(super) done: HashMap<Digest, Rendered>,
    failed: HashMap<Digest, Failure>,
    waiting: Vec<Render>,
    known: HashSet<Digest>,
    running: JoinSet<(Render, Rendered)>,
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

    /// Tries again what failed a while ago; until that has ended, the failure stands. Whether it is still wanted is not known
    /// here: after an hour it is forgotten, and tried again when it is asked for.
    pub(super) fn forgive(&mut self) {
        let now = Instant::now();
        let (done, known, waiting) = (&mut self.done, &mut self.known, &mut self.waiting);
        self.failed.retain(|key, failure| {
            if failure.first + FORGET <= now {
                done.remove(key);
                return false;
            }
            if failure.last + AGAIN <= now && known.insert(*key) {
                failure.last = now;
                waiting.push(failure.render.clone());
            }
            true
        });
        self.start();
    }

    fn start(&mut self) {
        while self.running.len() < AT_ONCE {
            let Some(render) = self.waiting.pop() else { return };
            let renderer = Arc::clone(&self.renderer);
            self.running.spawn(async move {
                let rendered = renderer.render(&render.input).await;
                (render, rendered)
            });
        }
    }

    /// Returns when one ended; never while none runs. Safe to cancel.
    pub(super) async fn ended(&mut self) {
        let Some(ended) = self.running.join_next().await else { return std::future::pending().await };
        match ended {
            Ok((render, rendered)) => {
                let (key, now) = (render.key, Instant::now());
                self.known.remove(&key);
                if matches!(rendered, Rendered::Failed { .. }) {
                    self.failed.entry(key).or_insert(Failure { render, first: now, last: now });
                } else {
                    self.failed.remove(&key);
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
