//! One write, from a wish to what is so afterwards: access, admission, commit. The only place that hands resources to the
//! store and hosts to the driver.
//!
//! ```text
//! plan(index) -- Err: problem --> caller
//!      `-- Plan -- Check --> as it would be
//!             `-- Commit --> Store::write | Reporter::order -- Premise: the tree moved on --> plan again
//! ```

use std::sync::Arc;

use cairn_contract::Timestamp;
use cairn_domain::{
    access::{self, Decision, Denied, Place},
    admit::{self, Admitted, Intent, Refusal, RefusalKind, Stamp},
    index::Index,
    model::{HostFields, Kind, Manifest, Namespace, Object, Spec, Uid, Verb},
};
use cairn_store::{
    Batch, BatchError, By, Clock as _, CommitError, CredentialWrite, Order, OrderError, Registration,
    ResourceWrite, Run, SystemClock, Trail,
};
use uuid::Uuid;

use super::{find, sight};
use crate::{
    app::{App, View},
    auth::{self, Caller, TokenSecret},
    order,
    problem::{self, Fault, Problem},
};

/// How often a write is planned again when others were quicker.
const TRIES: u32 = 8;

/// What is to be done.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// A new resource.
    Create(Box<Object>),
    /// Another description.
    Update {
        /// As it is.
        before: Arc<Object>,
        /// As it shall be.
        after: Box<Object>,
    },
    /// It is so already.
    Unchanged(Arc<Object>),
    /// It goes.
    Delete(Arc<Object>),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Done {
    /// As it was.
    pub(crate) before: Option<Arc<Object>>,
    /// As it is; `None` when it is gone.
    pub(crate) after: Option<Arc<Object>>,
    /// Of a new service token: to be shown once.
    pub(crate) secret: Option<TokenSecret>,
}

/// Everything about a write beside its plan.
#[derive(Clone)]
pub(crate) struct Frame<'a> {
    pub(crate) app: &'a App,
    pub(crate) caller: &'a Caller,
    pub(crate) run: Run,
    /// What goes into the same transaction.
    pub(crate) trail: Trail,
}

impl Frame<'_> {
    /// Plans and does it.
    pub(crate) async fn carry_out(
        &self,
        plan: impl Fn(&View<'_>) -> Result<Plan, Problem>,
    ) -> Result<Done, Problem> {
        for tried in 0..TRIES {
            // Who was too late once waits for a turn: of many writers at once each gets through.
            let _turn = if tried > 0 { Some(self.app.turns.lock().await) } else { None };
            let made = |view: &View<'_>| plan(view).map(|plan| (plan, view.index.revision()));
            let (made, revision) = self.app.view(self.caller, made)?;
            match self.execute(made, revision).await {
                Ok(done) => return Ok(done),
                Err(Failure::Again) => {}
                Err(Failure::Problem(problem)) => return Err(problem),
            }
        }
        Err(too_busy())
    }

    /// What would come of a plan that was made over a tree that is not there yet. Hosts are asked of the driver where their
    /// project and site exist already.
    pub(crate) async fn imagine(&self, plan: Plan) -> Result<Done, Problem> {
        let is_real = |object: &Object| {
            let Spec::Host(HostFields { site, .. }) = &object.spec else { return false };
            let namespace = &object.metadata.namespace;
            self.app.read(|index| {
                let site = site.as_ref().is_none_or(|s| index.named(Kind::Site, namespace, s).is_some());
                site && index.node_of(namespace).is_some()
            })
        };
        match &plan {
            Plan::Create(object) if object.kind() == Kind::Host && is_real(object) => {
                self.order(plan).await.map_err(Failure::problem)
            }
            Plan::Update { after, .. } if after.kind() == Kind::Host && is_real(after) => {
                self.order(plan).await.map_err(Failure::problem)
            }
            Plan::Create(_) | Plan::Update { .. } | Plan::Unchanged(_) | Plan::Delete(_) => {
                Ok(plan.imagined())
            }
        }
    }

    async fn execute(&self, plan: Plan, revision: i64) -> Result<Done, Failure> {
        match (plan, self.run) {
            (Plan::Unchanged(object), _) => {
                Ok(Done { before: Some(Arc::clone(&object)), after: Some(object), secret: None })
            }
            (plan, _) if plan.kind() == Kind::Host => self.order(plan).await,
            (plan, Run::Check) => Ok(plan.imagined()),
            (plan, Run::Commit) => self.commit(plan, revision).await,
        }
    }

    async fn commit(&self, plan: Plan, revision: i64) -> Result<Done, Failure> {
        let (write, before) = match &plan {
            Plan::Create(object) => (ResourceWrite::Create(Object::clone(object)), None),
            Plan::Update { before, after } => {
                let expected = Some(before.metadata.resource_version);
                (ResourceWrite::Update { object: Object::clone(after), expected }, Some(Arc::clone(before)))
            }
            Plan::Unchanged(object) | Plan::Delete(object) => {
                let (uid, expected) = (object.metadata.uid, Some(object.metadata.resource_version));
                (ResourceWrite::Delete { uid, expected }, Some(Arc::clone(object)))
            }
        };
        let at = self.app.auth.now();
        let (secret, credentials) = credentials(&plan, at)?;
        let batch = Batch {
            actor: self.caller.actor.clone(),
            at,
            premise: Some(revision),
            writes: vec![write],
            credentials,
            trail: self.trail.clone(),
        };
        let written = self.app.catalog.write(&batch).await.map_err(|e| failure(&e))?;
        let after = match plan {
            Plan::Delete(_) => None,
            Plan::Create(_) | Plan::Update { .. } | Plan::Unchanged(_) => {
                written.objects.into_iter().next().map(Arc::new)
            }
        };
        Ok(Done { before, after, secret })
    }

    /// Hosts are the driver's.
    async fn order(&self, plan: Plan) -> Result<Done, Failure> {
        let (order, before, name) = match plan {
            Plan::Create(object) => {
                let name = object.metadata.name.clone();
                (Order::Register(Box::new(registration(*object)?)), None, name)
            }
            Plan::Update { before, after } => {
                let expected = Some(before.metadata.resource_version);
                let (id, name) = (before.metadata.uid.into(), after.metadata.name.clone());
                (Order::Update { id, to: Box::new(registration(*after)?), expected }, Some(before), name)
            }
            Plan::Unchanged(object) | Plan::Delete(object) => {
                let name = object.metadata.name.clone();
                (Order::Remove(object.metadata.uid.into()), Some(object), name)
            }
        };
        let removes = matches!(order, Order::Remove(_));
        let by = By { actor: self.caller.actor.clone(), run: self.run };
        let host = self.app.reporter.order(order, by).await;
        let host = host.map_err(|e| match e {
            OrderError::Stale { .. }
            | OrderError::Commit(CommitError::Stale | CommitError::NoSuchPlace(_)) => Failure::Again,
            error => order::refused(self.app, self.caller, &error, &name).into(),
        })?;
        let after = (!removes).then(|| Arc::new(Object::from(host)));
        Ok(Done { before, after, secret: None })
    }
}

