//! One page of a list.

use std::{ops::Bound, sync::Arc};

use super::{Index, effective::Inherited, field::field};
use crate::{
    model::{Kind, Namespace, Object},
    selector::{FieldSelector, Selector},
};

/// What to list.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// Which kind.
    pub kind: Kind,
    /// This namespace and those in it; the appliance: all.
    pub within: &'a Namespace,
    /// By effective labels.
    pub labels: &'a Selector,
    /// By fields.
    pub fields: &'a FieldSelector,
    /// Begins after this one.
    pub after: Option<(&'a Namespace, &'a str)>,
    /// At most so many.
    pub limit: usize,
}

/// Some of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// By namespace and name.
    pub items: Vec<Arc<Object>>,
    /// Whether there are more.
    pub more: bool,
}

impl Index {
    /// One page of what is `visible`. Without selectors it costs what the page holds; with them, a look at each.
    pub fn list(&self, query: &Query<'_>, mut visible: impl FnMut(&Object) -> bool) -> Page {
        let inherited = Inherited::new(self);
        let mut page = Page::default();
        for object in self.from(query) {
            let fits = query.labels.matches(|key| inherited.of(object, key))
                && query.fields.matches(|path| field(object, path))
                && visible(object);
            if !fits {
                continue;
            }
            if page.items.len() == query.limit {
                page.more = true;
                break;
            }
            page.items.push(Arc::clone(object));
        }
        page
    }

    fn from<'a>(&'a self, query: &'a Query<'_>) -> impl Iterator<Item = &'a Arc<Object>> {
        let spaces = self.names.get(&query.kind);
        let start = match query.after {
            Some((namespace, _)) => Bound::Included(namespace.clone()),
            None => Bound::Unbounded,
        };
        let spaces = spaces.into_iter().flat_map(move |s| s.range((start.clone(), Bound::Unbounded)));
        let within = spaces.filter(|(namespace, _)| namespace.is_within(query.within));
        within.flat_map(move |(namespace, names)| {
            let start = match query.after {
                Some((last, name)) if last == namespace => Bound::Excluded(name),
                Some(_) | None => Bound::Unbounded,
            };
            names.range::<str, _>((start, Bound::Unbounded)).filter_map(|(_, uid)| self.get(*uid))
        })
    }
}
