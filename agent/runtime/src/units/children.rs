//! The agent's own supervisor, for hosts without systemd. One task a unit: see `keeper`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::keeper::{Keeper, Wanted};
use super::record::Place;
use super::{Answer, Order, UnitError, UnitState, UnitStatus, Units, check_name, checked, file_error};
use crate::log::Log;

/// Keeps units as children. They outlive it; when it is made again on the same folder it goes on with them.
#[derive(Debug)]
pub struct Children {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    units: BTreeMap<String, Handle>,
    tasks: JoinSet<()>,
}

/// A unit's keeper, from outside.
#[derive(Debug, Clone)]
struct Handle {
    wanted: watch::Sender<Wanted>,
    status: watch::Receiver<UnitStatus>,
}

impl Children {
    /// Keeps records and logs in `folder`, which must outlive a reboot no more than `/run` does, but may.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: &Path) -> Result<Self, UnitError> {
        for part in ["records", "logs"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(file_error("make", &path))?;
        }
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(folder, private).map_err(file_error("restrict", folder))?;
        let folder = folder.canonicalize().map_err(file_error("find", folder))?;
        Ok(Self { folder, state: Mutex::default() })
    }

    fn place(&self, name: &str) -> Place {
        Place::new(&self.folder, name)
    }

    /// Gives `wanted` to the unit's keeper; makes one when there is none. The same order again is not given.
    fn tell(&self, name: &str, wanted: Wanted) -> Handle {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.tasks.try_join_next().is_some() {}
        if let Some(handle) = state.units.get(name).filter(|h| !h.wanted.is_closed()).cloned() {
            handle.wanted.send_if_modified(|held| {
                let differs = !held.same(&wanted);
                if differs {
                    *held = wanted;
                }
                differs
            });
            return handle;
        }
        let handle = self.hire(&mut state, name, wanted);
        state.units.insert(name.to_owned(), handle.clone());
        handle
    }

    fn hire(&self, state: &mut State, name: &str, wanted: Wanted) -> Handle {
        let first = UnitStatus { state: UnitState::Waiting, restarts: 0, message: String::new() };
        let (tell, wanted) = watch::channel(wanted);
        let (say, status) = watch::channel(first);
        state.tasks.spawn(Keeper::new(self.place(name), wanted, say).run());
        Handle { wanted: tell, status }
    }

    fn handle(&self, name: &str) -> Option<Handle> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.units.get(name).filter(|h| !h.wanted.is_closed()).cloned()
    }

    fn dismiss(&self, name: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.units.get(name).is_some_and(|h| h.wanted.is_closed()) {
            state.units.remove(name);
        }
    }

    async fn end(&self, name: &str, grace: Duration) -> Result<(), UnitError> {
        check_name(name)?;
        let handle = self.tell(name, Wanted::Gone(grace));
        handle.wanted.closed().await;
        self.dismiss(name);
        let place = self.place(name);
        if place.load().is_some() {
            return Err(UnitError::Undying(name.to_owned()));
        }
        place.log().remove().map_err(file_error("remove", place.log().path()))
    }

    fn recorded(&self) -> Result<BTreeSet<String>, UnitError> {
        let folder = self.folder.join("records");
        let entries = fs::read_dir(&folder).map_err(file_error("read", &folder))?;
        let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
        Ok(names.filter_map(|n| n.strip_suffix(".json").map(str::to_owned)).collect())
    }
}

impl Units for Children {
    fn ensure<'a>(&'a self, order: &'a Order) -> Answer<'a, ()> {
        Box::pin(async move {
            checked(order)?;
            self.tell(&order.unit.name, Wanted::Run(order.clone(), 0));
            Ok(())
        })
    }

    fn restart<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let handle = self.handle(name).ok_or_else(|| UnitError::Unknown(name.to_owned()))?;
            handle.wanted.send_modify(Wanted::again);
            Ok(())
        })
    }

    fn stop<'a>(&'a self, name: &'a str, grace: Duration) -> Answer<'a, ()> {
        Box::pin(self.end(name, grace))
    }

    fn status<'a>(&'a self, name: &'a str) -> Answer<'a, Option<UnitStatus>> {
        Box::pin(async move { Ok(self.handle(name).map(|h| h.status.borrow().clone())) })
    }

    fn names(&self) -> Answer<'_, BTreeSet<String>> {
        Box::pin(async move {
            let mut names = self.recorded()?;
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            names.extend(state.units.keys().cloned());
            Ok(names)
        })
    }

    fn log(&self, name: &str) -> Log {
        self.place(name).log()
    }
}
