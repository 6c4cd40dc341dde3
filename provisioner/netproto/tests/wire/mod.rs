//! Writes client packets for tests, field by field, so that each rule can be tried without a capture.
#![allow(dead_code, reason = "each test binary uses a part")]

/// A client's DHCP packet.
#[derive(Clone)]
pub(crate) struct Packet {
    pub(crate) flags: u16,
    pub(crate) ciaddr: [u8; 4],
    pub(crate) giaddr: [u8; 4],
    pub(crate) chaddr: [u8; 6],
    pub(crate) options: Vec<(u8, Vec<u8>)>,
    pub(crate) file: Vec<u8>,
    pub(crate) sname: Vec<u8>,
}

impl Packet {
    /// A message of this type from one machine.
    pub(crate) fn new(kind: u8) -> Self {
        Self {
            flags: 0,
            ciaddr: [0; 4],
            giaddr: [0; 4],
            chaddr: [0x52, 0x54, 0, 0x77, 0, 1],
            options: vec![(53, vec![kind])],
            file: Vec::new(),
            sname: Vec::new(),
        }
    }

    /// PXE firmware of this architecture.
    pub(crate) fn pxe(kind: u8, arch: u16) -> Self {
        let class = format!("PXEClient:Arch:{arch:05}:UNDI:003000");
        Self::new(kind).with(60, class.as_bytes()).with(93, &arch.to_be_bytes()).with(94, &[1, 3, 0])
    }

    /// HTTP boot firmware of this architecture.
    pub(crate) fn http(kind: u8, arch: u16) -> Self {
        let class = format!("HTTPClient:Arch:{arch:05}:UNDI:003000");
        Self::new(kind).with(60, class.as_bytes()).with(93, &arch.to_be_bytes()).with(94, &[1, 3, 0])
    }

    /// The same with one more option.
    pub(crate) fn with(mut self, code: u8, data: &[u8]) -> Self {
        self.options.push((code, data.to_vec()));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = vec![1, 1, 6, 0, 0xca, 0xfe, 0xba, 0xbe, 0, 0];
        out.extend(self.flags.to_be_bytes());
        out.extend(self.ciaddr);
        out.extend([0; 8]);
        out.extend(self.giaddr);
        out.extend(self.chaddr);
        out.extend([0; 10]);
        out.extend(field(&self.sname, 64));
        out.extend(field(&self.file, 128));
        out.extend([0x63, 0x82, 0x53, 0x63]);
        for (code, data) in &self.options {
            out.extend([*code, u8::try_from(data.len()).unwrap()]);
            out.extend(data);
        }
        out.push(255);
        out
    }
}

fn field(data: &[u8], len: usize) -> Vec<u8> {
    let mut out = data.to_vec();
    out.resize(len, 0);
    out
}
