//! Composes a Unified Kernel Image: systemd's stub with the kernel, initrd, command line and os-release as sections
//! (UAPI Group specification 5). What `objcopy --add-section` does, without its time stamp.
//!
//! Not signing (`authenticode`), not the prediction of PCRs (`predict`). New sections follow the stub's in file and
//! memory, `.linux` last, as systemd 252's manual and ukify order them: a kernel unpacked in place grows upwards.

use crate::pe::{Image, ParseError, SECTION_HEADER};

const EFI_APPLICATION: u16 = 10;
/// Pages of the firmware; the stub's own alignment may be smaller.
const PAGE: u32 = 4096;
/// `IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ`
const READ_ONLY_DATA: u32 = 0x4000_0040;
/// A loader may treat larger images as negative.
const MAX_IMAGE: u32 = 0x7fff_ffff;

/// What a UKI is made of.
#[derive(Debug, Clone, Copy)]
pub struct UkiParts<'a> {
    /// systemd-stub, unsigned.
    pub stub: &'a [u8],
    /// Text of os-release(5).
    pub osrel: &'a str,
    /// Kernel command line: printable ASCII.
    pub cmdline: &'a str,
    /// The kernel, a PE image itself (EFI stub), signed or not.
    pub linux: &'a [u8],
    /// The initramfs: all its members.
    pub initrd: &'a [u8],
    /// `uname -r` of the kernel.
    pub uname: Option<&'a str>,
    /// SBAT lines; only for a stub without its own.
    pub sbat: Option<&'a str>,
}

/// Why a UKI cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The stub is not a PE32+ image.
    #[error("the stub cannot be read")]
    Stub {
        /// What is wrong.
        #[source]
        source: ParseError,
    },
    /// The kernel is not a PE32+ image.
    #[error("the kernel cannot be read")]
    Linux {
        /// What is wrong.
        #[source]
        source: ParseError,
    },
    /// The stub is not an EFI application, is signed, or has gaps or alignments that loaders refuse.
    #[error("the stub cannot be extended: {why}")]
    UnfitStub {
        /// In a few words.
        why: &'static str,
    },
    /// Stub and kernel are for different processors.
    #[error("stub is for machine {stub:#06x}, kernel for {linux:#06x}")]
    Machine {
        /// Of the stub.
        stub: u16,
        /// Of the kernel.
        linux: u16,
    },
    /// A part is empty; the stub would not measure it.
    #[error("{section} is empty")]
    Empty {
        /// The section.
        section: &'static str,
    },
    /// A stub's section of that name would shadow ours.
    #[error("the stub has a {section} section already")]
    SectionPresent {
        /// The section.
        section: &'static str,
    },
    /// Control or non-ASCII characters.
    #[error("the command line is not printable ASCII")]
    Cmdline,
    /// No space between the section headers and the first section.
    #[error("the stub's headers have room for {room} more sections, {needed} are needed")]
    HeaderRoom {
        /// Free places.
        room: usize,
        /// New sections.
        needed: usize,
    },
    /// 2 GiB and more.
    #[error("the image would be 2 GiB or more")]
    TooLarge,
}

/// The unsigned UKI. `TimeDateStamp` and `CheckSum` are 0: the same parts give the same bytes.
///
/// # Errors
/// A stub or kernel that is no PE32+ image, or parts that do not fit together.
pub fn build(parts: &UkiParts<'_>) -> Result<Vec<u8>, BuildError> {
    let stub = Image::parse(parts.stub).map_err(|source| BuildError::Stub { source })?;
    let linux = Image::parse(parts.linux).map_err(|source| BuildError::Linux { source })?;
    if stub.machine() != linux.machine() {
        return Err(BuildError::Machine { stub: stub.machine(), linux: linux.machine() });
    }
    let additions = additions(parts)?;
    check_stub(&stub, &additions)?;
    let mut writer = Writer::new(&stub)?;
    for (name, data) in &additions {
        writer.append(name, data)?;
    }
    writer.finish(&stub, additions.len())
}

type Addition<'a> = (&'static str, &'a [u8]);

fn additions<'a>(parts: &UkiParts<'a>) -> Result<Vec<Addition<'a>>, BuildError> {
    if !parts.cmdline.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Err(BuildError::Cmdline);
    }
    let mut list = vec![(".osrel", parts.osrel.as_bytes()), (".cmdline", parts.cmdline.as_bytes())];
    list.extend(parts.uname.map(|text| (".uname", text.as_bytes())));
    list.extend(parts.sbat.map(|text| (".sbat", text.as_bytes())));
    list.extend([(".initrd", parts.initrd), (".linux", parts.linux)]);
    match list.iter().find(|(_, data)| data.is_empty()) {
        Some((section, _)) => Err(BuildError::Empty { section }),
        None => Ok(list),
    }
}

