//! The text form of label selectors, as query strings and command lines have it, in both directions:
//! `env=prod,tier in (a,b),zone notin (x),gpu,!old,a!=b,a==b`.
//!
//! `k=v` is an entry of `matchLabels`, and a second one on the same key an `In`. A list may hold the empty value:
//! `in (a,)` is `a` or empty, `in (,)` only empty. The comparisons `<` and `>` of Kubernetes are refused.

use std::{collections::btree_map::Entry, fmt, str::FromStr};

use super::{
    LabelError, MAX_REQUIREMENTS, MAX_TEXT, MAX_VALUES, Operator, Place, Requirement, Rule, Selector,
    SelectorError, check_key, check_value,
};

impl FromStr for Selector {
    type Err = SelectorError;

    /// # Errors
    /// [`SelectorError`] with the first wrong character. An empty text is the empty selector.
    fn from_str(text: &str) -> Result<Self, SelectorError> {
        if text.len() > MAX_TEXT {
            return Err(SelectorError { place: Place::Whole, rule: Rule::Long });
        }
        let mut cursor = Cursor { text, at: 0 };
        let mut out = Self::default();
        if cursor.peek().is_none() {
            return Ok(out);
        }
        for _ in 0..MAX_REQUIREMENTS {
            cursor.requirement(&mut out)?;
            if cursor.peek().is_none() {
                return Ok(out);
            }
            cursor.expect(',', "`,` or the end")?;
        }
        Err(cursor.error(cursor.at, Rule::ManyRequirements))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (key, value) in &self.match_labels {
            write!(f, "{comma}{key}={value}")?;
            comma = ",";
        }
        for requirement in &self.match_expressions {
            write!(f, "{comma}{requirement}")?;
            comma = ",";
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match (self.operator, self.values.as_slice()) {
            (Operator::Exists, _) => return f.write_str(&self.key),
            (Operator::DoesNotExist, _) => return write!(f, "!{}", self.key),
            (Operator::NotIn, [value]) => return write!(f, "{}!={value}", self.key),
            (Operator::In, _) => "in",
            (Operator::NotIn, _) => "notin",
        };
        let list = self.values.join(",");
        let list = if list.is_empty() { "," } else { &list };
        write!(f, "{} {word} ({list})", self.key)
    }
}

struct Cursor<'a> {
    text: &'a str,
    /// Byte, on a character's edge.
    at: usize,
}

impl<'a> Cursor<'a> {
    fn requirement(&mut self, out: &mut Selector) -> Result<(), SelectorError> {
        if self.eat('!') {
            let key = self.key()?;
            out.match_expressions.push(Requirement {
                key,
                operator: Operator::DoesNotExist,
                values: Vec::new(),
            });
            return Ok(());
        }
        let key = self.key()?;
        let (operator, values) = match self.peek() {
            None | Some(',') => (Operator::Exists, Vec::new()),
            Some('=') => return self.equality(key, out),
            Some('!') => {
                self.eat('!');
                self.expect('=', "`=` after `!`")?;
                (Operator::NotIn, vec![self.value()?])
            }
            Some(_) => (self.set_operator()?, self.values()?),
        };
        out.match_expressions.push(Requirement { key, operator, values });
        Ok(())
    }

    fn equality(&mut self, key: String, out: &mut Selector) -> Result<(), SelectorError> {
        self.eat('=');
        self.eat('=');
        let value = self.value()?;
        match out.match_labels.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(entry) => {
                let key = entry.key().clone();
                out.match_expressions.push(Requirement { key, operator: Operator::In, values: vec![value] });
            }
        }
        Ok(())
    }

    fn set_operator(&mut self) -> Result<Operator, SelectorError> {
        let (start, word) = self.word();
        match word {
            "in" => Ok(Operator::In),
            "notin" => Ok(Operator::NotIn),
            _ => Err(self.error(start, Rule::Expected("`=`, `!=`, `in`, `notin`, `,` or the end"))),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        self.expect('(', "`(`")?;
        let open = self.at;
        if self.peek() == Some(')') {
            return Err(self.error(open, Rule::NoValues));
        }
        let mut out: Vec<String> = Vec::new();
        loop {
            let value = self.value()?;
            if !out.contains(&value) {
                out.push(value);
            }
            if out.len() > MAX_VALUES {
                return Err(self.error(self.at, Rule::ManyValues));
            }
            if self.eat(')') {
                return Ok(out);
            }
            self.expect(',', "`,` or `)`")?;
        }
    }

    fn key(&mut self) -> Result<String, SelectorError> {
        let (start, word) = self.word();
        if word.is_empty() {
            return Err(self.error(start, Rule::Expected("a label key")));
        }
        check_key(word).map_err(|e| self.label_error(start, e))?;
        Ok(word.to_owned())
    }

    fn value(&mut self) -> Result<String, SelectorError> {
        let (start, word) = self.word();
        check_value(word).map_err(|e| self.label_error(start, e))?;
        Ok(word.to_owned())
    }

    /// Where it starts, and all up to white space or a sign of the language.
    fn word(&mut self) -> (usize, &'a str) {
        self.skip_space();
        let start = self.at;
        let rest = self.rest();
        let len = rest
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '=' | '!' | '<' | '>'))
            .unwrap_or(rest.len());
        self.at = start.saturating_add(len);
        (start, rest.get(..len).unwrap_or_default())
    }

    fn expect(&mut self, sign: char, what: &'static str) -> Result<(), SelectorError> {
        if self.eat(sign) { Ok(()) } else { Err(self.error(self.at, Rule::Expected(what))) }
    }

    /// Steps over `sign`, an ASCII character, where it comes next.
    fn eat(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(sign);
        if found {
            self.at = self.at.saturating_add(sign.len_utf8());
        }
        found
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at = self.at.saturating_add(rest.len().saturating_sub(rest.trim_start().len()));
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn label_error(&self, start: usize, error: LabelError) -> SelectorError {
        let before = self.characters(start);
        let place = Place::Character(before.saturating_add(error.at));
        SelectorError { place, rule: Rule::Label(error) }
    }

    fn error(&self, at: usize, rule: Rule) -> SelectorError {
        SelectorError { place: Place::Character(self.characters(at).saturating_add(1)), rule }
    }

    fn characters(&self, before: usize) -> usize {
        self.text.get(..before).unwrap_or_default().chars().count()
    }
}
