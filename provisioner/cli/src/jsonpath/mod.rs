//! kubectl's JSONPath templates: `{.items[*].metadata.name}`, `{range .items[*]}{.a}{"\n"}{end}`.
//!
//! Taken over: fields, `*`, indexes, slices, unions, `..`, filters with one comparison, `range`/`end`, texts. A field that is
//! not there prints nothing, as with kubectl. Not taken over: functions and expressions in brackets.

mod evaluate;
mod parse;

use serde_json::Value;

/// A template, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Part>);

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("jsonpath: {what} at character {at}; write such as {{.items[*].metadata.name}}")]
pub struct TemplateError {
    what: &'static str,
    at: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Path(Path),
    Range(Path, Vec<Part>),
}

/// Where it begins and how it goes on.
#[derive(Debug, Clone, PartialEq)]
struct Path {
    from: From,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// `$`
    Root,
    /// `@` or nothing: the item of a range, else the root.
    Here,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Fields(Vec<String>),
    Each,
    Indexes(Vec<i64>),
    Slice { from: Option<i64>, to: Option<i64>, step: i64 },
    Descend,
    Filter(Filter),
}

#[derive(Debug, Clone, PartialEq)]
struct Filter {
    left: Operand,
    test: Option<(Test, Operand)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Path(Path),
    Value(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Template {
    /// Reads a template; one without braces is one expression.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        parse::template(text).map(Self)
    }

    /// What it prints of `value`.
    pub fn print(&self, value: &Value) -> String {
        let mut out = String::new();
        evaluate::print(&self.0, evaluate::Scope { root: value, here: value }, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> Value {
        json!({"kind": "List", "n": 3, "items": [
            {"metadata": {"name": "a", "labels": {"cairn.dev/role": "pos", "x": "1"}}, "n": 1, "up": true},
            {"metadata": {"name": "b", "labels": {"x": "2"}}, "n": 2.5, "up": false},
            {"metadata": {"name": "c"}, "n": 30, "why": {"code": "late"}}]})
    }

    #[test]
    fn templates_print_what_kubectl_prints() {
        let cases = [
            ("{.kind}", "List"),
            (".kind", "List"),
            ("{$.kind}", "List"),
            ("{.items[*].metadata.name}", "a b c"),
            ("{.items[0].metadata.name}", "a"),
            ("{.items[-1].metadata.name}", "c"),
            ("{.items[7].metadata.name}", ""),
            ("{.items[0,2].metadata.name}", "a c"),
            ("{.items[1:].metadata.name}", "b c"),
            ("{.items[:2].metadata.name}", "a b"),
            ("{.items[::2].metadata.name}", "a c"),
            ("{.items[-2:-1].metadata.name}", "b"),
            ("{.items[0]['metadata']['name']}", "a"),
            ("{.items[0].metadata.labels.cairn\\.dev/role}", "pos"),
            ("{.items[0].metadata.labels['cairn.dev/role']}", "pos"),
            ("{.items[0].metadata.labels['x','cairn.dev/role']}", "1 pos"),
            ("{.items[?(@.metadata.name==\"b\")].n}", "2.5"),
            ("{.items[?(@.metadata.name=='b')].n}", "2.5"),
            ("{.items[?(@.metadata.name != \"b\")].metadata.name}", "a c"),
            ("{.items[?(@.n>1)].metadata.name}", "b c"),
            ("{.items[?(@.n>=1)].metadata.name}", "a b c"),
            ("{.items[?(@.n<2.5)].metadata.name}", "a"),
            ("{.items[?(@.n<=2.5)].metadata.name}", "a b"),
            ("{.items[?(@.up==true)].metadata.name}", "a"),
            ("{.items[?(@.why)].metadata.name}", "c"),
            ("{.items[?(@.why.code=='late')].metadata.name}", "c"),
            ("{..name}", "a b c"),
            ("{.items[*].metadata.labels.*}", "pos 1 2"),
            ("{range .items[*]}{.metadata.name}={.n}{\"\\n\"}{end}", "a=1\nb=2.5\nc=30\n"),
            ("{range .items[*]}[{.metadata.name}, {$.kind}] {end}!", "[a, List] [b, List] [c, List] !"),
            ("{range .items[*]}{range .metadata.labels.*}{@};{end}{end}", "pos;1;2;"),
            ("{.items[2].why}", "{\"code\":\"late\"}"),
            ("names: {.items[*].metadata.name}.", "names: a b c."),
            ("{.nothing.there}", ""),
            ("{'a}b'}", "a}b"),
            ("{@}", "{\"items\":"),
        ];
        for (template, want) in cases {
            let printed = Template::parse(template).unwrap().print(&value());
            if template == "{@}" {
                assert!(printed.contains("\"kind\":\"List\""), "{printed}");
            } else {
                assert_eq!(printed, want, "{template}");
            }
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let long = format!("{{{}}}", ".a".repeat(3000));
        let deep = "{range .a}".repeat(40) + &"{end}".repeat(40);
        for bad in [
            "{.a",
            "{.a[}",
            "{.a[1}",
            "{end}",
            "{range .a}",
            "{.a[?(@.b==)]}",
            "{.a[?(@.b=='x]}",
            "{.a[1:2:0]}",
            "{.a b}",
            "{a[99999999999999999999]}",
            "{\"a}",
            "{.}}",
            "{.a['b]}",
            "{.a..}",
            "{.a[?(@.b ~ 1)]}",
            &long,
            &deep,
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_template_or_refused(text in "\\PC{0,60}") {
            if let Ok(template) = Template::parse(&text) { drop(template.print(&value())); }
        }

        #[test]
        fn any_near_template_is_read_or_refused(text in "[{}.a-n\\[\\]*0-9:,?(@)='\"<>! $\\\\-]{0,40}") {
            if let Ok(template) = Template::parse(&format!("{{{text}}}")) { drop(template.print(&value())); }
        }
    }
}
