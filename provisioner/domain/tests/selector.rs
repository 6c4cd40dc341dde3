//! Label and field selectors: what they say, in JSON and text, and what they match.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use cairn_domain::selector::{
    FieldSelector, MAX_REQUIREMENTS, MAX_VALUES, Operator, Requirement, Selector, check_key, check_labels,
    check_value,
};
use proptest::prelude::*;

fn labels(text: &str) -> BTreeMap<String, String> {
    text.split_whitespace()
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

#[track_caller]
fn matches(selector: &str, on: &str) -> bool {
    let selector: Selector = selector.parse().unwrap();
    selector.check().unwrap();
    let labels = labels(on);
    selector.matches(|k| labels.get(k))
}

#[test]
fn a_selector_matches_as_in_kubernetes() {
    for (selector, yes, no) in [
        ("", "|env=prod", "-"),
        ("env=prod", "env=prod", "|env=dev|envs=prod"),
        ("env==prod", "env=prod", "env=dev"),
        ("env=", "env=", "|env=x"),
        ("env!=prod", "|env=dev|env=", "env=prod"),
        ("tier in (a,b)", "tier=a|tier=b", "|tier=c|tier="),
        ("tier in (a,)", "tier=a|tier=", "|tier=b"),
        ("tier in (,)", "tier=", "|tier=b"),
        ("zone notin (x,y)", "|zone=z", "zone=x|zone=y"),
        ("gpu", "gpu=|gpu=yes", "|cpu=yes"),
        ("!old", "|new=1", "old=|old=1"),
        ("  env = prod ,tier  in ( a , b ) , ! old", "env=prod tier=b", "env=prod|env=prod tier=a old=1"),
        ("example.com/role=web,role!=db", "example.com/role=web", "example.com/role=web role=db"),
        ("a=1,a=2", "-", "|a=1|a=2"),
        ("in in (notin),notin", "in=notin notin=1", "in=in notin=1"),
    ] {
        for on in yes.split('|').filter(|_| yes != "-") {
            assert!(matches(selector, on), "{selector:?} on {on:?}");
        }
        for on in no.split('|').filter(|_| no != "-") {
            assert!(!matches(selector, on), "{selector:?} on {on:?}");
        }
    }
}

#[test]
fn a_wrong_selector_is_refused_with_place_and_rule() {
    for (text, error) in [
        (",", "character 1: expected a label key"),
        ("a,", "character 3: expected a label key"),
        ("a,,b", "character 3: expected a label key"),
        ("a b", "character 3: expected `=`, `!=`, `in`, `notin`, `,` or the end"),
        ("a>1", "character 2: expected `=`, `!=`, `in`, `notin`, `,` or the end"),
        ("a=b c", "character 5: expected `,` or the end"),
        ("a!b", "character 3: expected `=` after `!`"),
        ("a in b", "character 6: expected `(`"),
        ("a in (b", "character 8: expected `,` or `)`"),
        ("a in (b c)", "character 9: expected `,` or `)`"),
        ("a in ()", "character 7: `in` and `notin` need at least one value"),
        ("a===b", "character 4: expected `,` or the end"),
        (
            "x=1,ä=1",
            "character 5: only letters, digits, `-`, `_` and `.` are allowed in a label (character 1 of it)",
        ),
        (
            "a=-b",
            "character 3: a label's name and value start and end with a letter or digit (character 1 of it)",
        ),
        ("a/b/c", "character 4: a label key has at most one `/` (character 4 of it)"),
        ("/b", "character 1: the prefix before the `/` of a label key must not be empty (character 1 of it)"),
        ("a.b/", "character 5: a label key must not be empty (character 5 of it)"),
    ] {
        let said = text.parse::<Selector>().unwrap_err().to_string();
        assert_eq!(said, format!("label selector, {error}"), "{text:?}");
    }
    assert!("!".repeat(20_000).parse::<Selector>().is_err());
    assert!(vec!["a"; MAX_REQUIREMENTS].join(",").parse::<Selector>().is_ok());
    assert!(vec!["a"; MAX_REQUIREMENTS + 1].join(",").parse::<Selector>().is_err());
    let values = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    assert!(format!("a in ({})", values(MAX_VALUES)).parse::<Selector>().is_ok());
    assert!(format!("a in ({})", values(MAX_VALUES + 1)).parse::<Selector>().is_err());
}

#[test]
fn the_json_form_is_that_of_kubernetes() {
    let json = r#"{"matchLabels":{"env":"prod"},"matchExpressions":[{"key":"tier","operator":"In","values":["a","b"]},{"key":"gpu","operator":"Exists"}]}"#;
    let selector: Selector = serde_json::from_str(json).unwrap();
    assert_eq!(selector.check(), Ok(()));
    assert_eq!(selector.to_string(), "env=prod,tier in (a,b),gpu");
    assert_eq!(serde_json::to_string(&selector).unwrap(), json);
    assert_eq!(serde_json::to_string(&Selector::default()).unwrap(), "{}");
    for bad in [
        r#"{"matchLabel":{}}"#,
        r#"{"matchExpressions":[{"key":"a","operator":"in"}]}"#,
        r#"{"matchExpressions":[{"key":"a","operator":"In","value":["a"]}]}"#,
    ] {
        assert!(serde_json::from_str::<Selector>(bad).is_err(), "{bad}");
    }
    for (bad, error) in [
        (
            r#"{"matchLabels":{"a b":""}}"#,
            r#"matchLabels "a b": only letters, digits, `-`, `_` and `.` are allowed in a label (character 2 of it)"#,
        ),
        (
            r#"{"matchExpressions":[{"key":"a","operator":"Exists"},{"key":"a","operator":"In"}]}"#,
            "matchExpressions[1]: `in` and `notin` need at least one value",
        ),
        (
            r#"{"matchExpressions":[{"key":"a","operator":"Exists","values":["a"]}]}"#,
            "matchExpressions[0]: `exists` and `does not exist` take no values",
        ),
    ] {
        let selector: Selector = serde_json::from_str(bad).unwrap();
        assert_eq!(selector.check().unwrap_err().to_string(), format!("label selector, {error}"));
    }
}

#[test]
fn label_keys_and_values_keep_to_the_rules() {
    let long = "a".repeat(63);
    let prefix = format!("{}.com", "a".repeat(249));
    for good in ["a", "A-b_c.9", &long, "example.com/a", &format!("{prefix}/{long}")] {
        assert_eq!(check_key(good), Ok(()), "{good}");
    }
    for bad in [
        "", "-a", "a-", "a.", "_a", "a b", "/a", "a/", "A.com/a", "a..b/c", ".a/c", "a./c", "-a/c", "a-/c",
        "a.-b/c", "a-.b/c", "ä", "a\n",
    ] {
        assert!(check_key(bad).is_err(), "{bad:?}");
    }
    assert!(check_key(&"a".repeat(64)).is_err());
    assert!(check_key(&format!("a{prefix}/a")).is_err());
    assert_eq!(check_value(""), Ok(()));
    assert_eq!(check_value(&long), Ok(()));
    assert!(check_value(&"a".repeat(64)).is_err());
    assert!(check_value("a/b").is_err());
}

#[test]
fn a_label_map_is_bounded() {
    let map = |n: usize, key: &str, value: &str| -> BTreeMap<String, String> {
        (0..n).map(|i| (format!("{key}{i}"), value.to_owned())).collect()
    };
    assert!(check_labels(&map(64, "k", "v")).is_ok());
    assert_eq!(
        check_labels(&map(65, "k", "v")).unwrap_err().to_string(),
        "an object has at most 64 labels, not 65"
    );
    let prefixed = format!("{}/k", "p".repeat(200));
    assert!(check_labels(&map(60, &prefixed, "v")).is_ok());
    let said = check_labels(&map(64, &prefixed, &"v".repeat(63))).unwrap_err().to_string();
    assert!(said.starts_with("the labels of an object have at most 16384 bytes together"), "{said}");
    let said = check_labels(&labels("a=ä")).unwrap_err().to_string();
    assert!(said.starts_with("value of label \"a\": only letters"), "{said}");
}

#[test]
fn a_field_selector_matches_by_its_fields() {
    let fields = labels("metadata.name=x status.phase=running spec.note=a,b");
    for (text, expected) in [
        ("", true),
        ("metadata.name=x", true),
        ("metadata.name==x,status.phase!=running", false),
        ("metadata.name!=y", true),
        ("spec.site=", true),
        ("spec.site!=berlin", true),
        (r"spec.note=a\,b", true),
        (r"spec.note=a\=b", false),
    ] {
        let selector: FieldSelector = text.parse().unwrap();
        assert_eq!(selector.matches(|path| fields.get(path)), expected, "{text}");
    }
    for bad in
        ["a", "=x", "a b=x", "a.=x", "a=x=y", r"a=\x", r"a=x\", "a=x,", &"a=b,".repeat(17), &"a".repeat(5000)]
    {
        assert!(bad.parse::<FieldSelector>().is_err(), "{bad:.40}");
    }
    let known = ["metadata.name", "spec.site"];
    let said = |text: &str| text.parse::<FieldSelector>().unwrap().check(&known).unwrap_err().to_string();
    assert_eq!(
        said("spec.sites=x"),
        r#"there is no field "spec.sites" to select by; did you mean spec.site?"#
    );
    assert_eq!(said("status.zone=x"), r#"there is no field "status.zone" to select by"#);
}

fn any_key() -> impl Strategy<Value = String> {
    "([a-z0-9]([-a-z0-9]{0,5}[a-z0-9])?(\\.[a-z0-9]){0,2}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,8}[A-Za-z0-9])?"
}

fn any_value() -> impl Strategy<Value = String> {
    "([A-Za-z0-9]([-A-Za-z0-9_.]{0,8}[A-Za-z0-9])?)?"
}

fn any_requirement() -> impl Strategy<Value = Requirement> {
    let values =
        prop::collection::btree_set(any_value(), 1..4).prop_map(|s| s.into_iter().collect::<Vec<_>>());
    (any_key(), 0..4, values).prop_map(|(key, operator, values)| match operator {
        0 => Requirement { key, operator: Operator::In, values },
        1 => Requirement { key, operator: Operator::NotIn, values },
        2 => Requirement { key, operator: Operator::Exists, values: Vec::new() },
        _ => Requirement { key, operator: Operator::DoesNotExist, values: Vec::new() },
    })
}

proptest! {
    #[test]
    fn a_selector_survives_text_and_json(
        match_labels in prop::collection::btree_map(any_key(), any_value(), 0..4),
        match_expressions in prop::collection::vec(any_requirement(), 0..4),
    ) {
        let selector = Selector { match_labels, match_expressions };
        prop_assert_eq!(selector.check(), Ok(()));
        prop_assert_eq!(&selector.to_string().parse::<Selector>().unwrap(), &selector);
        let json = serde_json::to_string(&selector).unwrap();
        prop_assert_eq!(serde_json::from_str::<Selector>(&json).unwrap(), selector);
    }

    #[test]
    fn any_text_is_a_selector_or_refused(text in "[a-c/.=!(), \\\\in<ä-]{0,40}", wild: String) {
        for text in [text, wild] {
            if let Ok(selector) = text.parse::<Selector>() {
                prop_assert_eq!(selector.check(), Ok(()));
                prop_assert_eq!(&selector.to_string().parse::<Selector>().unwrap(), &selector);
                let _ = selector.matches(|_| Some("a"));
            }
            if let Ok(fields) = text.parse::<FieldSelector>() {
                prop_assert_eq!(&fields.to_string().parse::<FieldSelector>().unwrap(), &fields);
            }
            let _ = (check_key(&text), check_value(&text));
        }
    }

    #[test]
    fn not_in_is_the_opposite_of_in(value in prop::option::of("[ab]?"), values in prop::collection::vec("[ab]?", 1..3)) {
        let is = |operator| Requirement { key: "k".into(), operator, values: values.clone() }.matches(value.as_ref());
        prop_assert_ne!(is(Operator::In), is(Operator::NotIn));
    }
}
