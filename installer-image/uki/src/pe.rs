//! A bounded reader of PE32+ images (Microsoft PE/COFF specification): kernels, stubs and UKIs given by an operator.
//!
//! It checks every length that the other modules rely on, and nothing else: no relocations, imports or resources.
//! Not a loader. Callers: `uki`, `authenticode`, `predict`.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::ops::Range;

/// More than any kernel or stub has; the format allows 65535.
const MAX_SECTIONS: usize = 96;
const COFF_HEADER: usize = 24; // signature included
/// Data directory 4 in the optional header: directories start at 112, 8 bytes each.
const SECURITY_ENTRY: usize = 112 + 8 * 4;
const SECURITY_DIRECTORY: u32 = 4;
pub(crate) const SECTION_HEADER: usize = 40;

/// Why bytes are not a usable PE32+ image.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// The file ends inside a structure.
    #[error("the file ends inside {what} at offset {offset}")]
    Truncated {
        /// The structure.
        what: &'static str,
        /// Where it starts.
        offset: usize,
    },
    /// No `MZ`, or no `PE\0\0` where it points.
    #[error("not a PE image")]
    NotPe,
    /// 32-bit images and ROM images are not booted by this product.
    #[error("not PE32+ (optional header magic {magic:#x})")]
    NotPe32Plus {
        /// As found.
        magic: u16,
    },
    /// More sections than any real image.
    #[error("{count} sections, at most 96 are read")]
    TooManySections {
        /// As found.
        count: usize,
    },
    /// Headers reach past `SizeOfHeaders`, or that past the file.
    #[error("headers do not fit in SizeOfHeaders {size}")]
    Headers {
        /// `SizeOfHeaders`.
        size: u32,
    },
    /// A section's bytes are not in the file.
    #[error("section {name:?} is outside the file")]
    Section {
        /// Its name.
        name: String,
    },
    /// The certificate table's directory entry points outside the file.
    #[error("the certificate table is outside the file")]
    CertificateTable,
    /// More than one section of a name that decides what is booted.
    #[error("two sections are called {name:?}")]
    Ambiguous {
        /// Their name.
        name: String,
    },
}

/// One section header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Up to 8 bytes, without trailing NULs; not necessarily text.
    pub name: Vec<u8>,
    /// Bytes in memory.
    pub virtual_size: u32,
    /// Address in memory, from the image's base.
    pub virtual_address: u32,
    /// Bytes in the file.
    pub raw_size: u32,
    /// Offset in the file.
    pub raw_offset: u32,
}

/// A parsed image over its bytes. All ranges it gives are inside the bytes.
#[derive(Debug, Clone)]
pub struct Image<'a> {
    bytes: &'a [u8],
    coff: usize,
    table: usize,
    machine: u16,
    subsystem: u16,
    section_alignment: u32,
    file_alignment: u32,
    size_of_headers: u32,
    sections: Vec<Section>,
    security_entry: Option<usize>,
    certificates: Option<Range<usize>>,
}

