//! A distribution filled for one node and role: the parts in the order in which they are done. Not what was done of it.

use std::collections::BTreeMap;

use cairn_contract::Digest;
use cairn_contract::workload::{
    Artifact, Command, Condition, Distribution, NodeDesired, NodeRole, Placement, Probe, Steps, Unit,
};

use crate::words::{FillError, Words, mentions};

/// Why a distribution cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A text of it cannot be filled.
    #[error("{part}: {source}")]
    Fill {
        /// Which part.
        part: String,
        /// Why.
        #[source]
        source: FillError,
    },
    /// A path that is not absolute and clean.
    #[error("{part}: `{path}` is not an absolute path without `..`")]
    Path {
        /// Which part.
        part: String,
        /// The path.
        path: String,
    },
    /// A folder that is too near the root to be removed.
    #[error("`{0}` must have at least two components to be removed")]
    Shallow(String),
}

/// A file with its contents.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Absolute.
    pub path: String,
    /// Filled.
    pub text: String,
    /// Only its owner may read it.
    pub private: bool,
    /// It holds the join token: it is there only while the node joins.
    pub holds_token: bool,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({}, {} bytes)", self.path, self.text.len())
    }
}

/// A command that is run once.
#[derive(Clone, PartialEq, Eq)]
pub struct Once {
    /// Of the unfilled text: a new token does not make it another command.
    pub key: Digest,
    /// Filled.
    pub command: Command,
    /// Its arguments hold the join token.
    pub holds_token: bool,
}

impl std::fmt::Debug for Once {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Once({})", self.command.run.first().map_or("", String::as_str))
    }
}

/// Part of the way, filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stage {
    /// See [`Steps::files`].
    pub files: Vec<File>,
    /// See [`Steps::setup`].
    pub setup: Vec<Once>,
    /// See [`Steps::units`].
    pub units: Vec<Unit>,
    /// See [`Steps::finish`].
    pub finish: Vec<Once>,
    /// See [`Steps::health`].
    pub health: Vec<Probe>,
}

/// Everything that a node consists of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// With filled places.
    pub artifacts: Vec<Artifact>,
    /// Common parts, then those of the role.
    pub stages: Vec<Stage>,
}

impl Order {
    /// Fills what `desired` says. A worker without a control plane to join has artifacts only.
    ///
    /// # Errors
    /// When a text cannot be filled or a path is not acceptable.
    pub fn of(desired: &NodeDesired, words: &Words) -> Result<Self, OrderError> {
        let distribution = &desired.distribution;
        let artifacts = distribution.artifacts.iter().map(|a| artifact(a, words));
        let artifacts = artifacts.collect::<Result<_, _>>()?;
        let own = match &desired.role {
            NodeRole::ControlPlane => &distribution.control_plane,
            NodeRole::Worker(Some(_)) => &distribution.worker,
            NodeRole::Worker(None) => return Ok(Self { artifacts, stages: Vec::new() }),
        };
        let stages = vec![stage("common", &distribution.common, words)?, stage("role", own, words)?];
        Ok(Self { artifacts, stages })
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.stages.iter().flat_map(|s| &s.files)
    }

    /// All units.
    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        self.stages.iter().flat_map(|s| &s.units)
    }

    /// containerd's socket, as a probe asks for it.
    pub(crate) fn containerd(&self) -> Option<&str> {
        let probes = self.units().flat_map(|u| &u.after).chain(self.health());
        probes.into_iter().find_map(|probe| match &probe.condition {
            Condition::Socket(path) if path.ends_with("/containerd.sock") => Some(path.as_str()),
            _ => None,
        })
    }

    /// All probes.
    pub fn health(&self) -> impl Iterator<Item = &Probe> {
        self.stages.iter().flat_map(|s| &s.health)
    }
}

/// Whether a node of `desired` needs its token before it can be filled.
pub(crate) fn wants_token(desired: &NodeDesired) -> bool {
    matches!(desired.role, NodeRole::Worker(Some(_)))
}

/// What is removed when the node leaves, filled and checked; what cannot be filled is left out, for it was never made.
pub(crate) fn removals(distribution: &Distribution, words: &Words) -> Result<Vec<String>, OrderError> {
    let filled = distribution.remove.iter().filter_map(|path| words.fill(path).ok());
    filled.map(|path| deep(&path).map(|()| path)).collect()
}

/// The commands of leaving, filled; what cannot be filled is left out.
pub(crate) fn uninstall(distribution: &Distribution, words: &Words) -> Vec<Command> {
    let all = distribution.uninstall.iter();
    all.filter_map(|command| once("uninstall", command, words).ok()).map(|once| once.command).collect()
}