fn check_stub(stub: &Image<'_>, additions: &[Addition<'_>]) -> Result<(), BuildError> {
    let unfit = |why| Err(BuildError::UnfitStub { why });
    if stub.subsystem() != EFI_APPLICATION {
        return unfit("not an EFI application");
    }
    if stub.certificates().is_some() {
        return unfit("it is signed");
    }
    if stub.security_entry().is_none() {
        return unfit("it has no place for a signature");
    }
    let aligned = |a: u32| a.is_power_of_two() && (0x20..=0x10000).contains(&a);
    if !aligned(stub.file_alignment()) || !aligned(stub.section_alignment()) {
        return unfit("odd alignment");
    }
    for (section, _) in additions {
        if stub.sections().iter().any(|s| s.name == section.as_bytes()) {
            return Err(BuildError::SectionPresent { section });
        }
    }
    let used = stub.table() + stub.sections().len() * SECTION_HEADER;
    let first_raw = stub.sections().iter().filter(|s| s.raw_size != 0).map(|s| s.raw_offset as usize).min();
    let limit = first_raw.unwrap_or(usize::MAX).min(stub.size_of_headers());
    let room = limit.saturating_sub(used) / SECTION_HEADER;
    if room < additions.len() {
        return Err(BuildError::HeaderRoom { room, needed: additions.len() });
    }
    Ok(())
}

/// The growing image and where the next section goes.
struct Writer {
    out: Vec<u8>,
    next_header: usize,
    next_address: u32,
    data_size: u32,
    file_alignment: u32,
    section_alignment: u32,
}

impl Writer {
    /// Takes the stub up to the end of its last section. What follows (COFF symbols) is dropped: it would lie in a
    /// gap between sections, and loaders and signers disagree about the digest of images with gaps.
    fn new(stub: &Image<'_>) -> Result<Self, BuildError> {
        let mut raw: Vec<_> = stub.sections().iter().filter(|s| s.raw_size != 0).collect();
        raw.sort_by_key(|s| s.raw_offset);
        let mut end = stub.size_of_headers();
        for section in raw {
            if section.raw_offset as usize != end {
                return Err(BuildError::UnfitStub { why: "its sections have gaps or overlap" });
            }
            end += section.raw_size as usize;
        }
        if !end.is_multiple_of(stub.file_alignment() as usize) {
            return Err(BuildError::UnfitStub { why: "its last section is not padded" });
        }
        let memory_end = |s: &crate::pe::Section| {
            s.virtual_address.checked_add(s.virtual_size.max(s.raw_size)).ok_or(BuildError::TooLarge)
        };
        let ends = stub.sections().iter().map(memory_end).collect::<Result<Vec<_>, _>>()?;
        let out = stub.bytes().get(..end).ok_or(BuildError::TooLarge)?.to_vec();
        Ok(Self {
            out,
            next_header: stub.table() + stub.sections().len() * SECTION_HEADER,
            next_address: ends.into_iter().max().unwrap_or(0),
            data_size: 0,
            file_alignment: stub.file_alignment(),
            section_alignment: stub.section_alignment(),
        })
    }

    fn append(&mut self, name: &str, data: &[u8]) -> Result<(), BuildError> {
        let virtual_size = fitting(data.len())?;
        let address = align(self.next_address, self.section_alignment.max(PAGE))?;
        let raw_size = align(virtual_size, self.file_alignment)?;
        let raw_offset = fitting(self.out.len())?;
        let mut header = [0; SECTION_HEADER];
        put(&mut header, 0, name.as_bytes());
        put(&mut header, 8, &virtual_size.to_le_bytes());
        put(&mut header, 12, &address.to_le_bytes());
        put(&mut header, 16, &raw_size.to_le_bytes());
        put(&mut header, 20, &raw_offset.to_le_bytes());
        put(&mut header, 36, &READ_ONLY_DATA.to_le_bytes());
        put(&mut self.out, self.next_header, &header);
        self.next_header += SECTION_HEADER;
        self.out.extend_from_slice(data);
        self.out.resize(raw_offset as usize + raw_size as usize, 0);
        self.next_address = address.checked_add(virtual_size).ok_or(BuildError::TooLarge)?;
        self.data_size = self.data_size.checked_add(raw_size).ok_or(BuildError::TooLarge)?;
        Ok(())
    }

    fn finish(mut self, stub: &Image<'_>, added: usize) -> Result<Vec<u8>, BuildError> {
        let size_of_image = align(self.next_address, self.section_alignment)?;
        if size_of_image > MAX_IMAGE || self.out.len() > MAX_IMAGE as usize {
            return Err(BuildError::TooLarge);
        }
        let count = u16::try_from(stub.sections().len() + added).map_err(|_| BuildError::TooLarge)?;
        let (coff, optional) = (stub.coff(), stub.optional());
        let initialised = stub.bytes().get(optional + 8..).and_then(|b| b.first_chunk::<4>());
        let initialised = initialised.map_or(0, |b| u32::from_le_bytes(*b)).wrapping_add(self.data_size);
        put(&mut self.out, coff + 6, &count.to_le_bytes());
        put(&mut self.out, coff + 8, &[0; 12]); // TimeDateStamp, and the symbols that were dropped
        put(&mut self.out, optional + 8, &initialised.to_le_bytes());
        put(&mut self.out, optional + 56, &size_of_image.to_le_bytes());
        put(&mut self.out, stub.checksum_field(), &[0; 4]);
        Ok(self.out)
    }
}

/// Writes over `bytes` at `offset`. The callers' offsets are inside: headers that `Image::parse` read, or new ones
/// for which `check_stub` found room.
fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}

fn fitting(length: usize) -> Result<u32, BuildError> {
    u32::try_from(length).ok().filter(|l| *l <= MAX_IMAGE).ok_or(BuildError::TooLarge)
}

fn align(value: u32, alignment: u32) -> Result<u32, BuildError> {
    value.checked_next_multiple_of(alignment).filter(|v| *v <= MAX_IMAGE).ok_or(BuildError::TooLarge)
}
