//! From text to parts.

use serde_json::Value;

use super::{Filter, From, Operand, Part, Path, Step, TemplateError, Test};

/// Characters of a template.
const MAX_LENGTH: usize = 4096;
/// Ranges in each other.
const MAX_DEPTH: usize = 16;

type Parsed<T> = Result<T, TemplateError>;

pub(super) fn template(text: &str) -> Parsed<Vec<Part>> {
    let whole = if text.contains('{') { text.to_owned() } else { format!("{{{text}}}") };
    let mut reader = Reader { text: whole.chars().collect(), at: 0 };
    if reader.text.len() > MAX_LENGTH {
        return Err(reader.fault("the template is too long"));
    }
    let (parts, end) = reader.parts(0)?;
    match end {
        End::Text => Ok(parts),
        End::Range => Err(reader.fault("an {end} without {range}")),
    }
}

/// What ended a run of parts.
#[derive(PartialEq, Eq)]
enum End {
    Text,
    Range,
}

struct Reader {
    text: Vec<char>,
    at: usize,
}

impl Reader {
    fn fault(&self, what: &'static str) -> TemplateError {
        TemplateError { what, at: self.at.min(self.text.len()) }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// Passes over `word` when it is next.
    fn eat(&mut self, word: &str) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let count = word.chars().count();
        if rest.len() < count || !rest.iter().copied().zip(word.chars()).all(|(a, b)| a == b) {
            return None;
        }
        self.at += count;
        Some(())
    }

