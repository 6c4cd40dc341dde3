//! A chapter, read as a script: files to write and commands to run, in their order. Prose is skipped.

use std::ops::Range;

use anyhow::{Context as _, Result, bail};

/// First line of a block that is a file.
const TITLE: &str = "# file: ";

/// What a chapter does.
#[derive(Debug)]
pub(crate) struct Chapter {
    pub(crate) parts: Vec<Part>,
}

/// One thing that it does.
#[derive(Debug)]
pub(crate) enum Part {
    /// Writes a file.
    File {
        name: String,
        text: String,
        /// Of the chapter, from 1.
        line: usize,
    },
    /// Runs a command.
    Exchange(Exchange),
}

/// A command and what it prints.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// Without `$`; continued lines are joined, a heredoc's are in `input`.
    pub(crate) command: String,
    /// What a heredoc gives to it.
    pub(crate) input: Option<String>,
    pub(crate) expected: Vec<String>,
    /// Of the chapter, from 1.
    pub(crate) line: usize,
    /// The lines of the chapter that hold `expected`, from 0.
    pub(crate) place: Range<usize>,
}

impl Chapter {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(line) = lines.get(at) {
            at += 1;
            let Some(language) = line.strip_prefix("```") else { continue };
            let rest = lines.get(at..).unwrap_or_default();
            let length = rest.iter().position(|l| *l == "```");
            let end = at + length.with_context(|| format!("line {at}: a block has no end"))?;
            let block = lines.get(at..end).unwrap_or_default();
            if language == "console" {
                parts.extend(exchanges(block, at)?.into_iter().map(Part::Exchange));
            } else if let Some(name) = block.first().and_then(|first| first.strip_prefix(TITLE)) {
                let text = block.iter().skip(1).map(|l| format!("{l}\n")).collect();
                parts.push(Part::File { name: name.trim().to_owned(), text, line: at + 1 });
            }
            at = end + 1;
        }
        Ok(Self { parts })
    }

    pub(crate) fn commands(&self) -> usize {
        self.parts.iter().filter(|part| matches!(part, Part::Exchange(_))).count()
    }
}

/// Of a block whose first line is number `first` of the chapter, from 0.
fn exchanges(block: &[&str], first: usize) -> Result<Vec<Exchange>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(line) = block.get(at) {
        let number = first + at + 1;
        let Some(start) = line.strip_prefix("$ ") else {
            bail!("line {number}: a console block begins with `$ command`");
        };
        at += 1;
        let mut command = start.to_owned();
        while let Some(begun) = command.strip_suffix('\\') {
            command = format!("{begun}{}", continued(block, at, number)?.trim_start());
            at += 1;
        }
        let (command, input) = heredoc(command, block, &mut at, number)?;
        let length = block.iter().skip(at).take_while(|l| !l.starts_with("$ ")).count();
        let expected = block.iter().skip(at).take(length).map(|l| (*l).to_owned()).collect();
        out.push(Exchange { command, input, expected, line: number, place: first + at..first + at + length });
        at += length;
    }
    Ok(out)
}

/// A line that belongs to the command: it begins with `> `.
fn continued<'b>(block: &[&'b str], at: usize, number: usize) -> Result<&'b str> {
    let line = block.get(at).and_then(|l| l.strip_prefix('>'));
    let line = line.with_context(|| format!("line {number}: its command goes on; continue it with `> `"))?;
    Ok(line.strip_prefix(' ').unwrap_or(line))
}

fn heredoc(
    command: String,
    block: &[&str],
    at: &mut usize,
    number: usize,
) -> Result<(String, Option<String>)> {
    let Some((before, mark)) = command.split_once("<<") else { return Ok((command, None)) };
    let mut words = mark.split_whitespace();
    let mark = words.next().with_context(|| format!("line {number}: << without a word"))?.to_owned();
    let after: Vec<&str> = words.collect();
    let mut input = String::new();
    loop {
        let line = continued(block, *at, number)?;
        *at += 1;
        if line == mark {
            return Ok((format!("{}{}", before, after.join(" ")).trim_end().to_owned(), Some(input)));
        }
        input.push_str(line);
        input.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Title

```yaml
# file: a.yaml
kind: Site
```

```yaml
not: written
```

```console
$ one \\
>   two
out
$ apply -f - <<EOF
> a:
>   b
> EOF
$ last
x

y
```
";

    #[test]
    fn files_and_commands_come_in_their_order() {
        let chapter = Chapter::parse(TEXT).unwrap();
        let Part::File { name, text, line } = &chapter.parts[0] else { panic!("{chapter:?}") };
        assert_eq!((name.as_str(), text.as_str(), *line), ("a.yaml", "kind: Site\n", 4));
        let Part::Exchange(two) = &chapter.parts[1] else { panic!("{chapter:?}") };
        assert_eq!((two.command.as_str(), two.line, two.place.clone()), ("one two", 13, 14..15));
        let Part::Exchange(apply) = &chapter.parts[2] else { panic!("{chapter:?}") };
        assert_eq!((apply.command.as_str(), apply.input.as_deref()), ("apply -f -", Some("a:\n  b\n")));
        let Part::Exchange(last) = &chapter.parts[3] else { panic!("{chapter:?}") };
        assert_eq!(last.expected, ["x", "", "y"]);
        assert_eq!(chapter.commands(), 3);
    }

    #[test]
    fn what_is_not_closed_is_an_error() {
        assert!(Chapter::parse("```console\n$ x\n").is_err());
        assert!(Chapter::parse("```console\nx\n```\n").is_err());
        assert!(Chapter::parse("```console\n$ x <<EOF\n> y\n```\n").is_err());
    }
}
