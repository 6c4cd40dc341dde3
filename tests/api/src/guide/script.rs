//! A command's words, as a shell reads them: quotes, backslash, `<FILE`, `>FILE`, a closing `&`. No variables, no pipes.

use anyhow::{Result, bail};

/// A command line, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) words: Vec<String>,
    /// `< FILE`
    pub(crate) input: Option<String>,
    /// `> FILE`, for both outputs.
    pub(crate) output: Option<String>,
    /// `&`
    pub(crate) background: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Into,
    From,
    Background,
}

impl Line {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut line = Self::default();
        let mut tokens = tokens(text)?.into_iter();
        while let Some(token) = tokens.next() {
            match (token, &mut line) {
                (_, Self { background: true, .. }) => bail!("nothing may follow &"),
                (Token::Word(word), line) => line.words.push(word),
                (Token::Background, line) => line.background = true,
                (token, line) => {
                    let Some(Token::Word(file)) = tokens.next() else { bail!("< or > without a file") };
                    let place = if token == Token::Into { &mut line.output } else { &mut line.input };
                    *place = Some(file);
                }
            }
        }
        if line.words.is_empty() {
            bail!("there is no command");
        }
        Ok(line)
    }
}

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' => out.extend(word.take().map(Token::Word)),
            '\'' | '"' => quoted(c, &mut chars, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '>' | '<' | '&' => {
                out.extend(word.take().map(Token::Word));
                out.push(match c {
                    '>' => Token::Into,
                    '<' => Token::From,
                    _ => Token::Background,
                });
            }
            '|' | ';' | '`' | '$' => bail!("{c:?} is not understood here: quote it, or use two commands"),
            c => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word.map(Token::Word));
    Ok(out)
}

fn quoted(quote: char, chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<()> {
    loop {
        match chars.next() {
            None => bail!("a quote is not closed"),
            Some(c) if c == quote => return Ok(()),
            Some('\\') if quote == '"' => word.extend(chars.next()),
            Some(c) => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let line = Line::parse(r#"get "a b"'c' d\ e '' -l 'x in (y)'"#).unwrap();
        assert_eq!(line.words, ["get", "a bc", "d e", "", "-l", "x in (y)"]);
    }

    #[test]
    fn files_and_the_background_are_told_apart() {
        let line = Line::parse("serve <in >out &").unwrap();
        let expected = Line {
            words: vec!["serve".into()],
            input: Some("in".into()),
            output: Some("out".into()),
            background: true,
        };
        assert_eq!(line, expected);
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for bad in ["", "a | b", "a >", "a & b", "'a", "echo $HOME"] {
            assert!(Line::parse(bad).is_err(), "{bad}");
        }
    }
}
