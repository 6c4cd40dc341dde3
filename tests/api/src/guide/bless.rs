//! Writing what commands printed into their chapter: lines that still fit keep their patterns, the others get new ones.

use std::ops::Range;

use super::diff::{self, Step};
use super::document::Exchange;
use super::pattern::{self, Names};

/// A chapter with replaced lines.
#[derive(Debug)]
pub(crate) struct Blessing {
    lines: Vec<String>,
    changes: Vec<(Range<usize>, Vec<String>)>,
}

impl Blessing {
    pub(crate) fn new(text: &str) -> Self {
        Self { lines: text.lines().map(str::to_owned).collect(), changes: Vec::new() }
    }

    /// Puts `fresh` in the place of what the exchange expected. In the order of the chapter.
    pub(crate) fn replace(&mut self, exchange: &Exchange, fresh: &[String]) {
        self.changes.push((exchange.place.clone(), fresh.to_vec()));
    }

    pub(crate) fn text(&self) -> String {
        let mut lines = self.lines.clone();
        // From the end, so that places stay right.
        for (place, fresh) in self.changes.iter().rev() {
            lines.splice(place.clone(), fresh.iter().cloned());
        }
        lines.join("\n") + "\n"
    }
}

/// What a chapter should expect of `actual`.
pub(crate) fn lines(expected: &[String], actual: &[&str], names: &Names) -> Vec<String> {
    let line = |step| match step {
        Step::Same { expected, .. } => Some(expected.to_owned()),
        Step::Extra(line) => Some(pattern::generalised(line, names)),
        Step::Missing(_) => None,
    };
    diff::steps(expected, actual, names).into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::document::{Chapter, Part};
    use super::*;

    #[test]
    fn only_outputs_that_differ_are_rewritten() {
        let text = "```console\n$ one\nold\nage <age>\n$ two\n$ three\nkeep\n```\n";
        let chapter = Chapter::parse(text).unwrap();
        let mut blessing = Blessing::new(text);
        for (part, actual) in chapter.parts.iter().zip([vec!["new", "age 3s"], vec!["x"]]) {
            let Part::Exchange(exchange) = part else { panic!("{part:?}") };
            blessing.replace(exchange, &lines(&exchange.expected, &actual, &Names::new()));
        }
        let expected = "```console\n$ one\nnew\nage <age>\n$ two\nx\n$ three\nkeep\n```\n";
        assert_eq!(blessing.text(), expected);
    }
}