impl Plan {
    fn kind(&self) -> Kind {
        match self {
            Self::Create(object) => object.kind(),
            Self::Update { before, .. } => before.kind(),
            Self::Unchanged(object) | Self::Delete(object) => object.kind(),
        }
    }

    fn imagined(self) -> Done {
        match self {
            Self::Create(object) => Done { before: None, after: Some(Arc::new(*object)), secret: None },
            Self::Update { before, after } => {
                Done { before: Some(before), after: Some(Arc::new(*after)), secret: None }
            }
            Self::Unchanged(object) => {
                Done { before: Some(Arc::clone(&object)), after: Some(object), secret: None }
            }
            Self::Delete(object) => Done { before: Some(object), after: None, secret: None },
        }
    }
}

/// What goes with a write of a user or a token.
fn credentials(plan: &Plan, at: Timestamp) -> Result<(Option<TokenSecret>, Vec<CredentialWrite>), Problem> {
    Ok(match plan {
        Plan::Create(object) => match auth::mint(object, at)? {
            Some((secret, write)) => (Some(secret), vec![write]),
            None => (None, Vec::new()),
        },
        Plan::Update { before, after } => (None, auth::consequences(before, after)),
        Plan::Unchanged(_) | Plan::Delete(_) => (None, Vec::new()),
    })
}

/// Plans a new resource.
pub(crate) fn create(
    view: &View<'_>,
    manifest: &Manifest,
    request: Option<&Namespace>,
) -> Result<Plan, Problem> {
    let kind = manifest.kind;
    let sent = manifest.metadata.namespace.as_ref();
    let namespace = admit::namespace_of(view.index, kind, sent, request).map_err(|r| refused(vec![r]))?;
    let place = access::place_of_new(view.index, kind, &namespace, &manifest.spec);
    match view.sight.decide(Verb::Create, kind, place) {
        Decision::Allowed => {}
        // The same words as for a namespace that does not exist.
        Decision::Hidden => return Err(no_namespace(&namespace).denied()),
        Decision::Forbidden => {
            let at = if namespace == Namespace::Appliance {
                "the appliance".to_owned()
            } else {
                namespace.to_string()
            };
            return Err(find::forbidden(Verb::Create, kind, &format!("at {at}")));
        }
    }
    let intent = Intent::Create { manifest, namespace: Some(&namespace) };
    match admit::admit(view.index, intent, stamp(view.index)).map_err(refused)? {
        Admitted::Create(object) => {
            let name = object.full_name();
            view.grants
                .may_write(view.index, None, Some(&object))
                .map_err(|e| in_place(kind, &name, &namespace, &e))?;
            Ok(Plan::Create(object))
        }
        Admitted::Update { .. } | Admitted::Unchanged | Admitted::Delete => Err(undecided()),
    }
}

