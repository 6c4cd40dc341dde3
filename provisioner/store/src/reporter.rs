//! What leaf crates use to tell the driver what happened. Object safe, so that none of them depends on the driver.

use std::fmt;

use cairn_contract::{HostId, Timestamp};
use cairn_domain::{
    Fact, Host, HostSpec,
    audit::Actor,
    host::HostMeta,
    model::{Labels, Namespace, Settings},
};
use futures_util::future::BoxFuture;

use crate::{CommitError, NewInstall, ReadError, WriteError};

/// Takes facts and orders. Implemented by `cairn-driver`.
pub trait Reporter: fmt::Debug + Send + Sync + 'static {
    /// Something happened. Returns when its consequences are durable.
    ///
    /// The note becomes a line of the timeline; when a new state is not explained by it, the driver adds a line.
    /// A [`Subject::Machine`](cairn_domain::Subject::Machine) fact finds its host by address and UUID; as long as no host
    /// is found it is kept under the address. Its event may only be `Knocked` or `Claimed`: others need proof, and are left out.
    fn report(&self, fact: Fact) -> BoxFuture<'_, Result<Outcome, ReportError>>;

    /// Like [`report`](Self::report) for a fact with [`Event::InstallerProven`](cairn_domain::Event::InstallerProven): the install row is committed together with
    /// the step, and only if the host came to `Installing` with that very id. Release a plan only if
    /// `outcome.host.state` is that.
    fn report_install(&self, fact: Fact, install: NewInstall) -> BoxFuture<'_, Result<Outcome, ReportError>>;

    /// Something happened that nobody waits for: never blocks, written within about 100 ms. When too much happens at
    /// once, it is dropped and counted.
    fn observe(&self, fact: Fact);

    /// A person or program orders something. Returns the host as it is afterwards (for [`Order::Remove`]: as it was).
    fn order(&self, order: Order, by: By) -> BoxFuture<'_, Result<Host, OrderError>>;
}

/// On whose behalf, and whether in earnest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// For the audit log.
    pub actor: Actor,
    /// In earnest or not.
    pub run: Run,
}

/// Whether an order is in earnest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// It is.
    Commit,
    /// Everything is checked and nothing is written; the host is returned as it would be.
    Check,
}

/// How a proven machine was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognition {
    /// It is this host.
    Known,
    /// Nobody knew it: it waits as a pending host now.
    New,
    /// It presents the names of other hosts: it is in quarantine now.
    Conflict,
}

/// What came of a fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The host after the commit; absent for the site and for machines that no record names.
    pub host: Option<Host>,
    /// For [`Subject::Proven`](cairn_domain::Subject::Proven): who it is.
    pub recognition: Option<Recognition>,
}

/// Why a fact was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The fact names a host that does not exist.
    #[error("no host has the id {0}")]
    NoSuchHost(HostId),
    /// Its state could not be read.
    #[error("cannot look up the host")]
    Read(#[from] ReadError),
    /// It could not be written.
    #[error("cannot record what happened")]
    Write(#[from] WriteError),
    /// The step could not be committed.
    #[error("cannot commit the host's next state")]
    Commit(#[from] CommitError),
}

/// Everything that people say of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its names, image and disk.
    pub spec: HostSpec,
    /// Its project; it exists.
    pub project: Namespace,
    /// Name of its site in that project, which exists; absent: directly in the project.
    pub site: Option<String>,
    /// Labels of its own.
    pub labels: Labels,
    /// Annotations.
    pub annotations: Labels,
    /// Settings of its own.
    pub settings: Settings,
}

/// In the project `default.default`, with nothing beside the spec.
impl From<HostSpec> for Registration {
    fn from(spec: HostSpec) -> Self {
        let HostMeta { project, site, labels, annotations, settings, .. } = HostMeta::default();
        Self { spec, project, site, labels, annotations, settings }
    }
}

/// What a waiting machine becomes when it is let in; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// Its name.
    pub name: Option<String>,
    /// Its project, which exists, with the name of its site in it.
    pub place: Option<(Namespace, Option<String>)>,
    /// Its image.
    pub image: Option<String>,
    /// Labels beside those that it has.
    pub labels: Labels,
}

/// Whether maintenance windows count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// Where `update.onlyInWindow` says so, the order is refused outside of one.
    Respect,
    /// They do not.
    Ignore,
}

/// What a person wants of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Expect this machine. If it waits as a pending host already, that one is accepted under this registration.
    Register(Box<Registration>),
    /// Replace what was registered: also a move.
    Update {
        /// Whose.
        id: HostId,
        /// Everything anew.
        to: Box<Registration>,
        /// Resource version that was read; another one now is [`OrderError::Stale`].
        expected: Option<i64>,
    },
    /// Let a pending host in.
    Accept {
        /// Whose.
        id: HostId,
        /// As what.
        admission: Box<Admission>,
    },
    /// Let a quarantined or failed host try again.
    Retry(HostId),
    /// Install again at the next boot from the network.
    Reinstall {
        /// Whose.
        id: HostId,
        /// Whether windows count.
        windows: Windows,
    },
    /// End its connections, void its certificate, believe it nothing until [`Order::Retry`].
    Deauthorise(HostId),
    /// End its connections, void its certificate, and wipe its disk at its next boot from the network; then it is retired.
    Decommission(HostId),
    /// Forget the host; its history stays.
    Remove(HostId),
}

/// Why an order was not carried out. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// No such host.
    #[error("there is no such host")]
    NotFound,
    /// Not a host name.
    #[error("{name:?} is not a host name")]
    Name {
        /// What was given.
        name: String,
        /// The rule.
        #[source]
        source: cairn_domain::name::NameError,
    },
    /// Another host has the name.
    #[error("a host named {0} exists already")]
    NameTaken(String),
    /// Another host has the serial number, UUID, address or EK.
    #[error("{what} {value} belongs to host {host} already")]
    Taken {
        /// `serial number`, `UUID`, `address` or `EK`.
        what: &'static str,
        /// The value.
        value: String,
        /// Name of the host that has it.
        host: String,
        /// That host: whoever may not see it must not be told its name.
        id: HostId,
    },
    /// It has changed since it was read.
    #[error("the host has changed since it was read: its resource version is {current} now")]
    Stale {
        /// The present one.
        current: i64,
    },
    /// Policy keeps such things to maintenance windows.
    #[error("its policy keeps this to maintenance windows, and none is open")]
    OutsideWindow {
        /// When the next opens, if ever.
        next: Option<Timestamp>,
    },
    /// Several pending hosts fit the spec.
    #[error("several waiting machines fit: {hosts}; accept one of them by its name")]
    Several {
        /// Their names.
        hosts: String,
    },
    /// A value of the spec cannot be what it should be.
    #[error("{value:?} is not a {what}")]
    Value {
        /// What it should be, such as `UUID`.
        what: &'static str,
        /// What was given.
        value: String,
    },
    /// Neither serial number, UUID, address nor EK.
    #[error("nothing identifies the host: give a serial number, UUID, address or EK")]
    Nameless,
    /// The host's proven EK cannot be replaced.
    #[error("host {host} has proven another EK; remove it and register it anew if its TPM was replaced")]
    OtherEk {
        /// Its name.
        host: String,
    },
    /// The order makes no sense in the state that the host is in.
    #[error("not possible for a host that is {state}")]
    State {
        /// Its state's word.
        state: &'static str,
    },
    /// The store failed to read.
    #[error("cannot look up the host")]
    Read(#[from] ReadError),
    /// The store failed to write.
    #[error("cannot commit the order")]
    Commit(#[from] CommitError),
}
