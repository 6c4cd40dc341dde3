//! Packages by name and version, each read once.

use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashMap},
};

use cairn_domain::{
    index::Index,
    model::{Kind, Namespace, Object, PackageSpec, Spec},
    package::{Checks, Version},
};

use crate::{Problem, cluster::upwards};

/// Deepest chain of dependencies.
const MAX_DEPTH: usize = 32;

/// All packages.
#[derive(Debug)]
pub(crate) struct Catalog<'a> {
    spaces: HashMap<Namespace, HashMap<&'a str, Vec<Entry<'a>>>>,
}

/// One version of a package.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) object: &'a Object,
    pub(crate) spec: &'a PackageSpec,
    pub(crate) version: Version,
    checks: OnceCell<HashMap<&'a str, Checks>>,
}

impl<'a> Entry<'a> {
    /// Of its parameters, by name.
    pub(crate) fn checks(&self) -> &HashMap<&'a str, Checks> {
        let read = || self.spec.parameters.iter().map(|p| (p.name.as_str(), Checks::of(p))).collect();
        self.checks.get_or_init(read)
    }
}

impl<'a> Catalog<'a> {
    pub(crate) fn of(index: &'a Index) -> Self {
        let mut spaces: HashMap<Namespace, HashMap<&str, Vec<Entry<'_>>>> = HashMap::new();
        for object in index.of_kind(Kind::Package) {
            let Spec::Package(spec) = &object.spec else { continue };
            let Ok(version) = spec.version.parse() else { continue };
            let space = spaces.entry(object.metadata.namespace.clone()).or_default();
            let entry = Entry { object, spec, version, checks: OnceCell::new() };
            space.entry(&spec.package).or_default().push(entry);
        }
        for versions in spaces.values_mut().flat_map(HashMap::values_mut) {
            versions.sort_by(|a, b| {
                b.version.cmp(&a.version).then_with(|| a.object.metadata.name.cmp(&b.object.metadata.name))
            });
        }
        Self { spaces }
    }

    /// The pinned version, or the newest, of the nearest namespace upwards that has the package.
    pub(crate) fn find(
        &self,
        from: &Namespace,
        name: &str,
        pin: Option<&str>,
    ) -> Result<&Entry<'a>, Problem> {
        let here = |n: &Namespace| self.spaces.get(n).and_then(|s| s.get(name)).map(Vec::as_slice);
        let all: Vec<&[Entry<'a>]> = upwards(from).filter_map(|n| here(&n)).collect();
        let Some(nearest) = all.first() else {
            let message =
                format!("there is no package {name} in {from} or above; push or apply one, or name another");
            return Err(Problem::new("PackageMissing", "spec.package", message));
        };
        let Some(pin) = pin else {
            let none =
                || Problem::new("PackageMissing", "spec.package", format!("package {name} has no version"));
            return nearest.first().ok_or_else(none);
        };
        let found = all.iter().flat_map(|versions| versions.iter()).find(|e| e.spec.version == pin);
        found.ok_or_else(|| {
            let there: Vec<&str> = nearest.iter().map(|e| e.spec.version.as_str()).collect();
            let message = format!(
                "package {name} has no version {pin}; there is {}",
                crate::condition::some_of(&there)
            );
            Problem::new("VersionMissing", "spec.version", message)
        })
    }

    /// That all that a package needs exists, and that nothing needs itself.
    pub(crate) fn check_dependencies(&self, from: &Namespace, entry: &Entry<'a>) -> Result<(), Problem> {
        let mut walk = Walk { catalog: self, from, path: Vec::new(), done: BTreeSet::new() };
        walk.visit(entry)
    }
}

struct Walk<'w, 'a> {
    catalog: &'w Catalog<'a>,
    from: &'w Namespace,
    path: Vec<&'a str>,
    done: BTreeSet<&'a str>,
}

impl<'w, 'a> Walk<'w, 'a> {
    fn visit(&mut self, entry: &Entry<'a>) -> Result<(), Problem> {
        let name = entry.spec.package.as_str();
        if self.done.contains(name) {
            return Ok(());
        }
        if let Some(at) = self.path.iter().position(|p| *p == name) {
            let circle: Vec<&str> = self.path.iter().skip(at).copied().chain([name]).collect();
            let message =
                format!("packages need each other: {}; make a version that does not", circle.join(" -> "));
            return Err(Problem::new("DependencyCycle", "spec.package", message));
        }
        if self.path.len() >= MAX_DEPTH {
            let message = format!("packages need each other {MAX_DEPTH} deep: {}", self.path.join(" -> "));
            return Err(Problem::new("DependencyCycle", "spec.package", message));
        }
        self.path.push(name);
        for dependency in &entry.spec.dependencies {
            let next = self.needed(name, &dependency.package, dependency.at_least.as_deref())?;
            self.visit(next)?;
        }
        self.path.pop();
        self.done.insert(name);
        Ok(())
    }

    fn needed(&self, by: &str, name: &str, at_least: Option<&str>) -> Result<&'w Entry<'a>, Problem> {
        let missing = |message: String| Problem::new("DependencyMissing", "spec.package", message);
        let found = self.catalog.find(self.from, name, None).map_err(|_| {
            missing(format!("{by} needs the package {name}, which does not exist; push or apply one"))
        })?;
        match at_least.map(str::parse::<Version>) {
            Some(Ok(least)) if found.version < least => Err(missing(format!(
                "{by} needs the package {name} at {least} at least, and the newest is {}; push or apply a newer one",
                found.version
            ))),
            _ => Ok(found),
        }
    }
}
