//! Whether a write makes sense, given all other resources: the last check before the store. Not here: who may write
//! ([`crate::access`]), what one value alone can be (types of [`crate::model`]), duplicates of serial numbers and addresses
//! over the whole appliance (the driver). Called by the API for every write and for `--dry-run`.
//!
//! ```text
//! JSON --manifest()--> Manifest --admit(Intent)--> Admitted: what to store   |   all Refusals at once, never only the first
//! ```
//!
//! The caller makes sure that no other write comes between admission and commit: it holds the one writer's place, or the
//! commit fails when the index was not at the newest revision.

mod cluster;
mod delete;
mod deployment;
mod host;
mod metadata;
mod node;
mod package;
mod parameter;
mod person;
mod policy;
mod refusal;
mod rule;
mod source;
mod touched;
mod understand;
mod upwards;

pub use metadata::namespace_of;
pub use refusal::{Refusal, RefusalKind};
pub(crate) use refusal::{no_node, no_space};
pub use touched::{Touched, touched};
pub use understand::manifest;

use cairn_contract::Timestamp;

use crate::{
    access,
    index::Index,
    model::{API_VERSION, Kind, Manifest, Metadata, Namespace, Object, Spec, Uid},
};
use refusal::{Problems, shown};

/// What somebody wants.
#[derive(Debug, Clone, Copy)]
pub enum Intent<'a> {
    /// A new resource.
    Create {
        /// What was sent.
        manifest: &'a Manifest,
        /// The namespace that the request names; the manifest's own comes first.
        namespace: Option<&'a Namespace>,
    },
    /// Another description of one that exists.
    Update {
        /// As it is.
        current: &'a Object,
        /// What was sent.
        manifest: &'a Manifest,
    },
    /// It should be no more.
    Delete {
        /// As it is.
        current: &'a Object,
    },
}

/// What is not for a pure function to make.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// For a new resource.
    pub uid: Uid,
    /// Of the write.
    pub resource_version: i64,
    /// When it happens.
    pub now: Timestamp,
}

/// What to store.
#[derive(Debug, Clone, PartialEq)]
pub enum Admitted {
    /// A new resource. A host has no record yet: the driver makes it.
    Create(Box<Object>),
    /// In the place of the one with its uid.
    Update {
        /// It.
        object: Box<Object>,
        /// In what it differs from the current one.
        changed: Changed,
    },
    /// The description says what is already so: nothing to store.
    Unchanged,
    /// Remove it.
    Delete,
}

/// In what a resource differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Spec, or the name or project of a host: the generation grew.
    pub spec: bool,
    /// Labels: those of what lies below change as well.
    pub labels: bool,
}

/// What the checks of one write share.
struct Check<'a> {
    index: &'a Index,
    /// Where the resource will be.
    namespace: &'a Namespace,
    name: &'a str,
    /// `None` while it is made.
    current: Option<&'a Object>,
    now: Timestamp,
}

impl Check<'_> {
    /// Whether `object` is the resource that is written.
    fn is_own(&self, object: &Object) -> bool {
        self.current.is_some_and(|c| c.metadata.uid == object.metadata.uid)
    }
}

/// Whether `intent` makes sense.
///
/// # Errors
/// Everything that is wrong with it, in the order of the fields; never empty.
pub fn admit(index: &Index, intent: Intent<'_>, stamp: Stamp) -> Result<Admitted, Vec<Refusal>> {
    let mut problems = Problems::default();
    let admitted = match intent {
        Intent::Create { manifest, namespace } => create(index, manifest, namespace, stamp, &mut problems),
        Intent::Update { current, manifest } => update(index, current, manifest, stamp, &mut problems),
        Intent::Delete { current } => {
            delete::check(index, current, &mut problems);
            Some(Admitted::Delete)
        }
    };
    match admitted {
        Some(admitted) if problems.is_empty() => Ok(admitted),
        Some(_) | None => Err(problems.all()),
    }
}

fn create(
    index: &Index,
    sent: &Manifest,
    namespace: Option<&Namespace>,
    stamp: Stamp,
    problems: &mut Problems,
) -> Option<Admitted> {
    head(sent, problems)?;
    let namespace = namespace_of(index, sent.kind, sent.metadata.namespace.as_ref(), namespace);
    let namespace = namespace.map_err(|refusal| problems.push(refusal)).ok();
    let name = &sent.metadata.name;
    metadata::check(&sent.metadata, sent.kind, problems);
    metadata::check_new(&sent.metadata, problems);
    let spec = understand::spec(sent.kind, &sent.spec, problems);
    let namespace = namespace?;
    let cx = Check { index, namespace: &namespace, name, current: None, now: stamp.now };
    metadata::check_unique(&cx, sent.kind, problems);
    let spec = spec?;
    let spec = check_spec(&cx, spec, problems);
    let metadata = Metadata {
        name: name.clone(),
        namespace: namespace.clone(),
        uid: stamp.uid,
        labels: sent.metadata.labels.clone(),
        annotations: sent.metadata.annotations.clone(),
        generation: 1,
        resource_version: stamp.resource_version,
        created: stamp.now,
    };
    Some(Admitted::Create(Box::new(Object { metadata, spec, host: None, status: None })))
}

