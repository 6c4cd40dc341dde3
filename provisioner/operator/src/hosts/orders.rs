//! `POST /hosts/{key}/ORDER`: what a person tells a host to do. The driver decides whether it makes sense.

use axum::extract::{Request, State};
use bytes::Bytes;
use cairn_contract::HostId;
use cairn_domain::{
    access::Place,
    model::{Kind, Labels, Namespace, Object, Spec, Verb},
};
use cairn_store::{Admission, By, Order, Registration, Run, Windows};
use http::header;
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    app::{App, View},
    auth::Caller,
    json::{self, MAX_JSON, Params},
    order,
    path::Key,
    problem::{self, Problem},
    refusal::{self, Attempt},
    replay,
    resources::{WriteQuery, find, object_schema},
    respond,
    route::{Optional, Route, describe},
};

/// What a waiting machine becomes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Accept {
    /// Its name; absent: as it is.
    name: Option<String>,
    /// Its site, as `SITE` of its project or `SITE.PROJECT.ORGANISATION`.
    site: Option<String>,
    /// Its image; absent: by policy.
    image: Option<String>,
    /// Labels beside those that it has.
    labels: Labels,
}

/// How a host is installed again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Reinstall {
    /// Outside of maintenance windows too.
    force: bool,
}

/// Where a host goes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Move {
    /// Its new site: `SITE` of its new project, or `SITE.PROJECT.ORGANISATION`.
    site: Option<String>,
    /// Its new project, such as `retail.acme`.
    namespace: Option<Namespace>,
}

/// Nothing to say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

pub(super) fn routes() -> Vec<Route> {
    vec![
        route::<Accept>("accept", "Let a waiting host in"),
        route::<Nothing>("retry", "Let a stopped host go on"),
        route::<Reinstall>("reinstall", "Install a host again at its next boot"),
        route::<Nothing>("deauthorise", "End a host's connections and void its certificate"),
        route::<Nothing>(
            "decommission",
            "Wipe a host's disk at its next boot, prove it, and retire the host",
        ),
        route::<Move>("move", "Move a host to another site or project"),
    ]
}

/// A body that is an order.
trait Told: DeserializeOwned + Default + JsonSchema + Send + Sync + 'static {
    /// The order for a host that is `current`, and the right that it needs.
    fn order(&self, word: &str, view: &View<'_>, current: &Object) -> Result<(Verb, Order), Problem>;
}

fn route<T: Told>(word: &'static str, summary: &'static str) -> Route {
    let handler = move |State(app): State<App>,
                        caller: Caller,
                        Key(key): Key,
                        Params(query): Params<WriteQuery>,
                        request: Request| async move {
        let told: T = body(request).await?;
        match give(&app, &caller, (word, &told), &key, query.run()).await {
            Ok(object) => respond::object(&object, &object),
            Err(problem) => {
                let attempt = Attempt { verb: word, kind: Some(Kind::Host), name: &key };
                Err(refusal::note(&app, &caller, attempt, problem).await)
            }
        }
    };
    Route::post(format!("/hosts/{{key}}/{word}"), handler)
        .tag("hosts")
        .summary(summary)
        .query::<WriteQuery>()
        .header(replay::KEY, "Makes the request safe to repeat: the same key gets the same answer for a day.")
        .takes_as("application/json", describe::<T>(), Optional::Yes)
        .gives_as(
            200,
            "The host as it is now, or would be",
            Some(("application/json", object_schema(Kind::Host))),
        )
        .with("ETag")
        .problems(&[problem::Kind::WrongState, problem::Kind::KeyReused])
}

/// A body may be left out, with its type.
async fn body<T: DeserializeOwned + Default>(request: Request) -> Result<T, Problem> {
    let has_type = request.headers().contains_key(header::CONTENT_TYPE);
    if has_type {
        json::object(request.headers(), &["application/json"])?;
    }
    let bytes: Bytes = json::read(request.into_body(), MAX_JSON).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    if !has_type {
        let next = "Send it with Content-Type: application/json.";
        return Err(Problem::new(problem::Kind::WrongType, "This path takes application/json.", next));
    }
    json::parse(&bytes)
}

async fn give<T: Told>(
    app: &App,
    caller: &Caller,
    (word, told): (&str, &T),
    key: &str,
    run: Run,
) -> Result<Object, Problem> {
    let (order, name) = app.view(caller, |view| {
        let current = find::find(view, Kind::Host, key)?;
        let (verb, order) = told.order(word, view, &current)?;
        let current = find::find_for(view, (verb, Kind::Host), key)?;
        Ok::<_, Problem>((order, current.full_name()))
    })?;
    let by = By { actor: caller.actor.clone(), run };
    let host = app.reporter.order(order, by).await;
    host.map(Object::from).map_err(|e| order::refused(app, caller, &e, &name))
}

