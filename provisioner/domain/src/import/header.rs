//! The first line: which columns there are, and by them which form.

use super::{ImportError, MAX_COLUMNS, csv::Records};
use crate::nearest::nearest;

/// How many characters of an unknown column are shown.
const SHOWN: usize = 60;
/// What may stand between fields; spreadsheets of some countries write semicolons.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// The forms that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Cairn's own.
    Cairn,
    /// Edge Manageability Framework's.
    Emf,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Name,
    Serial,
    Uuid,
    Mac,
    Ek,
    Site,
    Image,
    Labels,
    Project,
    OsProfile,
    Secure,
    RemoteUser,
    Metadata,
    LvmSize,
    CloudInitMeta,
    K8sEnable,
    K8sClusterTemplate,
    K8sConfig,
    AmtEnable,
    /// What an earlier error file said; not read.
    Error,
}

use Column::{
    AmtEnable, CloudInitMeta, Ek, Error, Image, K8sClusterTemplate, K8sConfig, K8sEnable, Labels, LvmSize,
    Mac, Metadata, Name, OsProfile, Project, RemoteUser, Secure, Serial, Site, Uuid,
};

const CAIRN: [(&str, Column); 10] = [
    ("name", Name),
    ("serial", Serial),
    ("uuid", Uuid),
    ("mac", Mac),
    ("ek", Ek),
    ("site", Site),
    ("image", Image),
    ("labels", Labels),
    ("project", Project),
    ("Error", Error),
];

/// With the columns of its older and newer releases.
const EMF: [(&str, Column); 15] = [
    ("Serial", Serial),
    ("UUID", Uuid),
    ("OSProfile", OsProfile),
    ("Site", Site),
    ("Secure", Secure),
    ("RemoteUser", RemoteUser),
    ("Metadata", Metadata),
    ("LVMSize", LvmSize),
    ("CloudInitMeta", CloudInitMeta),
    ("K8sEnable", K8sEnable),
    ("K8sClusterTemplate", K8sClusterTemplate),
    ("K8sConfig", K8sConfig),
    ("AMTEnable", AmtEnable),
    ("Error", Error),
    ("Error - do not fill", Error),
];

/// Columns of a file, in its order, without that of errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) form: Form,
    pub(super) columns: Vec<Column>,
    /// As the file writes them.
    pub(super) titles: Vec<String>,
    /// Where among the columns of the file errors of an earlier import stand, and what it calls them.
    pub(super) error: Option<(usize, String)>,
    pub(super) separator: u8,
}

impl Form {
    fn columns(self) -> &'static [(&'static str, Column)] {
        match self {
            Self::Cairn => &CAIRN,
            Self::Emf => &EMF,
        }
    }

    /// The columns of which a line needs at least one.
    pub(super) fn identities(self) -> &'static str {
        match self {
            Self::Cairn => "serial, uuid, mac, ek",
            Self::Emf => "Serial, UUID",
        }
    }

    fn title(self, column: Column) -> &'static str {
        self.columns().iter().find(|(_, c)| *c == column).map_or("", |(name, _)| name)
    }

    fn find(self, title: &str) -> Option<Column> {
        self.columns().iter().find(|(name, _)| name.eq_ignore_ascii_case(title)).map(|(_, column)| *column)
    }
}

impl Header {
    /// How many columns the file has.
    pub(super) fn width(&self) -> usize {
        self.columns.len().saturating_add(usize::from(self.error.is_some()))
    }

    /// The column's name in messages.
    pub(super) fn title(&self, column: Column) -> &'static str {
        self.form.title(column)
    }
}

/// Reads the first line that holds anything; the records go on after it.
pub(super) fn read(bytes: &[u8]) -> Result<(Header, Records<'_>), ImportError> {
    let candidates: Vec<_> = SEPARATORS.iter().filter_map(|s| titles(Records::new(bytes, *s))).collect();
    let known = |titles: &[String]| titles.iter().filter(|t| is_known(t)).count();
    // Of equals the first: a comma.
    let best = candidates.into_iter().rev().max_by_key(|(titles, _)| titles.as_ref().map_or(0, |t| known(t)));
    let (titles, records) = best.ok_or(ImportError::Empty)?;
    Ok((check(titles?, records.separator())?, records))
}

type Titles<'a> = (Result<Vec<String>, ImportError>, Records<'a>);

fn titles(mut records: Records<'_>) -> Option<Titles<'_>> {
    let says = |byte: &u8| !byte.is_ascii_whitespace() && !SEPARATORS.contains(byte);
    let first = records.find(|r| r.fields.iter().flatten().any(says))?;
    let text = |field: Vec<u8>| String::from_utf8(field).ok().map(|t| t.trim().to_owned());
    let titles: Option<Vec<String>> = first.fields.into_iter().map(text).collect();
    let titles = match (titles, first.broken) {
        (_, Some(super::csv::Broken::ManyFields)) => Err(ImportError::ManyColumns),
        (Some(titles), None) => Ok(titles),
        _ => Err(ImportError::Header),
    };
    Some((titles, records))
}

fn is_known(title: &str) -> bool {
    Form::Cairn.find(title).or_else(|| Form::Emf.find(title)).is_some()
}

fn check(mut titles: Vec<String>, separator: u8) -> Result<Header, ImportError> {
    while titles.last().is_some_and(String::is_empty) {
        titles.pop();
    }
    if titles.len() > MAX_COLUMNS {
        return Err(ImportError::ManyColumns);
    }
    let form = form(&titles);
    let column = |title: &String| form.find(title).ok_or_else(|| unknown(form, title));
    let mut columns: Vec<Column> = titles.iter().map(column).collect::<Result<_, _>>()?;
    let second = |(at, column): &(usize, &Column)| columns.iter().take(*at).any(|c| c == *column);
    if let Some((_, column)) = columns.iter().enumerate().find(second) {
        return Err(ImportError::SecondColumn(form.title(*column)));
    }
    if !columns.iter().any(|c| matches!(c, Serial | Uuid | Mac | Ek)) {
        return Err(ImportError::NoIdentity(form.identities()));
    }
    let error = columns.iter().position(|c| *c == Error).map(|at| {
        columns.remove(at);
        (at, titles.remove(at))
    });
    Ok(Header { form, columns, titles, error, separator })
}

/// By any column that only the other form has.
fn form(titles: &[String]) -> Form {
    let foreign = |t: &String| Form::Emf.find(t).is_some() && Form::Cairn.find(t).is_none();
    if titles.iter().any(foreign) { Form::Emf } else { Form::Cairn }
}

/// A slip may be in the only column that tells the forms apart: the other form's columns are looked at too.
fn unknown(form: Form, title: &str) -> ImportError {
    let near = |form: Form| {
        let known: Vec<&str> = form.columns().iter().map(|(name, _)| *name).collect();
        nearest(title, &known)
    };
    let nearest = near(form).or_else(|| near(Form::Emf));
    ImportError::UnknownColumn { column: title.chars().take(SHOWN).collect(), nearest }
}
