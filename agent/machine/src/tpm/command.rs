//! One command frame, one response frame (TPM 2.0 Library Part 1, 18; Part 3, 4). Not: what a command means.

use super::wire::{Reader, Short, Writer};

/// TPM_ST_NO_SESSIONS and TPM_ST_SESSIONS (Part 2, 6.9).
const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
/// TPM_RS_PW, the password pseudo-session.
const PASSWORD: u32 = 0x4000_0009;
/// TPMA_SESSION.continueSession: the session lives until it is flushed.
const CONTINUE_SESSION: u8 = 1;

/// Command codes (Part 2, 6.5.2), only those in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    /// TPM2_CreatePrimary
    CreatePrimary = 0x131,
    /// TPM2_Startup
    Startup = 0x144,
    /// TPM2_ActivateCredential
    ActivateCredential = 0x147,
    /// TPM2_Certify
    Certify = 0x148,
    /// TPM2_NV_Read
    NvRead = 0x14E,
    /// TPM2_PolicySecret
    PolicySecret = 0x151,
    /// TPM2_Quote
    Quote = 0x158,
    /// TPM2_Sign
    Sign = 0x15D,
    /// TPM2_FlushContext
    FlushContext = 0x165,
    /// TPM2_NV_ReadPublic
    NvReadPublic = 0x169,
    /// TPM2_ReadPublic
    ReadPublic = 0x173,
    /// TPM2_StartAuthSession
    StartAuthSession = 0x176,
    /// TPM2_GetCapability
    GetCapability = 0x17A,
    /// TPM2_PCR_Read
    PcrRead = 0x17E,
}

/// How one handle of a command is authorised.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Auth {
    /// The empty password, which fresh hierarchies and our keys have.
    Empty,
    /// A policy session that was already satisfied.
    Policy(u32),
}

/// A command before it is framed.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) code: Code,
    handles: Vec<u32>,
    auths: Vec<Auth>,
    params: Vec<u8>,
}

impl Command {
    pub(crate) fn new(code: Code) -> Self {
        Self { code, handles: Vec::new(), auths: Vec::new(), params: Vec::new() }
    }

    pub(crate) fn handle(mut self, handle: u32) -> Self {
        self.handles.push(handle);
        self
    }

    pub(crate) fn auth(mut self, auth: Auth) -> Self {
        self.auths.push(auth);
        self
    }

    pub(crate) fn params(mut self, params: Writer) -> Self {
        self.params = params.done();
        self
    }

    /// The frame as the TPM reads it.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut body = Writer::new();
        for handle in &self.handles {
            body = body.u32(*handle);
        }
        if !self.auths.is_empty() {
            let area = self.auths.iter().fold(Writer::new(), |w, auth| match auth {
                Auth::Empty => w.u32(PASSWORD).sized(&[]).u8(0).sized(&[]),
                Auth::Policy(session) => w.u32(*session).sized(&[]).u8(CONTINUE_SESSION).sized(&[]),
            });
            let area = area.done();
            // At most three authorisations of nine bytes.
            body = body.u32(u32::try_from(area.len()).unwrap_or(u32::MAX)).bytes(&area);
        }
        let body = body.bytes(&self.params).done();
        let tag = if self.auths.is_empty() { NO_SESSIONS } else { SESSIONS };
        let size = u32::try_from(body.len().saturating_add(10)).unwrap_or(u32::MAX);
        Writer::new().u16(tag).u32(size).u32(self.code as u32).bytes(&body).done()
    }
}

/// What a successful command answered.
#[derive(Debug)]
pub(crate) struct Response {
    handle: Option<u32>,
    params: Vec<u8>,
}

/// Whether the command's response begins with a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returns {
    Nothing,
    Handle,
}

impl Response {
    /// Reads a response frame. `Ok(Err(code))` is the TPM's own refusal.
    pub(crate) fn parse(frame: &[u8], returns: Returns) -> Result<Result<Self, u32>, Short> {
        let mut r = Reader::new(frame);
        let tag = r.u16()?;
        let size = r.u32()?;
        if usize::try_from(size).ok() != Some(frame.len()) {
            return Err(Short);
        }
        let code = r.u32()?;
        if code != 0 {
            return Ok(Err(code));
        }
        let handle = match returns {
            Returns::Handle => Some(r.u32()?),
            Returns::Nothing => None,
        };
        let params = match tag {
            SESSIONS => {
                let n = usize::try_from(r.u32()?).map_err(|_| Short)?;
                r.take(n)?
            }
            _ => r.rest(),
        };
        Ok(Ok(Self { handle, params: params.to_vec() }))
    }

    pub(crate) fn handle(&self) -> Result<u32, Short> {
        self.handle.ok_or(Short)
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::new(&self.params)
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        // ActivateCredential's answer is a secret, so that all of them are treated as one.
        zeroize::Zeroize::zeroize(&mut self.params);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_refusal_is_told_from_a_torn_frame() {
        let refused = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x09, 0x22];
        assert_eq!(Response::parse(&refused, Returns::Nothing).map(|r| r.map(|_| ())), Ok(Err(0x922)));
        assert!(Response::parse(&refused[..9], Returns::Nothing).is_err());
    }

    proptest! {
        #[test]
        fn responses_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), lie: bool) {
            let mut bytes = bytes;
            if !lie && bytes.len() >= 10 {
                let n = u32::try_from(bytes.len()).unwrap();
                bytes[2..6].copy_from_slice(&n.to_be_bytes());
                bytes[6..10].fill(0);
            }
            for returns in [Returns::Nothing, Returns::Handle] {
                if let Ok(Ok(r)) = Response::parse(&bytes, returns) {
                    let _ = r.handle();
                    let _ = r.reader().sized();
                }
            }
        }
    }
}
