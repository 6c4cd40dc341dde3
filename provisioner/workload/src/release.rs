//! A package with its values as one host gets it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cairn_contract::{
    Digest,
    workload::{Application, Body, Container, Nic, Port, Protocol, Registry, Release, Vm},
};
use cairn_domain::{
    model::{ApplicationSpec, Chart, Files, Source, TargetKind, Uid},
    name,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Problem, Render, RenderInput, Rendered,
    catalog::Entry,
    kubevirt,
    parameters::{self, Values},
    substitute::{SubstituteError, substitute, substitute_all},
};

/// Seconds of patience where a package says nothing.
const PATIENCE_S: u32 = 600;

/// A port of a host.
pub(crate) type HostPort = (u16, &'static str);

/// A release, or what it waits for.
#[derive(Debug)]
pub(crate) struct Built {
    /// `None` while something is to be rendered.
    pub(crate) release: Option<Arc<Release>>,
    /// All that it is made of, whether it is there or not.
    pub(crate) renders: Vec<Render>,
    /// Of the host itself.
    pub(crate) ports: Vec<HostPort>,
}

/// For whom a release is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct For<'f> {
    /// Deployment or add-on.
    pub(crate) subject: Uid,
    /// Its full name.
    pub(crate) name: &'f str,
    pub(crate) kind: TargetKind,
    /// Version of the cluster.
    pub(crate) kubernetes: &'f str,
    pub(crate) registry: Option<&'f Registry>,
    pub(crate) rendered: &'f HashMap<Digest, Rendered>,
}

/// Fills a package in.
pub(crate) fn build(entry: &Entry<'_>, values: &Values, who: &For<'_>) -> Result<Built, Problem> {
    let mut texts = parameters::texts(entry, who.subject, values);
    texts.insert("cairn.deployment".to_owned(), who.name.to_owned());
    texts.insert("cairn.version".to_owned(), entry.spec.version.clone());
    if let Some(registry) = who.registry {
        texts.insert("cairn.registry".to_owned(), registry.address.clone());
    }
    let mut work = Work {
        package: &entry.spec.package,
        who,
        texts,
        renders: Vec::new(),
        ports: Vec::new(),
        waits: false,
    };
    let mut applications = Vec::new();
    for at in in_order(&entry.spec.applications)? {
        if let Some(application) = entry.spec.applications.get(at) {
            applications.extend(work.application(at, application)?);
        }
    }
    let release = (!work.waits).then(|| {
        let all = (who.subject, who.name, &entry.spec.version, values, &applications);
        let revision = Digest::of(&serde_json::to_vec(&all).unwrap_or_default());
        Arc::new(Release { deployment: who.subject.0, name: who.name.to_owned(), revision, applications })
    });
    Ok(Built { release, renders: work.renders, ports: work.ports })
}

/// Each after those that it depends on; else as they are written.
fn in_order(all: &[ApplicationSpec]) -> Result<Vec<usize>, Problem> {
    let number: BTreeMap<&str, usize> = all.iter().enumerate().map(|(at, a)| (a.name.as_str(), at)).collect();
    let mut out: Vec<usize> = Vec::with_capacity(all.len());
    while out.len() < all.len() {
        let free = |at: &usize| {
            let depends = all.get(*at).map_or(&[][..], |a| a.depends_on.as_slice());
            depends.iter().all(|name| number.get(name.as_str()).is_none_or(|n| out.contains(n)))
        };
        let next = (0..all.len()).filter(|at| !out.contains(at)).find(free);
        let Some(next) = next else {
            let message =
                "applications of the package wait for each other; make a version in which they do not";
            return Err(Problem::new("DependencyCycle", "package.applications", message));
        };
        out.push(next);
    }
    Ok(out)
}

struct Work<'w> {
    package: &'w str,
    who: &'w For<'w>,
    texts: BTreeMap<String, String>,
    renders: Vec<Render>,
    ports: Vec<HostPort>,
    waits: bool,
}