/// Plans another description of `current`.
pub(crate) fn update(view: &View<'_>, current: &Arc<Object>, manifest: &Manifest) -> Result<Plan, Problem> {
    let (kind, name) = (current.kind(), current.full_name());
    if !view.sight.decide(Verb::Update, kind, Place::Of(current.metadata.uid)).is_allowed() {
        return Err(find::forbidden(Verb::Update, kind, &name));
    }
    sight::check_place(view, current, manifest)?;
    let intent = Intent::Update { current, manifest };
    match admit::admit(view.index, intent, stamp(view.index)).map_err(refused)? {
        Admitted::Update { object, .. } => {
            view.grants
                .may_write(view.index, Some(current), Some(&object))
                .map_err(|e| find::denied(kind, &name, &e))?;
            Ok(Plan::Update { before: Arc::clone(current), after: object })
        }
        Admitted::Unchanged => Ok(Plan::Unchanged(Arc::clone(current))),
        Admitted::Create(_) | Admitted::Delete => Err(undecided()),
    }
}

/// Plans the end of `current`.
pub(crate) fn delete(view: &View<'_>, current: &Arc<Object>) -> Result<Plan, Problem> {
    let (kind, name) = (current.kind(), current.full_name());
    view.grants.may_write(view.index, Some(current), None).map_err(|e| find::denied(kind, &name, &e))?;
    admit::admit(view.index, Intent::Delete { current }, stamp(view.index)).map_err(refused)?;
    Ok(Plan::Delete(Arc::clone(current)))
}

pub(crate) fn stamp(index: &Index) -> Stamp {
    Stamp {
        uid: Uid(Uuid::now_v7()),
        resource_version: index.revision().saturating_add(1),
        now: SystemClock.now(),
    }
}

/// What admission refused. The first decides what sort of problem it is, except that one about the tree's present state
/// gives way to one about the words.
pub(crate) fn refused(refusals: Vec<Refusal>) -> Problem {
    let namespace = |r: &Refusal| r.kind == RefusalKind::NotFound && r.field == "metadata.namespace";
    let is_field = |r: &Refusal| r.message == "there is no such field";
    let kind = match refusals.as_slice() {
        all if all.iter().any(namespace) => problem::Kind::NotFound,
        all if all.iter().any(is_field) => problem::Kind::UnknownField,
        all if all.iter().all(|r| r.kind == RefusalKind::Forbidden) => problem::Kind::Forbidden,
        all if all.iter().all(|r| r.kind == RefusalKind::Conflict) => problem::Kind::Conflict,
        _ => problem::Kind::Invalid,
    };
    let fault = |r: Refusal| Fault { field: r.field, message: r.message, next: problem::sentence(&r.next) };
    Problem::of(kind, refusals.into_iter().map(fault).collect())
}

pub(crate) fn no_namespace(namespace: &Namespace) -> Problem {
    let what = match namespace {
        Namespace::Appliance => "the appliance".to_owned(),
        Namespace::Organisation(_) => format!("organisation {namespace}"),
        Namespace::Project { .. } => format!("project {namespace}"),
    };
    let fault = Fault {
        field: "metadata.namespace".to_owned(),
        message: format!("there is no {what}"),
        next: "Make it first, or name another.".to_owned(),
    };
    Problem::of(problem::Kind::NotFound, vec![fault])
}

/// A denied creation: what is hidden is the namespace.
fn in_place(kind: Kind, name: &str, namespace: &Namespace, error: &Denied) -> Problem {
    match error {
        Denied::Hidden => no_namespace(namespace).denied(),
        Denied::NoPlace { .. } | Denied::Forbidden { .. } | Denied::Excess(_) => {
            find::denied(kind, name, error)
        }
    }
}

fn undecided() -> Problem {
    Problem::new(problem::Kind::Internal, "The write was taken for another one.", "Please report this.")
}

fn too_busy() -> Problem {
    let detail = "Others change the tree all the time.";
    Problem::new(problem::Kind::Conflict, detail, "Try again in a moment.")
}

/// Why it was not committed.
enum Failure {
    /// Plan anew: the tree has changed.
    Again,
    Problem(Problem),
}

impl Failure {
    /// For what is not planned again.
    fn problem(self) -> Problem {
        match self {
            Self::Again => too_busy(),
            Self::Problem(problem) => problem,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Others were quicker where the plan is to be made anew: it then finds for itself what is wrong.
fn failure(error: &BatchError) -> Failure {
    match error {
        BatchError::Conflict { .. }
        | BatchError::NotFound { .. }
        | BatchError::NameTaken { .. }
        | BatchError::Premise => Failure::Again,
        BatchError::Answered => Failure::Problem(crate::replay::answered()),
        BatchError::Write(_) => Failure::Problem(Problem::internal(error)),
    }
}

/// Everything that people say of a host.
pub(crate) fn registration(object: Object) -> Result<Registration, Problem> {
    let Spec::Host(fields) = object.spec else { return Err(undecided()) };
    let HostFields { site, settings, .. } = fields.clone();
    let metadata = object.metadata;
    Ok(Registration {
        spec: fields.host_spec(metadata.name),
        project: metadata.namespace,
        site,
        labels: metadata.labels,
        annotations: metadata.annotations,
        settings,
    })
}
