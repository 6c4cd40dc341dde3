//! From parts and a value to text.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Filter, From, Operand, Part, Path, Step, Test};

#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) root: &'a Value,
    pub(super) here: &'a Value,
}

pub(super) fn print(parts: &[Part], scope: Scope<'_>, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(path) => {
                let words: Vec<String> = find(path, scope).into_iter().map(word).collect();
                out.push_str(&words.join(" "));
            }
            Part::Range(path, inner) => {
                for item in find(path, scope) {
                    // A range over a list goes over its items, with and without [*].
                    match item {
                        Value::Array(items) if !ends_with_each(path) => {
                            items.iter().for_each(|here| print(inner, Scope { here, ..scope }, out));
                        }
                        here => print(inner, Scope { here, ..scope }, out),
                    }
                }
            }
        }
    }
}

fn ends_with_each(path: &Path) -> bool {
    !matches!(path.steps.last(), None | Some(Step::Fields(_)))
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn find<'a>(path: &Path, scope: Scope<'a>) -> Vec<&'a Value> {
    let first = match path.from {
        From::Root => scope.root,
        From::Here => scope.here,
    };
    path.steps.iter().fold(vec![first], |found, step| {
        found.into_iter().flat_map(|value| apply(step, value, scope.root)).collect()
    })
}

fn apply<'a>(step: &Step, value: &'a Value, root: &'a Value) -> Vec<&'a Value> {
    match step {
        Step::Fields(names) => names.iter().filter_map(|name| value.get(name)).collect(),
        Step::Each => children(value),
        Step::Indexes(all) => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            all.iter().filter_map(|n| items.get(place(*n, items.len())?)).collect()
        }
        Step::Slice { from, to, step } => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            let edge = |n: i64| if n < 0 { n.saturating_add(length(items)) } else { n };
            let from = usize::try_from(edge(from.unwrap_or(0)).max(0)).unwrap_or(usize::MAX);
            let to = to.map_or(items.len(), |to| usize::try_from(edge(to).max(0)).unwrap_or(usize::MAX));
            let taken = items.iter().take(to).skip(from);
            taken.step_by(usize::try_from(*step).unwrap_or(1).max(1)).collect()
        }
        Step::Descend => {
            let mut all = vec![value];
            for child in children(value) {
                all.extend(apply(step, child, root));
            }
            all
        }
        Step::Filter(filter) => {
            children(value).into_iter().filter(|here| holds(filter, Scope { root, here })).collect()
        }
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _ => Vec::new(),
    }
}

fn length(items: &[Value]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

/// From the end when negative.
fn place(n: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    usize::try_from(if n < 0 { n.checked_add(length)? } else { n }).ok()
}

fn holds(filter: &Filter, scope: Scope<'_>) -> bool {
    let Some(left) = operand(&filter.left, scope) else {
        return matches!(filter.test, Some((Test::Unequal, _)));
    };
    let Some((test, right)) = &filter.test else { return true };
    let Some(right) = operand(right, scope) else { return *test == Test::Unequal };
    let order = compare(left, right);
    match test {
        Test::Equal => order == Some(Ordering::Equal),
        Test::Unequal => order != Some(Ordering::Equal),
        Test::Less => order == Some(Ordering::Less),
        Test::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Test::Greater => order == Some(Ordering::Greater),
        Test::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn operand<'a>(operand: &'a Operand, scope: Scope<'a>) -> Option<&'a Value> {
    match operand {
        Operand::Path(path) => find(path, scope).first().copied(),
        Operand::Value(value) => Some(value),
    }
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (a, b) => (a == b).then_some(Ordering::Equal),
    }
}
