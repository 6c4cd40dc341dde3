//! Packages that must be ready on the same target first.

use std::{cell::OnceCell, collections::HashMap};

use cairn_domain::{model::Dependency, package::Version};

use super::carrier::{Carrier, Target};
use crate::state::State;

/// Who brings which package, and where.
pub(crate) struct Providers<'c, 'a, 's> {
    state: &'s State<'a>,
    carriers: &'c [Carrier<'a, 's>],
    /// Numbers of carriers by package.
    by_package: HashMap<&'s str, Vec<usize>>,
    /// Of a carrier that somebody needs: its targets by site.
    sites: Vec<OnceCell<HashMap<u32, Target>>>,
}

/// What a target waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nobody brings it there.
    Missing(String),
    /// It is on its way there.
    NotReady(String),
}

impl<'c, 'a, 's> Providers<'c, 'a, 's> {
    pub(crate) fn of(state: &'s State<'a>, carriers: &'c [Carrier<'a, 's>]) -> Self {
        let mut by_package: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, carrier) in carriers.iter().enumerate() {
            by_package.entry(carrier.head.package()).or_default().push(number);
        }
        Self { state, carriers, by_package, sites: vec![OnceCell::new(); carriers.len()] }
    }

    /// The first dependency of a carrier's package that is not ready at a site.
    pub(crate) fn wait(&self, carrier: &Carrier<'a, 's>, site: u32) -> Option<Wait> {
        let dependencies = carrier.package.as_ref().map_or(&[][..], |p| p.spec.dependencies.as_slice());
        dependencies.iter().find_map(|need| self.check(need, site).err())
    }

    fn check(&self, need: &Dependency, site: u32) -> Result<(), Wait> {
        let numbers = self.by_package.get(need.package.as_str()).map_or(&[][..], Vec::as_slice);
        let mut there = None;
        for number in numbers {
            let Some(target) = self.target(*number, site) else { continue };
            let Some(provider) = self.carriers.get(*number) else { continue };
            if self.is_ready(provider, target, need) {
                return Ok(());
            }
            there = Some(provider.head.name.clone());
        }
        Err(there.map_or_else(|| Wait::Missing(need.package.clone()), Wait::NotReady))
    }

    fn target(&self, number: usize, site: u32) -> Option<Target> {
        let by_site = || {
            let targets = self.carriers.get(number).map_or(&[][..], |c| c.targets.as_slice());
            targets.iter().map(|t| (t.site, *t)).collect()
        };
        self.sites.get(number)?.get_or_init(by_site).get(&site).copied()
    }

    fn is_ready(&self, provider: &Carrier<'a, 's>, target: Target, need: &Dependency) -> bool {
        let host = self.state.sites.get(target.site).and_then(|s| s.host_uid());
        let row = host.and_then(|host| self.state.rows.at(provider.head.subject, host));
        let Some(row) = row.filter(|row| row.is_ready()) else { return false };
        let Some(least) = need.at_least.as_deref().and_then(|v| v.parse::<Version>().ok()) else {
            return true;
        };
        let newest = provider.package.as_ref().is_ok_and(|p| p.version >= least);
        let wanted = provider.variant(target).and_then(|v| v.revision());
        newest && wanted == Some(row.revision)
    }
}
