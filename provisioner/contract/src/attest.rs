//! The attestation exchange (attestation.md rules 4-9, 16, 17): claim, challenge, evidence, verdict.

use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::{Digest, Hex, HostId, Mac},
    inventory::Inventory,
    plan::Plan,
    sealed::{Sealed, SessionKey},
    signed::Signed,
    wipe::WipePlan,
};

/// Which program speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The network-booted installer: asks for a plan.
    Installer,
    /// The agent in the installed OS: asks for a certificate.
    Os,
}

/// The TPM's identity as the host presents it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TpmClaim {
    /// EK, TPMT_PUBLIC (TPM 2.0 Part 2 §12.2.4).
    pub ek_public: Hex,
    /// EK certificate for that key, DER, when the TPM's NV holds one.
    pub ek_certificate: Option<Hex>,
    /// Certificates above it that the NV holds (0x01C00100 and up), DER.
    #[serde(default)]
    pub ek_chain: Vec<Hex>,
    /// AK, TPMT_PUBLIC.
    pub ak_public: Hex,
}

/// First words of a host on a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Which program speaks.
    pub stage: Stage,
    /// Random for each power-on.
    pub boot_id: Uuid,
    /// The interface that reached us.
    pub boot_mac: Mac,
    /// Parts, unproven.
    pub inventory: Inventory,
    /// Absent: this host has no TPM that works.
    pub tpm: Option<TpmClaim>,
}

/// What comes back to a [`Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum HelloReply {
    /// Prove it, on this very connection, within `expires_s`.
    Challenge(Challenge),
    /// Known or not, nothing is decided yet: ask again later.
    Wait {
        /// For the host's console.
        why: String,
        /// Seconds.
        retry_after_s: u32,
    },
    /// No.
    Refused {
        /// For the host's console.
        why: String,
        /// Seconds until asking again makes sense.
        retry_after_s: u32,
    },
}

/// TPM2_MakeCredential's output and what to quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Names this exchange; single use.
    pub session: Uuid,
    /// TPM2B_ID_OBJECT.
    pub credential: Hex,
    /// TPM2B_ENCRYPTED_SECRET.
    pub secret: Hex,
    /// Goes into [`quote_binding`].
    pub nonce: Hex,
    /// PCR indices of the SHA-256 bank to quote, ascending.
    pub pcrs: Vec<u8>,
    /// Seconds until the challenge dies.
    pub expires_s: u32,
}

/// The TLS key of the agent, made in the TPM and certified by the AK.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsKeyClaim {
    /// TPMT_PUBLIC of the key.
    pub public: Hex,
    /// TPMS_ATTEST of TPM2_Certify with the quote's qualifying data.
    pub attest: Hex,
    /// TPMT_SIGNATURE over it by the AK.
    pub signature: Hex,
}

/// What a host answers to a [`Challenge`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// From the challenge.
    pub session: Uuid,
    /// [`proof_of_activation`].
    pub proof: Hex,
    /// TPMS_ATTEST of TPM2_Quote.
    pub quote: Hex,
    /// TPMT_SIGNATURE over it by the AK.
    pub signature: Hex,
    /// Quoted PCR values, in the challenge's order.
    pub pcr_values: Vec<Digest>,
    /// The TCG event log as the kernel shows it.
    pub event_log: Hex,
    /// Only in [`Stage::Os`].
    pub tls_key: Option<TlsKeyClaim>,
}

/// What comes back to [`Evidence`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Verdict {
    /// Proven: the plan, readable only with the key that came through the TPM.
    Install {
        /// Sealed under [`SessionKey`], purpose `plan`.
        plan: Sealed<Signed<Plan>>,
    },
    /// Proven: the plan to wipe its disk. An installer that does not know this word goes no further.
    Wipe {
        /// Sealed under [`SessionKey`], purpose `wipe plan`.
        plan: Sealed<Signed<WipePlan>>,
    },
    /// Proven: this host's certificate.
    Enrolled {
        /// Who it is.
        host: HostId,
        /// Leaf first, DER.
        certificates: Vec<Hex>,
        /// Seconds after which it should attest and renew.
        renew_after_s: u32,
        /// Seconds between heartbeats.
        heartbeat_s: u32,
    },
    /// Proven, and there is nothing to do: boot from the disk.
    BootDisk {
        /// For the host's console.
        why: String,
    },
    /// Not now.
    Wait {
        /// For the host's console.
        why: String,
        /// Seconds.
        retry_after_s: u32,
    },
    /// The evidence was refused; the host is in quarantine.
    Refused {
        /// For the host's console.
        why: String,
        /// Seconds until asking again makes sense.
        retry_after_s: u32,
    },
}

/// Qualifying data of the quote: binds the TPM's answer to the nonce and to the TLS connection (RFC 9266 exporter).
pub fn quote_binding(nonce: &[u8], tls_exporter: &[u8; 32]) -> [u8; 32] {
    let mut cx = digest::Context::new(&digest::SHA256);
    cx.update(b"cairn quote v1\0");
    cx.update(tls_exporter);
    cx.update(nonce);
    let mut out = [0; 32];
    out.copy_from_slice(cx.finish().as_ref());
    out
}

/// Shows that TPM2_ActivateCredential gave the secret, without sending it.
pub fn proof_of_activation(key: &SessionKey, session: Uuid, nonce: &[u8]) -> Hex {
    let mac = hmac::Key::new(hmac::HMAC_SHA256, key.derive("activation proof").as_ref());
    let mut cx = hmac::Context::with_key(&mac);
    cx.update(session.as_bytes());
    cx.update(nonce);
    Hex(cx.sign().as_ref().to_vec())
}

/// Checks [`proof_of_activation`] in constant time.
pub fn is_proof_of_activation(key: &SessionKey, session: Uuid, nonce: &[u8], proof: &Hex) -> bool {
    let mac = hmac::Key::new(hmac::HMAC_SHA256, key.derive("activation proof").as_ref());
    let mut message = session.as_bytes().to_vec();
    message.extend_from_slice(nonce);
    hmac::verify(&mac, &message, &proof.0).is_ok()
}