fn deep(path: &str) -> Result<(), OrderError> {
    clean("remove", path)?;
    let components = path.split('/').filter(|c| !c.is_empty()).count();
    if components >= 2 { Ok(()) } else { Err(OrderError::Shallow(path.to_owned())) }
}

fn clean(part: &str, path: &str) -> Result<(), OrderError> {
    let good =
        path.starts_with('/') && !path.contains('\0') && !path.split('/').any(|c| c == ".." || c == ".");
    if good { Ok(()) } else { Err(OrderError::Path { part: part.to_owned(), path: path.to_owned() }) }
}

fn artifact(artifact: &Artifact, words: &Words) -> Result<Artifact, OrderError> {
    let part = format!("artifact {}", artifact.name);
    let fill = |text: &str| filled(&part, text, words);
    let place = match &artifact.place {
        Placement::Program(name) => {
            let name = fill(name)?;
            if name.contains('/') || name.starts_with('.') || name.is_empty() {
                return Err(OrderError::Path { part, path: name });
            }
            Placement::Program(name)
        }
        Placement::File(path) => Placement::File(path_of(&part, path, words)?),
        Placement::Unpack(path) => Placement::Unpack(path_of(&part, path, words)?),
        Placement::Image => Placement::Image,
    };
    Ok(Artifact { place, ..artifact.clone() })
}

fn stage(part: &str, steps: &Steps, words: &Words) -> Result<Stage, OrderError> {
    let files = steps.files.iter().map(|file| {
        let path = path_of(part, &file.path, words)?;
        let text = filled(&path, &file.text, words)?;
        let holds_token = mentions(&file.text, "token");
        Ok(File { path, text, private: file.private || holds_token, holds_token })
    });
    let commands = |all: &[Command]| all.iter().map(|c| once(part, c, words)).collect::<Result<Vec<_>, _>>();
    Ok(Stage {
        files: files.collect::<Result<_, _>>()?,
        setup: commands(&steps.setup)?,
        units: steps.units.iter().map(|u| unit(u, words)).collect::<Result<_, _>>()?,
        finish: commands(&steps.finish)?,
        health: steps.health.iter().map(|p| probe(p, words)).collect::<Result<_, _>>()?,
    })
}

fn once(part: &str, command: &Command, words: &Words) -> Result<Once, OrderError> {
    let text = serde_json::to_vec(&(part, command)).unwrap_or_default();
    let holds_token = command.run.iter().any(|a| mentions(a, "token"));
    let run = command.run.iter().map(|a| filled(part, a, words)).collect::<Result<Vec<_>, _>>()?;
    clean(part, run.first().map_or("", String::as_str))?;
    let creates = command.creates.as_ref().map(|path| path_of(part, path, words)).transpose()?;
    Ok(Once {
        key: Digest::of(&text),
        command: Command { run, creates, limit_s: command.limit_s },
        holds_token,
    })
}

fn unit(unit: &Unit, words: &Words) -> Result<Unit, OrderError> {
    let part = format!("unit {}", unit.name);
    let fill = |text: &String| filled(&part, text, words);
    let env = unit.env.iter().map(|(k, v)| Ok((k.clone(), fill(v)?)));
    Ok(Unit {
        name: unit.name.clone(),
        run: unit.run.iter().map(fill).collect::<Result<_, _>>()?,
        env: env.collect::<Result<BTreeMap<_, _>, OrderError>>()?,
        after: unit.after.iter().map(|p| probe(p, words)).collect::<Result<_, _>>()?,
        leave_children: unit.leave_children,
    })
}

fn probe(probe: &Probe, words: &Words) -> Result<Probe, OrderError> {
    let part = format!("probe {}", probe.name);
    let condition = match &probe.condition {
        Condition::Socket(path) => Condition::Socket(filled(&part, path, words)?),
        Condition::Exists(path) => Condition::Exists(filled(&part, path, words)?),
        Condition::Http(url) => Condition::Http(filled(&part, url, words)?),
    };
    Ok(Probe { condition, ..probe.clone() })
}

fn path_of(part: &str, path: &str, words: &Words) -> Result<String, OrderError> {
    let path = filled(part, path, words)?;
    clean(part, &path)?;
    Ok(path)
}

fn filled(part: &str, text: &str, words: &Words) -> Result<String, OrderError> {
    words.fill(text).map_err(|source| OrderError::Fill { part: part.to_owned(), source })
}
