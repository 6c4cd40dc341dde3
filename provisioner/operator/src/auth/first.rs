//! Login with a one-time code: makes an administrator, or gives one who lost it a new password.
//!
//! The code's hash lies in a file of the data folder ([`CodeFile`]). That it was used is remembered as the answer to a request
//! with an idempotency key, in the same transaction as what it made: so of two who use it at once one gets it, on any of several
//! provisioners. Such answers are kept for a day, as long as the code is good.

use std::path::Path;

use cairn_contract::{Digest, Timestamp};
use cairn_domain::{
    access::ADMIN,
    admit::{Admitted, Intent, Stamp, admit},
    audit::{Actor, ActorKind, Deed, Outcome},
    index::Index,
    model::{
        API_VERSION, Kind as Resource, Manifest, ManifestMetadata, Metadata, Namespace, Object,
        RoleBindingSpec, Spec, Subject, SubjectKind, Uid, UserSpec,
    },
};
use cairn_identity::{OneTimeCode, Password, Phc, RedeemError, Secret};
use cairn_store::{Answer, Batch, BatchError, CredentialWrite, ReadError, ResourceWrite, Store, Trail};
use serde_json::json;
use uuid::Uuid;

use super::{
    code_file::{CodeFile, CodeFileError},
    guesses,
    login::{Login, hash_failed},
    peer::Peer,
    session::{self, Opened},
};
use crate::{
    app::App,
    problem::{Kind, Problem, sentence},
};

const OTHER_CODE: &str = "On the machine itself, as root, a new one is made by: cairn admin code";

/// Uses the code up.
pub(super) async fn log_in(app: &App, peer: Peer, login: &Login, code: &Secret) -> Result<Opened, Problem> {
    let invalid = |why: String, field: &str| Problem::new(Kind::Invalid, sentence(&why), "").at(field);
    let code = OneTimeCode::parse(code.expose()).map_err(|e| invalid(e.to_string(), "code"))?;
    let file = CodeFile::read(&app.auth.settings.data).map_err(|e| Problem::internal(&e))?;
    let redeemed =
        file.as_ref().and_then(CodeFile::issued).map(|mut issued| issued.redeem(&code, app.auth.now()));
    let (Some(file), Some(redeemed)) = (file, redeemed) else {
        return Err(wrong(
            app,
            peer,
            "there is no one-time code to be used: it was used already, or none was made",
        )
        .await);
    };
    if let Err(error) = redeemed {
        let why = match error {
            RedeemError::Wrong => "the one-time code is wrong",
            RedeemError::Expired => "the one-time code has expired",
            RedeemError::Used => "the one-time code was used already",
        };
        return Err(wrong(app, peer, why).await);
    }
    let password = Password::new(login.password.clone()).map_err(|e| invalid(e.to_string(), "password"))?;
    let phc = app.auth.passwords.hash(&password).await.map_err(|e| hash_failed(&e))?;
    let noted = note_code(&app.store, &app.auth.settings.data, app.auth.now()).await;
    noted.map_err(|e| Problem::internal(&e))?;
    let user = write(app, peer, (&login.user, phc), &file).await?;
    file.remove(&app.auth.settings.data);
    app.auth.tell_ended();
    session::open(app, peer, (user, &login.user)).await
}

async fn wrong(app: &App, peer: Peer, why: &str) -> Problem {
    let mut problem = guesses::failed(app, peer, None, why).await;
    OTHER_CODE.clone_into(&mut problem.next);
    problem
}