    fn expect(&mut self, word: &str, what: &'static str) -> Parsed<()> {
        self.eat(word).ok_or_else(|| self.fault(what))
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn parts(&mut self, depth: usize) -> Parsed<(Vec<Part>, End)> {
        let mut parts = Vec::new();
        let mut text = String::new();
        while let Some(c) = self.next() {
            if c != '{' {
                if c == '}' {
                    return Err(self.fault("a } without {"));
                }
                text.push(c);
                continue;
            }
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            match self.block(depth)? {
                Some(part) => parts.push(part),
                None => return Ok((parts, End::Range)),
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok((parts, End::Text))
    }

    /// What is between braces; `None` for `end`.
    fn block(&mut self, depth: usize) -> Parsed<Option<Part>> {
        self.spaces();
        if self.eat("end}").is_some() {
            return Ok(None);
        }
        let part = match self.peek() {
            Some('"' | '\'') => Part::Text(self.quoted()?),
            _ if self.eat("range ").is_some() => return self.range(depth).map(Some),
            _ => Part::Path(self.path()?),
        };
        self.spaces();
        self.expect("}", "a } is missing")?;
        Ok(Some(part))
    }

    fn range(&mut self, depth: usize) -> Parsed<Part> {
        if depth >= MAX_DEPTH {
            return Err(self.fault("too many ranges in each other"));
        }
        self.spaces();
        let path = self.path()?;
        self.spaces();
        self.expect("}", "a } is missing")?;
        match self.parts(depth + 1)? {
            (parts, End::Range) => Ok(Part::Range(path, parts)),
            (_, End::Text) => Err(self.fault("a {range} without {end}")),
        }
    }

    fn path(&mut self) -> Parsed<Path> {
        let begin = self.at;
        let from = match self.peek() {
            Some('$') => From::Root,
            _ => From::Here,
        };
        if matches!(self.peek(), Some('$' | '@')) {
            self.at += 1;
        }
        let mut steps = Vec::new();
        // `metadata.name`, without the first dot.
        if self.at == begin && self.peek().is_some_and(is_name) {
            steps.push(Step::Fields(vec![self.name()?]));
        }
        loop {
            match self.peek() {
                Some('.') => self.dotted(&mut steps)?,
                Some('[') => steps.push(self.bracket()?),
                _ => break,
            }
        }
        if self.at == begin { Err(self.fault("a path is missing")) } else { Ok(Path { from, steps }) }
    }

    fn dotted(&mut self, steps: &mut Vec<Step>) -> Parsed<()> {
        self.at += 1;
        if self.peek() == Some('.') {
            self.at += 1;
            steps.push(Step::Descend);
            if self.peek() == Some('[') {
                return Ok(());
            }
        }
        match self.peek() {
            Some('*') => {
                self.at += 1;
                steps.push(Step::Each);
            }
            Some('[') => {}
            // `{.}` is the thing itself.
            Some('}' | ' ') if steps.is_empty() => {}
            _ => steps.push(Step::Fields(vec![self.name()?])),
        }
        Ok(())
    }

    fn name(&mut self) -> Parsed<String> {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            match c {
                '\\' => {
                    self.at += 1;
                    name.push(self.next().ok_or_else(|| self.fault("a name ends with \\"))?);
                }
                c if is_name(c) => {
                    self.at += 1;
                    name.push(c);
                }
                _ => break,
            }
        }
        if name.is_empty() { Err(self.fault("a name is missing")) } else { Ok(name) }
    }

    fn bracket(&mut self) -> Parsed<Step> {
        self.at += 1;
        self.spaces();
        let step = match self.peek() {
            Some('*') => {
                self.at += 1;
                Step::Each
            }
            Some('?') => {
                self.at += 1;
                Step::Filter(self.filter()?)
            }
            Some('\'' | '"') => Step::Fields(self.list(Self::quoted)?),
            _ => self.numbers()?,
        };
        self.spaces();
        self.expect("]", "a ] is missing")?;
        Ok(step)
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut all = vec![item(self)?];
        loop {
            self.spaces();
            if self.eat(",").is_none() {
                return Ok(all);
            }
            self.spaces();
            all.push(item(self)?);
        }
    }

    fn numbers(&mut self) -> Parsed<Step> {
        let from = if self.peek() == Some(':') { None } else { Some(self.number()?) };
        self.spaces();
        match (from, self.peek()) {
            (from, Some(':')) => self.slice(from),
            (Some(first), Some(',')) => {
                self.at += 1;
                self.spaces();
                let mut all = vec![first];
                all.extend(self.list(Self::number)?);
                Ok(Step::Indexes(all))
            }
            (Some(only), _) => Ok(Step::Indexes(vec![only])),
            (None, _) => Err(self.fault("a number is missing")),
        }
    }

    fn slice(&mut self, from: Option<i64>) -> Parsed<Step> {
        let mut rest = [None, None];
        for slot in &mut rest {
            if self.eat(":").is_some() && self.peek().is_some_and(|c| c == '-' || c.is_ascii_digit()) {
                *slot = Some(self.number()?);
            }
        }
        match rest[1].unwrap_or(1) {
            step @ 1.. => Ok(Step::Slice { from, to: rest[0], step }),
            _ => Err(self.fault("a step below 1")),
        }
    }

    fn number(&mut self) -> Parsed<i64> {
        let begin = self.at;
        if self.peek() == Some('-') {
            self.at += 1;
        }
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String = self.text.get(begin..self.at).unwrap_or_default().iter().collect();
        digits.parse().map_err(|_| self.fault("a number is missing"))
    }

    fn quoted(&mut self) -> Parsed<String> {
        let quote = self.next().ok_or_else(|| self.fault("a text is missing"))?;
        if !matches!(quote, '"' | '\'') {
            return Err(self.fault("a text in quotes is missing"));
        }
        let mut text = String::new();
        loop {
            match self.next() {
                Some(c) if c == quote => return Ok(text),
                Some('\\') => text.push(match self.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some(c) => c,
                    None => return Err(self.fault("a text does not end")),
                }),
                Some(c) => text.push(c),
                None => return Err(self.fault("a text does not end")),
            }
        }
    }

    fn filter(&mut self) -> Parsed<Filter> {
        self.expect("(", "a ( is missing")?;
        self.spaces();
        let left = self.operand()?;
        self.spaces();
        let test = match self.test() {
            Some(test) => {
                self.spaces();
                Some((test, self.operand()?))
            }
            None => None,
        };
        self.spaces();
        self.expect(")", "a ) or one of == != < <= > >= is missing")?;
        Ok(Filter { left, test })
    }

    fn test(&mut self) -> Option<Test> {
        let words = [
            ("==", Test::Equal),
            ("!=", Test::Unequal),
            ("<=", Test::LessOrEqual),
            (">=", Test::GreaterOrEqual),
            ("<", Test::Less),
            (">", Test::Greater),
        ];
        words.into_iter().find_map(|(word, test)| self.eat(word).map(|()| test))
    }

    fn operand(&mut self) -> Parsed<Operand> {
        match self.peek() {
            Some('"' | '\'') => self.quoted().map(|t| Operand::Value(t.into())),
            Some('@' | '$' | '.') => self.path().map(Operand::Path),
            _ => {
                let mut word = String::new();
                while let Some(c) =
                    self.peek().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
                {
                    self.at += 1;
                    word.push(c);
                }
                let value: Result<Value, _> = serde_json::from_str(&word);
                value.map(Operand::Value).map_err(|_| self.fault("a value is missing: text is in quotes"))
            }
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '/')
}