impl<'a> Image<'a> {
    /// Reads the headers.
    ///
    /// # Errors
    /// Anything that is not a PE32+ image with its headers, sections and certificate table inside `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        if bytes.get(..2) != Some(b"MZ".as_slice()) {
            return Err(ParseError::NotPe);
        }
        let coff = u32_at(bytes, 0x3c, "the DOS header")? as usize;
        let optional = add(coff, COFF_HEADER, "the COFF header")?;
        if bytes.get(coff..optional).and_then(|h| h.get(..4)) != Some(b"PE\0\0".as_slice()) {
            return Err(ParseError::NotPe);
        }
        let field16 = |base: usize, offset: usize| u16_at(bytes, base.saturating_add(offset), "the headers");
        let field32 = |base: usize, offset: usize| u32_at(bytes, base.saturating_add(offset), "the headers");
        let magic = field16(optional, 0)?;
        if magic != 0x20b {
            return Err(ParseError::NotPe32Plus { magic });
        }
        let optional_size = usize::from(field16(coff, 20)?);
        let mut image = Self {
            bytes,
            coff,
            table: add(optional, optional_size, "the optional header")?,
            machine: field16(coff, 4)?,
            subsystem: field16(optional, 68)?,
            section_alignment: field32(optional, 32)?,
            file_alignment: field32(optional, 36)?,
            size_of_headers: field32(optional, 60)?,
            sections: Vec::new(),
            security_entry: None,
            certificates: None,
        };
        let directories = field32(optional, 108)?;
        image.read_certificates(optional, optional_size, directories)?;
        image.read_sections(usize::from(field16(coff, 6)?))?;
        Ok(image)
    }

    fn read_certificates(
        &mut self,
        optional: usize,
        size: usize,
        directories: u32,
    ) -> Result<(), ParseError> {
        if directories <= SECURITY_DIRECTORY || size < SECURITY_ENTRY.saturating_add(8) {
            return Ok(());
        }
        let entry = add(optional, SECURITY_ENTRY, "the data directories")?;
        let offset = u32_at(self.bytes, entry, "the data directories")? as usize;
        let length = u32_at(self.bytes, entry.saturating_add(4), "the data directories")? as usize;
        self.security_entry = Some(entry);
        if length != 0 {
            let end = offset.checked_add(length).filter(|end| *end <= self.bytes.len());
            self.certificates = Some(offset..end.ok_or(ParseError::CertificateTable)?);
        }
        Ok(())
    }

    fn read_sections(&mut self, count: usize) -> Result<(), ParseError> {
        if count > MAX_SECTIONS {
            return Err(ParseError::TooManySections { count });
        }
        let length = count.saturating_mul(SECTION_HEADER);
        let end = add(self.table, length, "the section headers")?;
        let headers = self
            .bytes
            .get(self.table..end)
            .ok_or(ParseError::Truncated { what: "the section headers", offset: self.table })?;
        let size = self.size_of_headers;
        if end > size as usize || size as usize > self.bytes.len() {
            return Err(ParseError::Headers { size });
        }
        for header in headers.chunks_exact(SECTION_HEADER) {
            let section = Section::read(header)?;
            if section.raw_size != 0 && self.raw(&section).is_none() {
                return Err(ParseError::Section { name: section.label() });
            }
            self.sections.push(section);
        }
        Ok(())
    }

    /// All bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// `IMAGE_FILE_MACHINE_*`, 0x8664 for x86-64.
    #[must_use]
    pub fn machine(&self) -> u16 {
        self.machine
    }

    /// `IMAGE_SUBSYSTEM_*`, 10 for an EFI application.
    #[must_use]
    pub fn subsystem(&self) -> u16 {
        self.subsystem
    }

    /// Sections in the order of their headers.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section of this name.
    ///
    /// # Errors
    /// Two of them: which one counts would be the reader's choice.
    pub fn section(&self, name: &str) -> Result<Option<&Section>, ParseError> {
        let mut found = self.sections.iter().filter(|s| s.name == name.as_bytes());
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(ParseError::Ambiguous { name: name.into() }),
        }
    }

    /// A section's bytes in the file, padding included; `None` for a section of another image.
    #[must_use]
    pub fn raw(&self, section: &Section) -> Option<&'a [u8]> {
        let start = section.raw_offset as usize;
        self.bytes.get(start..start.checked_add(section.raw_size as usize)?)
    }

    /// A section's bytes as loaded, `virtual_size` long; `None` where memory would be longer than the file's part.
    #[must_use]
    pub fn data(&self, section: &Section) -> Option<&'a [u8]> {
        self.raw(section)?.get(..section.virtual_size as usize)
    }

    /// Where the attribute certificate table lies, if the image is signed.
    #[must_use]
    pub fn certificates(&self) -> Option<Range<usize>> {
        self.certificates.clone()
    }

    /// Offset of the `CheckSum` field.
    pub(crate) fn checksum_field(&self) -> usize {
        self.optional().saturating_add(64)
    }

    /// Offset of data directory 4, if the optional header has one.
    pub(crate) fn security_entry(&self) -> Option<usize> {
        self.security_entry
    }

    /// Offset of the COFF header's signature.
    pub(crate) fn coff(&self) -> usize {
        self.coff
    }

    /// Offset of the optional header.
    pub(crate) fn optional(&self) -> usize {
        self.coff.saturating_add(COFF_HEADER)
    }

    /// Offset of the first section header.
    pub(crate) fn table(&self) -> usize {
        self.table
    }

    pub(crate) fn section_alignment(&self) -> u32 {
        self.section_alignment
    }

    pub(crate) fn file_alignment(&self) -> u32 {
        self.file_alignment
    }

    pub(crate) fn size_of_headers(&self) -> usize {
        self.size_of_headers as usize
    }
}

impl Section {
    fn read(header: &[u8]) -> Result<Self, ParseError> {
        let name = header.get(..8).unwrap_or_default();
        let end = name.iter().rposition(|b| *b != 0).map_or(0, |last| last.saturating_add(1));
        let field = |offset| u32_at(header, offset, "a section header");
        Ok(Self {
            name: name.get(..end).unwrap_or_default().to_vec(),
            virtual_size: field(8)?,
            virtual_address: field(12)?,
            raw_size: field(16)?,
            raw_offset: field(20)?,
        })
    }

    /// The name for messages.
    #[must_use]
    pub fn label(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }
}

fn add(offset: usize, length: usize, what: &'static str) -> Result<usize, ParseError> {
    offset.checked_add(length).ok_or(ParseError::Truncated { what, offset })
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize, what: &'static str) -> Result<[u8; N], ParseError> {
    bytes
        .get(offset..)
        .and_then(|rest| rest.first_chunk::<N>())
        .copied()
        .ok_or(ParseError::Truncated { what, offset })
}

fn u16_at(bytes: &[u8], offset: usize, what: &'static str) -> Result<u16, ParseError> {
    array_at(bytes, offset, what).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize, what: &'static str) -> Result<u32, ParseError> {
    array_at(bytes, offset, what).map(u32::from_le_bytes)
}
