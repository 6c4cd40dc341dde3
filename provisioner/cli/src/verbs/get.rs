//! `cairn get`, `cairn api-resources`.

use cairn_domain::{
    fact::plain,
    model::{Kind, Level},
};
use serde_json::Value;

use super::watch;
use crate::{
    Context, Output,
    args::Get,
    context::Session,
    exit::Failure,
    listing::{self, List, Query},
    show::{
        columns::{self, Extent},
        table,
    },
    target::{self, Target, text},
};

/// What the words mean.
pub(crate) enum Wanted {
    Lists(Vec<Kind>),
    Named(Vec<Target>),
}

impl Wanted {
    pub(crate) fn of(words: &[String]) -> Result<Self, Failure> {
        match words {
            [kinds] if !kinds.contains('/') => target::kinds(kinds).map(Self::Lists),
            words => target::targets(words).map(Self::Named),
        }
    }
}

/// `cairn get`
pub(crate) async fn run(cx: &mut Context, args: &Get) -> Result<(), Failure> {
    let session = cx.session()?;
    let namespace = session.namespace().filter(|_| !args.all_namespaces).map(str::to_owned);
    let query = Query {
        namespace,
        labels: args.selector.clone(),
        fields: args.field_selector.clone(),
        limit: args.limit.filter(|n| *n > 0),
    };
    let spanning = if args.all_namespaces { Spanning::Always } else { Spanning::AsNeeded };
    match Wanted::of(&args.words)? {
        Wanted::Named(targets) if !args.watch => named(cx, &session, &targets).await,
        Wanted::Named(targets) => watch::named(cx, &session, &targets).await,
        Wanted::Lists(kinds) if args.watch => watch::lists(cx, &session, (&kinds, spanning), &query).await,
        Wanted::Lists(kinds) => lists(cx, &session, (&kinds, spanning), &query).await,
    }
}

async fn named(cx: &mut Context, session: &Session, targets: &[Target]) -> Result<(), Failure> {
    let mut items = Vec::new();
    for target in targets {
        items.push(target.get(&session.client, session.namespace()).await?);
    }
    if let [one] = items.as_slice()
        && cx.value(one)?
    {
        return Ok(());
    }
    let all = List { items, ..List::default() };
    let mut kinds: Vec<Kind> = targets.iter().map(|t| t.kind).collect();
    kinds.dedup();
    show(cx, all, (&kinds, Spanning::AsNeeded), &Query::default())
}

async fn lists(
    cx: &mut Context,
    session: &Session,
    (kinds, spanning): (&[Kind], Spanning),
    query: &Query,
) -> Result<(), Failure> {
    let mut all = List::default();
    for kind in kinds {
        let list = listing::list(&session.client, *kind, query).await?;
        all.items.extend(list.items);
        all.remaining = all.remaining.or(list.remaining);
        if all.resource_version.is_empty() {
            all.resource_version = list.resource_version;
        }
    }
    show(cx, all, (kinds, spanning), query)
}

/// Whether rows tell their namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spanning {
    /// It was asked for.
    Always,
    /// When they are of several.
    AsNeeded,
}

impl Spanning {
    pub(crate) fn of(self, items: &[&Value]) -> bool {
        let mut names = items.iter().map(|i| text(i, "/metadata/namespace"));
        let first = names.next().unwrap_or_default();
        self == Self::Always || names.any(|other| other != first)
    }
}

fn show(
    cx: &mut Context,
    list: List,
    (kinds, spanning): (&[Kind], Spanning),
    query: &Query,
) -> Result<(), Failure> {
    let remaining = list.remaining;
    if !cx.output.is_text() {
        let value = list.into_value(if let [one] = kinds { Some(*one) } else { None });
        cx.value(&value)?;
    } else {
        let several = kinds.len() > 1;
        for (n, kind) in kinds.iter().enumerate() {
            let items: Vec<&Value> =
                list.items.iter().filter(|i| text(i, "/kind") == kind.name() || !several).collect();
            if several {
                cx.line(&format!("{}{}", if n > 0 { "\n" } else { "" }, kind.plural()))?;
            }
            rows(cx, (*kind, &items), spanning, query)?;
        }
    }
    match remaining {
        Some(1) => cx.say("There are more; see all without --limit."),
        Some(n) => cx.say(&format!("There are {n} more; see all without --limit.")),
        None => {}
    }
    Ok(())
}

fn rows(
    cx: &mut Context,
    (kind, items): (Kind, &[&Value]),
    spanning: Spanning,
    query: &Query,
) -> Result<(), Failure> {
    if items.is_empty() {
        cx.line(&none(kind, query))?;
        return match cx.session()?.namespace() {
            Some(namespace) if kind.level() != Level::Appliance && spanning != Spanning::Always => cx.line(
                &format!("This is of {namespace} and below; everywhere: cairn get {} -A", kind.plural()),
            ),
            _ => Ok(()),
        };
    }
    let lives = kind.level() != Level::Appliance;
    let extent = Extent { wide: cx.output == Output::Wide, spanning: lives && spanning.of(items) };
    let words = cx.words();
    cx.line(&table::resources(kind, items, extent, &words))
}

/// What to say when a list is empty: a selector that finds nothing does not mean that there is nothing.
fn none(kind: Kind, query: &Query) -> String {
    let said = [("-l", &query.labels), ("--field-selector", &query.fields)];
    let said =
        said.iter().filter_map(|(flag, text)| Some(format!("{flag} '{}'", plain(text.as_deref()?, 200))));
    match said.collect::<Vec<_>>().join(" ") {
        none if none.is_empty() => columns::none(kind).to_owned(),
        selectors => {
            format!(
                "No {} fit {selectors}. All with their labels: cairn get {} -o wide",
                kind.plural(),
                kind.plural()
            )
        }
    }
}

/// `cairn api-resources`
pub(crate) fn kinds(cx: &mut Context) -> Result<(), Failure> {
    let level = |kind: Kind| match kind.level() {
        Level::Appliance => "appliance",
        Level::Organisation => "organisation",
        Level::Project => "project",
        Level::Any => "any",
    };
    let facts = |k: &Kind| serde_json::json!({"kind": k.name(), "name": k.plural(), "short": k.short(), "namespace": level(*k)});
    let value = serde_json::json!({ "items": Kind::ALL.iter().map(facts).collect::<Vec<_>>() });
    if cx.output == Output::Name {
        return cx.line(&Kind::ALL.map(Kind::plural).join("\n"));
    }
    if cx.value(&value)? {
        return Ok(());
    }
    let row = |k: &Kind| [k.plural(), k.short(), k.name(), level(*k)].map(table::cell).to_vec();
    let rows: Vec<_> = Kind::ALL.iter().map(row).collect();
    let words = cx.words();
    cx.line(&table::grid(&words, &["NAME", "SHORT", "KIND", "LIVES IN"], &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_that_finds_nothing_is_named() {
        let query = Query { labels: Some("rolle=till".into()), ..Query::default() };
        assert_eq!(
            none(Kind::Host, &query),
            "No hosts fit -l 'rolle=till'. All with their labels: cairn get hosts -o wide"
        );
        assert!(none(Kind::Host, &Query::default()).starts_with("No hosts yet."));
    }
}
