//! The nearest known word to one that is not known, for messages: "did you mean ...?".
//!
//! Not a search: it answers only where a slip of the hand is likely. Called wherever an unknown name is refused.

/// Longest word that is compared, in characters; a longer one is no slip of the hand.
const MAX_WORD: usize = 64;

/// The one of `known` that `word` is likeliest a slip of: fewest edits (a swap of neighbours is one), upper and lower
/// case alike, and at most a third of the letters. Of equals the first.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = letters(word)?;
    let near = |k: &&'a str| {
        let other = letters(k)?;
        let edits = distance(&word, &other);
        let allowed = (word.len().max(other.len()) / 3).max(1);
        (edits <= allowed && edits < word.len()).then_some((edits, *k))
    };
    known.iter().filter_map(near).min_by_key(|(edits, _)| *edits).map(|(_, k)| k)
}

fn letters(word: &str) -> Option<Vec<char>> {
    let out: Vec<char> = word.chars().take(MAX_WORD + 1).flat_map(char::to_lowercase).collect();
    (1..=MAX_WORD).contains(&out.len()).then_some(out)
}

/// Optimal string alignment: insert, remove, replace, swap neighbours. Rows of the table are kept two back.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && *y == a[i - 1] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slips_find_their_word_and_others_do_not() {
        let known = ["serial", "site", "image", "labels", "mac"];
        for (word, expected) in [
            ("Serail", Some("serial")),
            ("sites", Some("site")),
            ("label", Some("labels")),
            ("MAC", Some("mac")),
            ("macs", Some("mac")),
            ("x", None),
            ("", None),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
        assert_eq!(nearest(&"s".repeat(1 << 20), &known), None);
    }

    proptest! {
        #[test]
        fn any_words_are_compared(a: String, b: String) {
            let _ = nearest(&a, &[&b]);
        }

        #[test]
        fn the_distance_is_the_same_both_ways(a in "[ab]{0,6}", b in "[ab]{0,6}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }
    }
}
