//! The one form of a page of the provider, as its own markup writes it. Not an HTML parser.

use std::sync::LazyLock;

use regex::Regex;

static FORM: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?s)<form[^>]*\saction="([^"]*)""#));
static INPUT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)<input[^>]*>"));
static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\sname="([^"]*)""#));
static VALUE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\svalue="([^"]*)""#));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

/// Where a form goes and what it holds.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    /// The first form of the page `html`.
    pub(crate) fn find(html: &str) -> Option<Self> {
        let action = unescape(FORM.captures(html)?.get(1)?.as_str());
        let first = |pattern: &Regex, text: &str| Some(unescape(pattern.captures(text)?.get(1)?.as_str()));
        let fields = INPUT.find_iter(html).filter_map(|input| {
            let name = first(&NAME, input.as_str())?;
            Some((name, first(&VALUE, input.as_str()).unwrap_or_default()))
        });
        Some(Self { action, fields: fields.collect() })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(n, _)| n == name)
    }

    /// Writes `value` into the field `name`, which is made when the form lacks it (as a pressed button is).
    pub(crate) fn fill(&mut self, name: &str, value: &str) {
        self.fields.retain(|(n, _)| n != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// As `application/x-www-form-urlencoded`.
    pub(crate) fn encoded(&self) -> String {
        let pair = |(name, value): &(String, String)| format!("{}={}", encode(name), encode(value));
        self.fields.iter().map(pair).collect::<Vec<_>>().join("&")
    }
}

fn encode(text: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(b).to_string(),
        _ => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn unescape(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    named.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_found_filled_and_encoded() {
        let page = r#"<p>x</p><form autocomplete="off" action="/a?b=1&amp;c=2" method="post">
            <input type="hidden" name="prompt" value="login"/><input required
            type="text" name="login" placeholder="Enter any login" ></form>"#;
        let mut form = Form::find(page).unwrap();
        assert!(form.has("login") && !form.has("password"));
        form.fill("login", "a b&ü");
        assert_eq!(
            (form.action.as_str(), form.encoded().as_str()),
            ("/a?b=1&c=2", "prompt=login&login=a%20b%26%C3%BC")
        );
        assert!(Form::find("<p>done</p>").is_none());
    }
}
