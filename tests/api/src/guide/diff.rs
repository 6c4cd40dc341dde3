//! What a command printed beside what it should have: lines with ` `, `-` and `+`, as `diff -u` writes them.

use super::pattern::{self, Names};

/// One line of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'t> {
    /// Expected, and there.
    Same { expected: &'t str, actual: &'t str },
    /// Expected only.
    Missing(&'t str),
    /// There only.
    Extra(&'t str),
}

/// Both texts, with as many common lines as there are (longest common subsequence).
pub(crate) fn steps<'t>(expected: &'t [String], actual: &[&'t str], names: &Names) -> Vec<Step<'t>> {
    let same = |e: usize, a: usize| match (expected.get(e), actual.get(a)) {
        (Some(pattern), Some(line)) => pattern::line_matches(pattern, line, names).is_some(),
        _ => false,
    };
    // best[e][a]: common lines of what follows both places.
    let mut best = vec![vec![0_usize; actual.len() + 1]; expected.len() + 1];
    let at = |best: &[Vec<usize>], e: usize, a: usize| {
        best.get(e).and_then(|row| row.get(a)).copied().unwrap_or(0)
    };
    for e in (0..expected.len()).rev() {
        for a in (0..actual.len()).rev() {
            let longest = match same(e, a) {
                true => at(&best, e + 1, a + 1) + 1,
                false => at(&best, e + 1, a).max(at(&best, e, a + 1)),
            };
            if let Some(cell) = best.get_mut(e).and_then(|row| row.get_mut(a)) {
                *cell = longest;
            }
        }
    }
    let (mut e, mut a, mut out) = (0, 0, Vec::new());
    loop {
        match (expected.get(e), actual.get(a)) {
            (None, None) => return out,
            (Some(pattern), Some(line)) if same(e, a) => {
                out.push(Step::Same { expected: pattern, actual: line });
                (e, a) = (e + 1, a + 1);
            }
            (Some(line), other) if other.is_none() || at(&best, e + 1, a) >= at(&best, e, a + 1) => {
                out.push(Step::Missing(line));
                e += 1;
            }
            (_, Some(line)) => {
                out.push(Step::Extra(line));
                a += 1;
            }
            (Some(_), None) => return out,
        }
    }
}

/// For people.
pub(crate) fn unified(expected: &[String], actual: &[&str], names: &Names) -> String {
    let line = |step: &Step<'_>| match step {
        Step::Same { actual, .. } => format!(" {actual}\n"),
        Step::Missing(line) => format!("-{line}\n"),
        Step::Extra(line) => format!("+{line}\n"),
    };
    let body: String = steps(expected, actual, names).iter().map(line).collect();
    format!("--- the chapter\n+++ what it printed\n{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_marked() {
        let expected: Vec<String> = ["a", "age <age>", "b", "..."].map(str::to_owned).to_vec();
        let said = unified(&expected, &["a", "new", "age 3s", "c"], &Names::new());
        assert_eq!(said, "--- the chapter\n+++ what it printed\n a\n+new\n age 3s\n-b\n c\n");
    }
}
