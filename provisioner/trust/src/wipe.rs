//! Is a disk proven to be wiped? Site key, plan, AK, quote, report: each link is checked, then the driver is told.
//!
//! The proof stands for itself, so nothing is remembered between plan and proof: a restart loses none, and a stored proof can
//! be judged again with [`judge`]. Called by the host side of the server.

use std::sync::Arc;

use cairn_contract::{DiskSelector, ReportReply, WipePlan, WipeProof, WipeReport, wipe::wipe_binding};
use cairn_domain::{Event, Fact, Host, Level, Note, State, Subject, fact::plain, host::Retirement};
use cairn_evidence::{
    AkPublic, Clock, Statement,
    ak::AkRefusal,
    pcr::{BOOT_PCRS, PcrValues},
    quote::{self, Demand, QuoteRefusal},
};
use cairn_store::{ReadError, ReportError};
use ed25519_dalek::VerifyingKey;

use crate::{Attestation, session::chain};

/// Most bytes of a report; ours has some 600.
const MAX_REPORT: usize = 16 << 10;

/// Why a proof proves nothing: one variant for each check.
#[derive(Debug, thiserror::Error)]
pub enum WipeRefusal {
    /// The plan is not this site's.
    #[error("the wipe's plan is not this site's")]
    Plan(#[from] cairn_contract::signed::SignatureError),
    /// The key is no attestation key.
    #[error("the wipe was signed by no attestation key")]
    Ak(#[from] AkRefusal),
    /// Another TPM's key.
    #[error("the wipe was signed by another tpm than its plan is for")]
    OtherAk,
    /// The plan names PCRs that this site does not ask for.
    #[error("the wipe's plan names other pcrs than this site quotes")]
    Pcrs,
    /// The quote does not hold.
    #[error("the wipe's quote does not hold")]
    Quote(#[from] QuoteRefusal),
    /// The report is too long.
    #[error("the wipe's report has more than {MAX_REPORT} bytes")]
    TooLong,
    /// The report cannot be read.
    #[error("the wipe's report is not understood")]
    Report(#[source] serde_json::Error),
    /// The report is of another wipe or disk than the plan.
    #[error("the wipe's report does not fit its plan: {0}")]
    OtherThanPlanned(&'static str),
    /// What was read back is not zero everywhere, or was not read at the chosen places.
    #[error("the wiped disk was not read back as zeros at the chosen places")]
    NotZero,
}

/// Why a proof could not be taken. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum WipedError {
    /// Looking up.
    #[error("cannot look up the host")]
    Read(#[from] ReadError),
    /// Recording.
    #[error("cannot record the wipe")]
    Report(#[from] ReportError),
}

/// A proof that holds.
#[derive(Debug)]
pub struct Wiped {
    /// The plan that was carried out.
    pub plan: WipePlan,
    /// What was done.
    pub report: WipeReport,
    /// The TPM's clock when it signed.
    pub clock: Clock,
}

/// Judges a proof by itself, at any time, with the site's public key (attestation.md rules 6, 8, 21).
///
/// # Errors
/// The first check that fails.
pub fn judge(proof: &WipeProof, site: &VerifyingKey) -> Result<Wiped, WipeRefusal> {
    let plan = proof.plan.verify(site)?;
    let ak = AkPublic::parse(&proof.ak_public.0)?;
    if ak.name().as_bytes().get(2..) != Some(plan.ak_name.0.as_slice()) {
        return Err(WipeRefusal::OtherAk);
    }
    let clock = quoted(proof, &plan, &ak)?;
    if proof.report.len() > MAX_REPORT {
        return Err(WipeRefusal::TooLong);
    }
    let report: WipeReport = serde_json::from_str(&proof.report).map_err(WipeRefusal::Report)?;
    fits(&report, &plan)?;
    if (report.samples, report.samples_sha256) != plan.all_zero(report.bytes) {
        return Err(WipeRefusal::NotZero);
    }
    Ok(Wiped { plan, report, clock })
}

fn quoted(proof: &WipeProof, plan: &WipePlan, ak: &AkPublic) -> Result<Clock, WipeRefusal> {
    if !plan.pcrs.iter().copied().eq(BOOT_PCRS.iter()) || plan.pcr_values.len() != plan.pcrs.len() {
        return Err(WipeRefusal::Pcrs);
    }
    let mut values = PcrValues::default();
    for (pcr, value) in BOOT_PCRS.iter().zip(&plan.pcr_values) {
        values.set(pcr, cairn_evidence::Digest(value.0)).map_err(|_| WipeRefusal::Pcrs)?;
    }
    let statement = Statement { message: &proof.quote.0, signature: &proof.signature.0 };
    let nonce = wipe_binding(&plan.nonce, &proof.report);
    let quoted = quote::verify(&statement, ak, &Demand { nonce: &nonce, pcrs: BOOT_PCRS }, &values)?;
    Ok(quoted.clock)
}

/// Is it this wipe, of the planned disk, all of it?
fn fits(report: &WipeReport, plan: &WipePlan) -> Result<(), WipeRefusal> {
    let DiskSelector { min_size, max_size, transports, serial } = &plan.disk;
    let disk = &report.disk;
    let block = u64::from(disk.block_size.max(512));
    let checks = [
        (report.wipe == plan.wipe, "it is of another wipe"),
        (report.bytes > 0 && report.bytes == disk.size / block * block, "it is not of the whole disk"),
        (!disk.removable, "its disk is removable"),
        (min_size.is_none_or(|min| disk.size >= min), "its disk is smaller"),
        (max_size.is_none_or(|max| disk.size <= max), "its disk is larger"),
        (transports.is_empty() || transports.contains(&disk.transport), "its disk is attached otherwise"),
        (serial.as_deref().is_none_or(|s| s.trim() == disk.serial), "its disk has another serial number"),
    ];
    let failed = checks.into_iter().find(|(holds, _)| !holds);
    failed.map_or(Ok(()), |(_, what)| Err(WipeRefusal::OtherThanPlanned(what)))
}

impl Attestation {
    /// Takes a proof. A proof that does not hold moves nothing: anybody can send one.
    ///
    /// # Errors
    /// When it holds and cannot be recorded: worth sending again.
    pub async fn wiped(&self, proof: WipeProof) -> Result<ReportReply, WipedError> {
        let stop = |why: String| Ok(ReportReply::Stop { why });
        // Only the installer that opened a plan can show one: what is not ours makes no line on any timeline.
        let Ok(plan) = proof.plan.verify(&self.keys.signing.verifying_key()) else {
            return stop("its plan is not this site's".into());
        };
        let Some(host) = self.store.host(plan.host).await? else {
            return stop("the host was removed".into());
        };
        match &host.state {
            State::Wiping { install, .. } if *install == plan.wipe => {}
            // The answer was lost.
            State::Retired { as_of } if as_of.report.wipe == plan.wipe => return Ok(ReportReply::Continue),
            other => return stop(format!("the host is {}", other.word())),
        }
        match self.hold(&proof, &host).await {
            Ok(wiped) => self.retire(&host, wiped, proof).await,
            Err(why) => {
                let note = Note::new(Level::Bad, "wipe.refused", &why);
                self.reporter
                    .report(Fact { subject: Subject::Host(host.id), event: None, note: Some(note) })
                    .await?;
                stop(why)
            }
        }
    }

    /// [`judge`], off the runtime's thread, and not older than the last word of this TPM.
    async fn hold(&self, proof: &WipeProof, host: &Host) -> Result<Wiped, String> {
        let (proof, key) = (Arc::new(proof.clone()), self.keys.signing.verifying_key());
        let judged = tokio::task::spawn_blocking(move || judge(&proof, &key)).await;
        let wiped = judged.map_err(|e| chain(&e))?.map_err(|e| chain(&e))?;
        if let Some(ek) = host.ek {
            self.clocks.advance(ek, wiped.clock).map_err(|e| chain(&e))?;
        }
        Ok(wiped)
    }

    async fn retire(&self, host: &Host, wiped: Wiped, proof: WipeProof) -> Result<ReportReply, WipedError> {
        let Wiped { plan, report, .. } = wiped;
        let note = Note::new(Level::Good, "wipe.proven", describe(&report));
        let retirement = Retirement { at: self.clock.now(), ek: host.ek, report, proof };
        let event = Event::WipeProven(plan.wipe, Box::new(retirement));
        let fact = Fact { subject: Subject::Host(host.id), event: Some(event), note: Some(note) };
        let now = self.reporter.report(fact).await?.host.map(|h| h.state);
        Ok(match now {
            Some(State::Retired { .. }) => ReportReply::Continue,
            Some(other) => ReportReply::Stop { why: format!("the host is {} now", other.word()) },
            None => ReportReply::Stop { why: "the host was removed".into() },
        })
    }
}

fn describe(report: &WipeReport) -> String {
    let disk = &report.disk;
    let said = |text: &str| if text.is_empty() { "-".to_owned() } else { plain(text, 80) };
    let seconds = report.finished.0.saturating_sub(report.started.0).max(0) / 1000;
    format!(
        "its TPM signed that {} ({}, serial {}) is wiped: {} bytes, {}, in {seconds} s; {} places were read back as zero",
        plain(&disk.name, 40),
        said(&disk.model),
        said(&disk.serial),
        report.bytes,
        report.method(),
        report.samples
    )
}