/// Writes to the audit log that a one-time code lies in the data folder, once for each: whoever made it was not known to the
/// server. The server calls it now and then, and each use of a code does.
///
/// # Errors
/// When the file holds something else, or the database cannot be written.
pub async fn note_code(store: &Store, data: &Path, now: Timestamp) -> Result<(), NoteError> {
    let Some(file) = CodeFile::read(data)?.filter(|file| now < file.expires) else { return Ok(()) };
    let ticket = once(file.ticket("seen"));
    if store.answer(&ticket.principal, &ticket.key).await?.is_some() {
        return Ok(());
    }
    let actor = Actor::system("cairn init or cairn admin code");
    let deed = deed(actor.clone(), "code.create", json!({ "made": file.made, "expires": file.expires }));
    let trail = Trail { deeds: vec![deed], answer: Some(ticket) };
    let batch = Batch { actor, at: now, premise: None, writes: Vec::new(), credentials: Vec::new(), trail };
    match store.write(&batch).await {
        Ok(_) | Err(BatchError::Answered) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Why a code's making is not in the audit log.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The file.
    #[error("cannot read the one-time code's file")]
    File(#[from] CodeFileError),
    /// The database.
    #[error("cannot read what was noted")]
    Read(#[from] ReadError),
    /// The database.
    #[error("cannot write to the audit log")]
    Write(#[from] BatchError),
}

/// What can be written once only.
fn once(key: String) -> Answer {
    let request = Digest::of(key.as_bytes());
    Answer { principal: "one-time code".to_owned(), key, request, status: 200, response: String::new() }
}

fn deed(actor: Actor, verb: &str, after: serde_json::Value) -> Deed {
    Deed {
        actor,
        verb: verb.to_owned(),
        kind: None,
        uid: None,
        namespace: Namespace::Appliance,
        name: String::new(),
        outcome: Outcome::Done,
        reason: String::new(),
        before: None,
        after: Some(after),
    }
}

async fn write(app: &App, peer: Peer, (name, phc): (&str, Phc), file: &CodeFile) -> Result<Uid, Problem> {
    let at = app.auth.now();
    let actor = Actor { kind: ActorKind::Setup, name: "one-time code".to_owned(), origin: peer.origin() };
    let stamp = || Stamp { uid: Uid(Uuid::new_v4()), resource_version: 0, now: at };
    let (user, writes) = app.read(|index| {
        let (user, write) = administrator(index, name, stamp())?;
        let writes = write.into_iter().chain(binding(index, name, stamp()));
        Ok::<_, Problem>((user, writes.collect()))
    })?;
    let password = cairn_store::Password { phc: phc.as_str().to_owned(), changed: at };
    let credentials =
        vec![CredentialWrite::SetPassword { user, password }, CredentialWrite::EndSessions { user }];
    let used = deed(actor.clone(), "code.use", json!({ "user": name }));
    let trail = Trail { deeds: vec![used], answer: Some(once(file.ticket("used"))) };
    let batch = Batch { actor, at, premise: None, writes, credentials, trail };
    match app.catalog.write(&batch).await {
        Ok(_) => Ok(user),
        Err(BatchError::Write(error)) => Err(Problem::internal(&error)),
        // Whoever was quicker may have used this very code.
        Err(_) => Err(lost(app, file).await),
    }
}

async fn lost(app: &App, file: &CodeFile) -> Problem {
    let used = once(file.ticket("used"));
    match app.store.answer(&used.principal, &used.key).await {
        Ok(Some(_)) => Problem::new(Kind::Unauthorized, "The one-time code was used already.", OTHER_CODE),
        Ok(None) => {
            let detail = "Somebody changed the same at this moment.";
            Problem::new(Kind::Conflict, detail, "Try again: the code is still good.")
        }
        Err(error) => Problem::internal(&error),
    }
}

/// The user of that name as it shall be, and what to write for that.
fn administrator(index: &Index, name: &str, stamp: Stamp) -> Result<(Uid, Option<ResourceWrite>), Problem> {
    let Some(user) = index.named(Resource::User, &Namespace::Appliance, name) else {
        let metadata = ManifestMetadata { name: name.to_owned(), ..ManifestMetadata::default() };
        let manifest = Manifest {
            api_version: API_VERSION.to_owned(),
            kind: Resource::User,
            metadata,
            spec: json!({}),
            status: serde_json::Value::Null,
        };
        return match admit(index, Intent::Create { manifest: &manifest, namespace: None }, stamp) {
            Ok(Admitted::Create(object)) => Ok((object.metadata.uid, Some(ResourceWrite::Create(*object)))),
            Ok(_) => Err(Problem::new(Kind::Conflict, "There is such a user already.", "Try again.")),
            Err(refusals) => Err(super::not_admitted(refusals)),
        };
    };
    let uid = user.metadata.uid;
    match &user.spec {
        Spec::User(spec) if spec.oidc.is_some() => {
            let detail = format!("{name} logs in with OIDC and has no password here.");
            Err(Problem::new(Kind::Conflict, detail, "Choose another name: --user NAME").at("user"))
        }
        Spec::User(spec) if spec.disabled => {
            let spec = Spec::User(UserSpec { disabled: false, ..spec.clone() });
            let object = Object { spec, ..Object::clone(user) };
            let expected = Some(user.metadata.resource_version);
            Ok((uid, Some(ResourceWrite::Update { object, expected })))
        }
        _ => Ok((uid, None)),
    }
}

/// What makes `name` an administrator of the appliance, unless it is one.
fn binding(index: &Index, name: &str, stamp: Stamp) -> Option<ResourceWrite> {
    let subject = Subject { kind: SubjectKind::User, name: name.to_owned() };
    let bindings = index.in_namespace(Resource::RoleBinding, &Namespace::Appliance);
    let admins = bindings.filter_map(|o| match &o.spec {
        Spec::RoleBinding(spec) if spec.role == ADMIN => Some((o, spec)),
        _ => None,
    });
    let admins: Vec<_> = admins.collect();
    if admins.iter().any(|(_, spec)| spec.subjects.contains(&subject)) {
        return None;
    }
    if let Some((object, spec)) = admins.into_iter().find(|(o, _)| o.metadata.name == ADMIN) {
        let mut spec = spec.clone();
        spec.subjects.push(subject);
        let expected = Some(object.metadata.resource_version);
        return Some(ResourceWrite::Update {
            object: Object { spec: Spec::RoleBinding(spec), ..Object::clone(object) },
            expected,
        });
    }
    let is_free = index.named(Resource::RoleBinding, &Namespace::Appliance, ADMIN).is_none();
    let name = if is_free { ADMIN.to_owned() } else { format!("{ADMIN}-{}", stamp.uid.0.simple()) };
    let metadata = Metadata {
        name,
        namespace: Namespace::Appliance,
        uid: stamp.uid,
        labels: Default::default(),
        annotations: Default::default(),
        generation: 1,
        resource_version: 0,
        created: stamp.now,
    };
    let spec = RoleBindingSpec { role: ADMIN.to_owned(), subjects: vec![subject], at: None };
    Some(ResourceWrite::Create(Object { metadata, spec: Spec::RoleBinding(spec), host: None, status: None }))
}
