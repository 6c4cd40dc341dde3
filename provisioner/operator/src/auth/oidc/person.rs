//! From somebody whom the issuer vouches for to a user of ours: made at the first login, groups as of the last one.

use std::sync::Arc;

use cairn_domain::{
    access::Principal,
    admit::{Admitted, Intent, Stamp, admit},
    audit::{Actor, ActorKind},
    index::Index,
    model::{
        API_VERSION, Kind as Resource, Manifest, ManifestMetadata, Namespace, Object, OidcIdentity, Spec,
        Uid, UserSpec,
    },
};
use cairn_identity::oidc::Person;
use cairn_store::{Batch, BatchError, ResourceWrite, Trail};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    app::App,
    auth::{
        caller::actor,
        guesses, not_admitted,
        peer::Peer,
        session::{self, Opened},
    },
    problem::{Kind, Problem},
};

/// Others may change users meanwhile.
const TRIES: u32 = 4;

/// Logs the person in.
pub(super) async fn log_in(app: &App, peer: Peer, person: &Person) -> Result<Opened, Problem> {
    let known = app.read(|index| known(index, person));
    if let Some(user) = known.filter(|u| matches!(&u.spec, Spec::User(spec) if spec.disabled)) {
        guesses::refused(app, peer, Some(&user), "the user is disabled").await;
        let detail = "This user may not log in at present.";
        return Err(Problem::new(Kind::Forbidden, detail, "Ask an administrator of this site."));
    }
    for _ in 0..TRIES {
        let (user, write) = app.read(|index| plan(index, person, stamp(app)))?;
        let (uid, name) = (user.metadata.uid, user.metadata.name.clone());
        let Some(write) = write else { return session::open(app, peer, (uid, &name)).await };
        match app.catalog.write(&batch(app, peer, (&name, write))).await {
            Ok(_) => return session::open(app, peer, (uid, &name)).await,
            Err(BatchError::Write(error)) => return Err(Problem::internal(&error)),
            // Somebody was quicker: look again.
            Err(_) => {}
        }
    }
    Err(Problem::new(Kind::Conflict, "The user changes all the time.", "Try again in a moment."))
}

fn stamp(app: &App) -> Stamp {
    Stamp { uid: Uid(Uuid::now_v7()), resource_version: 0, now: app.auth.now() }
}

fn batch(app: &App, peer: Peer, (name, write): (&str, ResourceWrite)) -> Batch {
    let who = app.read(|index| Principal::user(index, name));
    let actor = Actor { kind: ActorKind::User, ..actor(&who, peer) };
    let (credentials, trail) = (Vec::new(), Trail::default());
    Batch { actor, at: app.auth.now(), premise: None, writes: vec![write], credentials, trail }
}

/// The user that is this login already.
fn known(index: &Index, person: &Person) -> Option<Arc<Object>> {
    let is_meant = |o: &&Arc<Object>| match &o.spec {
        Spec::User(UserSpec { oidc: Some(oidc), .. }) => {
            oidc.issuer == person.issuer && oidc.subject == person.subject
        }
        _ => false,
    };
    index.in_namespace(Resource::User, &Namespace::Appliance).find(is_meant).cloned()
}

/// The user as it shall be, and what to write for that.
fn plan(index: &Index, person: &Person, stamp: Stamp) -> Result<(Object, Option<ResourceWrite>), Problem> {
    if let Some(user) = known(index, person) {
        return refreshed(index, &user, person, stamp);
    }
    let name = person.name.to_lowercase();
    if index.named(Resource::User, &Namespace::Appliance, &name).is_some() {
        let detail = format!("There is another user {name} here already.");
        let next = "Ask an administrator: that user can be removed, or its spec.oidc set to this login.";
        return Err(Problem::new(Kind::Conflict, detail, next));
    }
    let spec = UserSpec {
        email: person.email.clone().unwrap_or_default(),
        oidc: Some(OidcIdentity { issuer: person.issuer.clone(), subject: person.subject.clone() }),
        groups: person.groups.clone(),
        ..UserSpec::default()
    };
    let (name, none) = (name.as_str(), None);
    let object = admitted(index, (name, spec, none), stamp)?;
    Ok((object.clone(), Some(ResourceWrite::Create(object))))
}

/// Groups and address as the issuer says now.
fn refreshed(
    index: &Index,
    user: &Object,
    person: &Person,
    stamp: Stamp,
) -> Result<(Object, Option<ResourceWrite>), Problem> {
    let Spec::User(old) = &user.spec else { return Ok((user.clone(), None)) };
    let email = person.email.clone().unwrap_or_else(|| old.email.clone());
    let spec = UserSpec { groups: person.groups.clone(), email, ..old.clone() };
    if spec == *old {
        return Ok((user.clone(), None));
    }
    let object = admitted(index, (&user.metadata.name, spec, Some(user)), stamp)?;
    let expected = Some(user.metadata.resource_version);
    Ok((object.clone(), Some(ResourceWrite::Update { object, expected })))
}

/// As admission takes it; an address that it does not take is left out.
fn admitted(
    index: &Index,
    (name, mut spec, current): (&str, UserSpec, Option<&Object>),
    stamp: Stamp,
) -> Result<Object, Problem> {
    for _ in 0..2 {
        let manifest = manifest(name, &spec)?;
        let intent = match current {
            Some(current) => Intent::Update { current, manifest: &manifest },
            None => Intent::Create { manifest: &manifest, namespace: None },
        };
        match admit(index, intent, stamp) {
            Ok(Admitted::Create(object) | Admitted::Update { object, .. }) => return Ok(*object),
            Ok(Admitted::Unchanged | Admitted::Delete) => break,
            Err(refusals) if refusals.iter().all(|r| r.field == "spec.email") => spec.email.clear(),
            Err(refusals) => {
                let mut problem = not_admitted(refusals);
                problem.next = "The administrator can choose other claims: [oidc] of cairn.toml.".to_owned();
                return Err(problem);
            }
        }
    }
    current.cloned().ok_or_else(|| Problem::new(Kind::Conflict, "The user cannot be made.", "Try again."))
}

fn manifest(name: &str, spec: &UserSpec) -> Result<Manifest, Problem> {
    Ok(Manifest {
        api_version: API_VERSION.to_owned(),
        kind: Resource::User,
        metadata: ManifestMetadata { name: name.to_owned(), ..ManifestMetadata::default() },
        spec: serde_json::to_value(spec).map_err(|e| Problem::internal(&e))?,
        status: Value::Null,
    })
}
