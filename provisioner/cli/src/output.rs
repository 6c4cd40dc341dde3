//! In which form a command prints: `-o`.

use std::str::FromStr;

use crate::jsonpath::Template;

/// The value of `-o`.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Columns and sentences, for people.
    Table,
    /// Further columns.
    Wide,
    /// One JSON value; on streams one on each line.
    Json,
    /// One YAML document.
    Yaml,
    /// `host/till-7.retail.acme`, one on each line.
    Name,
    /// What a template prints.
    JsonPath(Template),
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(template) = text.strip_prefix("jsonpath=") {
            return Template::parse(template).map(Self::JsonPath).map_err(|e| e.to_string());
        }
        match text {
            "table" => Ok(Self::Table),
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            "name" => Ok(Self::Name),
            _ => Err("one of table, wide, json, yaml, name, jsonpath=TEMPLATE".to_owned()),
        }
    }
}

impl Output {
    /// Whether people read it.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read() {
        assert_eq!("wide".parse(), Ok(Output::Wide));
        assert!(matches!("jsonpath={.items[*].metadata.name}".parse(), Ok(Output::JsonPath(_))));
        for bad in ["", "Json", "xml", "jsonpath={.a", "jsonpath"] {
            assert!(bad.parse::<Output>().is_err(), "{bad}");
        }
    }
}