impl Work<'_> {
    /// `None` while it is to be rendered.
    fn application(&mut self, at: usize, spec: &ApplicationSpec) -> Result<Option<Application>, Problem> {
        let field = format!("package.applications[{at}]");
        let body = match (&spec.source, self.who.kind) {
            (Source::Container(container), TargetKind::Host) => self.container(container, &field)?,
            (Source::Vm(vm), TargetKind::Host) => self.vm(vm, &field)?,
            (Source::Container(_), TargetKind::Cluster) => return Err(wrong(spec, "container", "hosts")),
            (Source::Manifests(_) | Source::Kustomize(_) | Source::Helm(_), TargetKind::Host) => {
                return Err(wrong(spec, "set of Kubernetes objects", "clusters"));
            }
            (source, TargetKind::Cluster) => {
                let namespace = self.namespace(spec, &field)?;
                let input = self.input(source, spec, &namespace, &field)?;
                match self.rendered(input, spec)? {
                    Some((digest, size)) => Body::Manifests { digest, size, namespace },
                    None => return Ok(None),
                }
            }
        };
        let patience_s = spec.patience_seconds.unwrap_or(PATIENCE_S);
        Ok(Some(Application { name: spec.name.clone(), patience_s, body }))
    }

    fn container(&mut self, container: &Container, field: &str) -> Result<Body, Problem> {
        let container: Container = self.filled(container, &format!("{field}.source.container"))?;
        self.ports.extend(container.ports.iter().map(host_port));
        Ok(Body::Container(Box::new(container)))
    }

    fn vm(&mut self, vm: &Vm, field: &str) -> Result<Body, Problem> {
        let vm: Vm = self.filled(vm, &format!("{field}.source.vm"))?;
        let ports = |nic: &Nic| nic.ports.iter().map(host_port).collect::<Vec<_>>();
        self.ports.extend(vm.nics.iter().flat_map(ports));
        Ok(Body::Vm(Box::new(vm)))
    }

    fn namespace(&self, spec: &ApplicationSpec, field: &str) -> Result<String, Problem> {
        let field = format!("{field}.namespace");
        let text = spec.namespace.as_deref().unwrap_or(self.package);
        let namespace = self.text(text, &field)?;
        if name::check(&namespace).is_err() {
            let message = format!("{namespace:?} is no namespace of Kubernetes; write a-z, 0-9 and '-'");
            return Err(Problem::new("NamespaceInvalid", field, message));
        }
        Ok(namespace)
    }

    fn input(
        &self,
        source: &Source,
        spec: &ApplicationSpec,
        namespace: &str,
        field: &str,
    ) -> Result<RenderInput, Problem> {
        Ok(match source {
            Source::Manifests(files) => {
                let (files, texts) = self.files(files, &format!("{field}.source.manifests"))?;
                RenderInput::Manifests { files, texts }
            }
            Source::Kustomize(files) => {
                let (files, texts) = self.files(files, &format!("{field}.source.kustomize"))?;
                RenderInput::Kustomize { files, texts }
            }
            Source::Helm(chart) => RenderInput::Helm {
                chart: Chart {
                    files: chart.files.clone(),
                    values: self.text(&chart.values, &format!("{field}.source.helm.values"))?,
                    release: None,
                },
                release: chart.release.clone().unwrap_or_else(|| spec.name.clone()),
                namespace: namespace.to_owned(),
                kubernetes: self.who.kubernetes.to_owned(),
            },
            Source::Vm(vm) => {
                let vm: Vm = self.filled(vm.as_ref(), &format!("{field}.source.vm"))?;
                let objects = kubevirt::virtual_machine(&vm, &spec.name, namespace, self.who.registry);
                RenderInput::Objects(
                    objects.map_err(|p| Problem { field: format!("{field}.source.{}", p.field), ..p })?,
                )
            }
            Source::Container(_) => return Err(wrong(spec, "container", "hosts")),
        })
    }

    /// Texts in place are filled in here; those of an archive by whoever opens it.
    fn files(&self, files: &Files, field: &str) -> Result<(Files, BTreeMap<String, String>), Problem> {
        let mut filled = files.clone();
        for (name, text) in &mut filled.inline {
            *text = self.text(text, &format!("{field}.inline.{name}"))?;
        }
        let texts = if files.artifact.is_some() { self.texts.clone() } else { BTreeMap::new() };
        Ok((filled, texts))
    }

    fn rendered(
        &mut self,
        input: RenderInput,
        spec: &ApplicationSpec,
    ) -> Result<Option<(Digest, u64)>, Problem> {
        let key = input.key();
        self.renders.push(Render { key, input: Arc::new(input) });
        match self.who.rendered.get(&key) {
            Some(Rendered::Ready { digest, size }) => Ok(Some((*digest, *size))),
            Some(Rendered::Failed { reason, message }) => {
                let message = format!("application {}: {reason}: {message}", spec.name);
                Err(Problem::new("RenderFailed", String::new(), message))
            }
            None => {
                self.waits = true;
                Ok(None)
            }
        }
    }

    fn text(&self, text: &str, field: &str) -> Result<String, Problem> {
        substitute(text, &self.texts).map(std::borrow::Cow::into_owned).map_err(|e| unknown(&e, field))
    }

    /// All its texts.
    fn filled<T: Serialize + DeserializeOwned>(&self, of: &T, field: &str) -> Result<T, Problem> {
        let broken = |e: serde_json::Error| Problem::new("PackageInvalid", field, e.to_string());
        let mut value = serde_json::to_value(of).map_err(broken)?;
        substitute_all(&mut value, &self.texts).map_err(|e| unknown(&e, field))?;
        serde_json::from_value(value).map_err(broken)
    }
}

fn unknown(error: &SubstituteError, field: &str) -> Problem {
    Problem::new("SubstitutionFailed", field, error.to_string())
}

fn wrong(spec: &ApplicationSpec, what: &str, kind: &str) -> Problem {
    let message = format!(
        "application {} is a {what}, which goes to {kind}; change the kind, or deploy another package",
        spec.name
    );
    Problem::new("WrongTarget", "spec.targets.kind", message)
}

fn host_port(port: &Port) -> HostPort {
    let protocol = match port.protocol {
        Protocol::TCP => "TCP",
        Protocol::UDP => "UDP",
    };
    (port.host, protocol)
}

/// Whether what is rendered depends on the version of the cluster.
pub(crate) fn knows_version(entry: &Entry<'_>) -> bool {
    entry.spec.applications.iter().any(|a| matches!(a.source, Source::Helm(_)))
}