fn update(
    index: &Index,
    current: &Object,
    sent: &Manifest,
    stamp: Stamp,
    problems: &mut Problems,
) -> Option<Admitted> {
    head(sent, problems)?;
    if sent.kind != current.kind() {
        let message = format!("{current} cannot become a {}", sent.kind);
        problems.invalid("kind", message, "delete it and make another");
        return None;
    }
    let namespace = sent.metadata.namespace.as_ref().unwrap_or(&current.metadata.namespace);
    let name = &sent.metadata.name;
    metadata::check(&sent.metadata, sent.kind, problems);
    metadata::check_current(&sent.metadata, current, problems);
    metadata::check_moved(index, current, namespace, name, problems);
    let cx = Check { index, namespace, name, current: Some(current), now: stamp.now };
    metadata::check_unique(&cx, sent.kind, problems);
    let spec = understand::spec(sent.kind, &sent.spec, problems)?;
    let spec = check_spec(&cx, spec, problems);

    let mut object = Object { spec, ..current.clone() };
    object.metadata.name.clone_from(name);
    object.metadata.namespace.clone_from(namespace);
    object.metadata.labels.clone_from(&sent.metadata.labels);
    object.metadata.annotations.clone_from(&sent.metadata.annotations);
    if object == *current {
        return Some(Admitted::Unchanged);
    }
    let (old, new) = (&current.metadata, &mut object.metadata);
    let moved = old.name != new.name || old.namespace != new.namespace;
    let changed = Changed { spec: moved || object.spec != current.spec, labels: old.labels != new.labels };
    new.generation = old.generation.saturating_add(i64::from(changed.spec));
    new.resource_version = stamp.resource_version;
    if access::leaves_no_admin(index, old.uid, Some(&object)) {
        delete::refuse_last_admin(problems);
    }
    Some(Admitted::Update { object: Box::new(object), changed })
}

/// What no further check makes sense without.
fn head(sent: &Manifest, problems: &mut Problems) -> Option<()> {
    if sent.api_version != API_VERSION {
        let message = format!("{:?} is not known here", shown(&sent.api_version));
        problems.invalid("apiVersion", message, format!("write {API_VERSION}"));
    }
    if sent.kind == Kind::OsImage {
        refuse_image(problems);
        return None;
    }
    Some(())
}

fn refuse_image(problems: &mut Problems) {
    let message = "OS images are not described but imported".to_owned();
    problems.add(RefusalKind::Forbidden, "kind", message, "use cairn image add, and cairn image remove");
}

/// In normal spelling, and checked.
fn check_spec(cx: &Check<'_>, mut spec: Spec, problems: &mut Problems) -> Spec {
    if let Some(settings) = spec.settings() {
        metadata::check_settings(settings, problems);
    }
    match &mut spec {
        Spec::Organisation(s) => metadata::check_line("spec.displayName", &s.display_name, problems),
        Spec::Project(s) => metadata::check_line("spec.displayName", &s.display_name, problems),
        Spec::Region(s) => node::check_region(cx, s, problems),
        Spec::Site(s) => node::check_site(cx, s, problems),
        Spec::Host(s) => host::check(cx, s, problems),
        Spec::Policy(s) => policy::check(cx, s, problems),
        Spec::OsImage(_) => refuse_image(problems),
        Spec::FirmwareProfile(s) => rule::check_firmware(s, problems),
        Spec::ClaimRule(s) => rule::check_claim(cx, s, problems),
        Spec::User(s) => person::check_user(cx, s, problems),
        Spec::Role(s) => person::check_role(cx, s, problems),
        Spec::RoleBinding(s) => person::check_binding(cx, s, problems),
        Spec::Token(s) => person::check_token(cx, s, problems),
        Spec::Distribution(s) => cluster::check_distribution(s, problems),
        Spec::ClusterTemplate(s) => cluster::check_template(cx, s, problems),
        Spec::Cluster(s) => cluster::check(cx, s, problems),
        Spec::Package(s) => package::check(cx, s, problems),
        Spec::Secret(s) => metadata::check_line("spec.description", &s.description, problems),
        Spec::Deployment(s) => deployment::check(cx, s, problems),
    }
    spec
}