impl Told for Nothing {
    fn order(&self, word: &str, _: &View<'_>, current: &Object) -> Result<(Verb, Order), Problem> {
        let id: HostId = current.metadata.uid.into();
        Ok(match word {
            "retry" => (Verb::Accept, Order::Retry(id)),
            "decommission" => (Verb::Operate, Order::Decommission(id)),
            _ => (Verb::Operate, Order::Deauthorise(id)),
        })
    }
}

impl Told for Reinstall {
    fn order(&self, _: &str, _: &View<'_>, current: &Object) -> Result<(Verb, Order), Problem> {
        let windows = if self.force { Windows::Ignore } else { Windows::Respect };
        Ok((Verb::Operate, Order::Reinstall { id: current.metadata.uid.into(), windows }))
    }
}

impl Told for Accept {
    fn order(&self, _: &str, view: &View<'_>, current: &Object) -> Result<(Verb, Order), Problem> {
        let home = &current.metadata.namespace;
        let place = match &self.site {
            Some(site) => {
                let (project, site) = site_of(view, home, site)?;
                let there = Spot { project: &project, site: &site };
                // To where one may not register is to where one may not accept.
                there.must_allow(view, Verb::Accept)?;
                if project != *home {
                    there.must_allow(view, Verb::Create)?;
                }
                Some((project, Some(site)))
            }
            None => None,
        };
        let admission = Admission {
            name: self.name.clone(),
            place,
            image: self.image.clone(),
            labels: self.labels.clone(),
        };
        cairn_domain::selector::check_labels(&self.labels).map_err(|e| {
            let next = "Write labels as in Kubernetes: tier=web";
            Problem::new(problem::Kind::Invalid, problem::sentence(&e.to_string()), next).at("labels")
        })?;
        Ok((Verb::Accept, Order::Accept { id: current.metadata.uid.into(), admission: Box::new(admission) }))
    }
}

impl Told for Move {
    fn order(&self, _: &str, view: &View<'_>, current: &Object) -> Result<(Verb, Order), Problem> {
        let home = self.namespace.as_ref().unwrap_or(&current.metadata.namespace);
        let (project, site) = match &self.site {
            Some(site) => site_of(view, home, site).map(|(project, site)| (project, Some(site)))?,
            None if self.namespace.is_some() => (home.clone(), None),
            None => {
                let next = "Give site, namespace, or both.";
                return Err(Problem::new(problem::Kind::Invalid, "Nothing says where to.", next).at("site"));
            }
        };
        let mut next = current.clone();
        if let Spec::Host(fields) = &mut next.spec {
            fields.site = site;
        }
        next.metadata.namespace = project;
        let manifest = crate::resources::manifest_of(&next)?;
        // The whole of access and admission, as for any other change.
        crate::resources::write::update(view, &std::sync::Arc::new(current.clone()), &manifest)?;
        let id = current.metadata.uid.into();
        let expected = Some(current.metadata.resource_version);
        Ok((Verb::Operate, Order::Update { id, to: Box::new(registration(next)?), expected }))
    }
}

fn registration(object: Object) -> Result<Registration, Problem> {
    crate::resources::write::registration(object)
}

/// A place for hosts.
struct Spot<'a> {
    project: &'a Namespace,
    site: &'a str,
}

impl Spot<'_> {
    fn must_allow(&self, view: &View<'_>, verb: Verb) -> Result<(), Problem> {
        let site = view.index.named(Kind::Site, self.project, self.site);
        let place = site.map_or(Place::In(self.project), |o| Place::Under(o.metadata.uid));
        let name = format!("{}.{}", self.site, self.project);
        match view.sight.decide(verb, Kind::Host, place) {
            cairn_domain::access::Decision::Allowed => Ok(()),
            cairn_domain::access::Decision::Hidden => Err(no_site(&name).denied()),
            cairn_domain::access::Decision::Forbidden => {
                Err(find::forbidden(verb, Kind::Host, &format!("at {name}")))
            }
        }
    }
}

/// `SITE` of `home`, or `SITE.PROJECT.ORGANISATION`. What is hidden is as what does not exist.
fn site_of(view: &View<'_>, home: &Namespace, text: &str) -> Result<(Namespace, String), Problem> {
    let (name, project) = match text.split_once('.') {
        None => (text, Some(home.clone())),
        Some((name, rest)) => (name, rest.parse().ok()),
    };
    let is_seen = |p: &Namespace| view.index.named(Kind::Site, p, name).is_some_and(|o| view.sight.sees(o));
    let found = project.filter(is_seen);
    found.map(|p| (p, name.to_owned())).ok_or_else(|| no_site(text))
}

fn no_site(name: &str) -> Problem {
    let detail = format!("There is no site {}.", cairn_domain::fact::plain(name, 200));
    Problem::new(problem::Kind::Invalid, detail, "See which there are: cairn get sites").at("site")
}
