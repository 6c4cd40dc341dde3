//! The JSON of resources that were told lately: written once for all watchers.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use cairn_domain::model::{Object, Uid};

/// Resources remembered at once.
const MOST: usize = 1024;

/// By uid and resource version.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_version: HashMap<(Uid, i64), Bytes>,
    order: VecDeque<(Uid, i64)>,
}

impl Told {
    /// One line of JSON.
    pub(super) fn json(&self, object: &Object) -> Bytes {
        let version = (object.metadata.uid, object.metadata.resource_version);
        if let Some(known) = self.lock().by_version.get(&version) {
            return known.clone();
        }
        // Our own types always have a JSON form. Outside of the lock: two may write the same at once.
        let text = Bytes::from(serde_json::to_vec(object).unwrap_or_else(|_| b"{}".to_vec()));
        let mut known = self.lock();
        if known.by_version.insert(version, text.clone()).is_none() {
            known.order.push_back(version);
        }
        while known.order.len() > MOST {
            if let Some(oldest) = known.order.pop_front() {
                known.by_version.remove(&oldest);
            }
        }
        text
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
