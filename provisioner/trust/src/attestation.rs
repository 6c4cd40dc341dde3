//! The attestation service: claim, challenge, evidence, verdict (attestation.md rules 4-9, 13, 16, 17).
//!
//! ```text
//!  hello     EK chain, class, AK --ok--> who is it? --> challenge (60 s, this connection, once)
//!               | no: note only; a claim without proof moves nobody into quarantine
//!  evidence  activation proof --ok--> quote --ok--> log, PCR 4 and 11 --ok--> driver: InstallerProven / AgentProven
//!               | no: note only      | no: the TPM is proven, so: quarantine        | plan sealed / certificate
//! ```

use std::sync::Arc;

use cairn_contract::{
    Evidence, Hello, HelloReply, HostId, Stage, Verdict,
    attest::{Challenge, TpmClaim},
};
use cairn_domain::{
    Event, Fact, Host, Level, Note, State, Subject, Why, claim,
    fact::Claim,
    identify::{Identity, identify},
    model::Uid,
    policies::{self, Defaults, HostPolicy},
    policy::TpmClass,
};
use cairn_evidence::{AkPublic, ek};
use cairn_store::{Catalog, Clock, Recognition, Reporter, Store};
use rustls_pki_types::CertificateDer;

use crate::{
    SiteKeys,
    bounded::bounded,
    ca,
    clocks::Clocks,
    roots::Roots,
    session::{Refused, Session, class_word, tpm_class},
};

/// Seconds that a challenge lives (rule 7).
const CHALLENGE_S: u32 = 60;
/// Seconds after which a waiting host asks again.
const ASK_AGAIN_S: u32 = 10;
const REFUSED_AGAIN_S: u32 = 60;
const HEARTBEAT_S: u32 = 10;

/// What a site believes and gives.
#[derive(Debug)]
pub struct Attestation {
    /// Name of the site.
    pub site: String,
    /// Keys.
    pub keys: Arc<SiteKeys>,
    /// TPM makers.
    pub roots: Roots,
    /// What applies where no policy says otherwise.
    pub defaults: Arc<Defaults>,
    /// Records.
    pub store: Store,
    /// All resources.
    pub catalog: Catalog,
    /// The driver.
    pub reporter: Arc<dyn Reporter>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The last quote of each TPM.
    pub clocks: Clocks,
}

/// The attestation of one TLS connection: its session lives and dies with it.
#[derive(Debug)]
pub struct Exchange {
    service: Arc<Attestation>,
    exporter: [u8; 32],
    session: tokio::sync::Mutex<Option<Session>>,
}

impl Attestation {
    /// For one connection, whose RFC 9266 exporter value this is.
    pub fn exchange(self: Arc<Self>, exporter: [u8; 32]) -> Exchange {
        Exchange { service: self, exporter, session: tokio::sync::Mutex::new(None) }
    }

    /// Who a client certificate, which TLS verified against the site CA, says it is.
    pub fn host_of(&self, certificate: &CertificateDer<'_>) -> Option<HostId> {
        ca::host_of(certificate, &self.site)
    }

    /// Checks what a TPM claims to be.
    fn appraise_claim(&self, tpm: &TpmClaim) -> Result<Claimed, Refused> {
        let ek = ek::EkPublic::parse(&tpm.ek_public.0).map_err(|e| Refused::tpm(&e))?;
        let ak = AkPublic::parse(&tpm.ak_public.0).map_err(|e| Refused::tpm(&e))?;
        let (class, maker) = match &tpm.ek_certificate {
            None => (TpmClass::NoCertificate, String::new()),
            Some(certificate) => {
                let presented = tpm.ek_chain.iter().map(|c| c.0.as_slice());
                let between: Vec<&[u8]> =
                    presented.chain(self.roots.intermediates.iter().map(Vec::as_slice)).collect();
                let evidence = ek::EkEvidence { certificate: &certificate.0, intermediates: &between };
                let roots: Vec<&[u8]> = self.roots.roots.iter().map(Vec::as_slice).collect();
                let trust = ek::EkTrust { roots: &roots, crls: &[] };
                let at = u64::try_from(self.clock.now().seconds()).unwrap_or(0);
                let proven = ek::verify_chain(&ek, &evidence, &trust, at).map_err(|e| Refused::tpm(&e))?;
                (tpm_class(proven.class), format!(" by {} {}", proven.manufacturer, proven.model))
            }
        };
        Ok(Claimed { ek, ak, class, what: format!("{}{maker}", class_word(class)) })
    }

    /// What applies to the host that claims, or would where a claim rule puts it.
    fn policy_of(&self, claim: &Claim, known: Option<&Host>) -> HostPolicy {
        let index = self.catalog.index();
        let placed = || claim::place(&index, claim).map(|place| place.at);
        let node = known.map(|host| host.id.into()).or_else(placed).unwrap_or(Uid::nil());
        policies::effective(&index, node, &self.defaults)
    }

    fn tell(&self, subject: Subject, event: Option<Event>, note: Note) {
        self.reporter.observe(Fact { subject, event, note: Some(note) });
    }
}

struct Claimed {
    ek: ek::EkPublic,
    ak: AkPublic,
    class: TpmClass,
    what: String,
}

impl Exchange {
    /// A host's first words.
    pub async fn hello(&self, hello: Hello) -> HelloReply {
        let mut session = self.session.lock().await;
        *session = None;
        match self.challenge(hello).await {
            Ok((challenge, new)) => {
                *session = Some(new);
                HelloReply::Challenge(challenge)
            }
            Err(reply) => reply,
        }
    }

    async fn challenge(&self, hello: Hello) -> Result<(Challenge, Session), HelloReply> {
        let service = &self.service;
        let machine = Subject::Machine { mac: hello.boot_mac, uuid: uuid_of(&hello) };
        let refuse = |refused: Refused| {
            service.tell(
                machine.clone(),
                None,
                Note::new(Level::Bad, "attest.refused", refused.0.to_string()),
            );
            HelloReply::Refused { why: refused.0.to_string(), retry_after_s: REFUSED_AGAIN_S }
        };
        let no_tpm = || refuse(Refused(Why::TpmRefused("it has none that works".into())));
        let tpm = hello.tpm.as_ref().ok_or_else(no_tpm)?;
        let claimed = service.appraise_claim(tpm).map_err(refuse)?;
        let claim = Claim {
            ek: cairn_contract::Digest(claimed.ek.spki_sha256().0),
            boot_mac: hello.boot_mac,
            inventory: bounded(hello.inventory.clone()),
            class: Some(claimed.class),
        };
        let known = self.known(&claim).await.map_err(|error| unavailable(error.as_ref()))?;
        if let Some(wait) = known.as_ref().and_then(|host| not_now(host, hello.stage)) {
            return Err(wait);
        }
        if !service.policy_of(&claim, known.as_ref()).policy.tpm_classes.contains(&claimed.class) {
            let text = format!(
                "it is a {}, and policy does not accept those (attestation.tpmClasses)",
                claimed.what
            );
            return Err(refuse(Refused(Why::TpmRefused(text))));
        }
        let is_expected = known.as_ref().is_some_and(|host| host.spec.ek == Some(claim.ek));
        if claimed.class == TpmClass::NoCertificate && !is_expected {
            // Nobody vouches for it, so anybody could have made it: a name it claims introduces nobody.
            let text = format!("it has no certificate, and no host is registered with its EK {}", claim.ek);
            return Err(refuse(Refused(Why::TpmRefused(text))));
        }
        let note = Note::new(
            Level::Info,
            "attest.claimed",
            format!("claims a {}; challenged to prove it", claimed.what),
        );
        let subject = known.as_ref().map_or_else(|| machine.clone(), |host| Subject::Host(host.id));
        let fact = Fact {
            subject,
            event: (hello.stage == Stage::Installer).then_some(Event::Claimed),
            note: Some(note),
        };
        service.reporter.report(fact).await.map_err(|error| unavailable(&error))?;
        let until = service.clock.now().after_seconds(CHALLENGE_S);
        Session::open(&claimed.ek, claimed.ak, claim, hello.stage, until)
            .map_err(|error| refuse(Refused::tpm(&error)))
    }

    async fn known(&self, claim: &Claim) -> Result<Option<Host>, Box<dyn std::error::Error + Send + Sync>> {
        let mut candidates = self.service.store.candidates(claim).await?;
        Ok(match identify(claim, &candidates) {
            Identity::Known(i) => Some(candidates.swap_remove(i)),
            Identity::Unknown | Identity::Conflict { .. } => None,
        })
    }

    /// A host's evidence for the challenge of this very connection.
    pub async fn evidence(&self, evidence: Evidence) -> Verdict {
        let session = self.session.lock().await.take();
        let live = |s: &Session| s.id == evidence.session && self.service.clock.now() < s.until;
        let Some(session) = session.filter(live) else {
            return Verdict::Refused {
                why: "no such challenge, or it has expired: start again".into(),
                retry_after_s: 1,
            };
        };
        if let Err(refused) = session.check_activation(&evidence) {
            // Whoever this is does not hold the EK: nothing may happen to the host of that name.
            let machine = Subject::Machine { mac: session.claim.boot_mac, uuid: None };
            self.service.tell(machine, None, Note::new(Level::Bad, "attest.refused", refused.0.to_string()));
            return Verdict::Refused { why: refused.0.to_string(), retry_after_s: REFUSED_AGAIN_S };
        }
        let judged = match session.stage {
            Stage::Installer => self.installer(&session, &evidence).await,
            Stage::Os => self.os(&session, &evidence).await,
        };
        judged.unwrap_or_else(|error| {
            tracing::error!(error = error.as_ref(), "cannot judge evidence");
            Verdict::Wait { why: "the provisioner cannot record this now".into(), retry_after_s: ASK_AGAIN_S }
        })
    }

    async fn installer(&self, session: &Session, evidence: &Evidence) -> Result<Verdict, AnyError> {
        let references = self.service.installer_references().await?;
        let appraised = session.appraise(evidence, &self.exporter, &references, &self.service.clocks);
        let claim = Box::new(session.claim.clone());
        let known = self.known(&claim).await?;
        let policy = self.service.policy_of(&claim, known.as_ref());
        let (level, report) = match appraised.and_then(|boot| boot.judge(policy.policy.mode)) {
            Ok(judged) => judged,
            Err(refused) => return self.refuse(session, refused).await,
        };
        if let Some(host) = known.as_ref().filter(|host| is_on_its_way_out(host)) {
            let note =
                Note::new(level, "attest.proven", format!("proved its TPM and its installer: {report}"));
            return self.wipe(session, evidence, host, note).await;
        }
        let Some(image) = self.service.plannable_image(policy.image.as_deref()).await? else {
            return self.no_image(session, known.as_ref(), policy.image).await;
        };
        let install = cairn_contract::InstallId(uuid::Uuid::now_v7());
        let note = Note::new(level, "attest.proven", format!("proved its TPM and its installer: {report}"));
        let fact = Fact {
            subject: Subject::Proven(claim),
            event: Some(Event::InstallerProven(install)),
            note: Some(note),
        };
        let new = crate::plan::new_install(session, &image);
        let outcome = self.service.reporter.report_install(fact, new).await?;
        let Some(host) = outcome.host else { return Ok(ask_again("the host was removed")) };
        match &host.state {
            State::Installing { install: now, .. } if *now == install => {
                let plan = self.service.plan(&host, install, session, &image)?;
                Ok(Verdict::Install { plan })
            }
            _ => Ok(verdict_by_state(&host, outcome.recognition)),
        }
    }

    /// A host that is to leave gets the plan to wipe the disk that was installed.
    async fn wipe(
        &self,
        session: &Session,
        evidence: &Evidence,
        host: &Host,
        note: Note,
    ) -> Result<Verdict, AnyError> {
        let disk = self.service.disk_of(host).await?;
        let wipe = cairn_contract::InstallId(uuid::Uuid::now_v7());
        let fact = Fact {
            subject: Subject::Proven(Box::new(session.claim.clone())),
            event: Some(Event::InstallerProven(wipe)),
            note: Some(note),
        };
        let new = crate::plan::new_wipe(session, host);
        let outcome = self.service.reporter.report_install(fact, new).await?;
        let Some(host) = outcome.host else { return Ok(ask_again("the host was removed")) };
        match &host.state {
            State::Wiping { install: now, .. } if *now == wipe => {
                let plan = self.service.wipe_plan((host.id, wipe), disk, session, evidence)?;
                Ok(Verdict::Wipe { plan })
            }
            _ => Ok(verdict_by_state(&host, outcome.recognition)),
        }
    }

    async fn os(&self, session: &Session, evidence: &Evidence) -> Result<Verdict, AnyError> {
        let claim = Box::new(session.claim.clone());
        let known = self.known(&claim).await?;
        let references = self.service.os_references(known.as_ref()).await?;
        let appraised = session.appraise(evidence, &self.exporter, &references, &self.service.clocks);
        let mode = self.service.policy_of(&claim, known.as_ref()).policy.mode;
        let judged = appraised.and_then(|boot| boot.judge(mode));
        let proven = judged.and_then(|judged| Ok((judged, session.tls_key(evidence, &self.exporter)?)));
        let ((level, report), key) = match proven {
            Ok(proven) => proven,
            Err(refused) => return self.refuse(session, refused).await,
        };
        let note = Note::new(level, "attest.proven", format!("its installed system proved itself: {report}"));
        let fact =
            Fact { subject: Subject::Proven(claim), event: Some(Event::AgentProven), note: Some(note) };
        let outcome = self.service.reporter.report(fact).await?;
        let Some(host) = outcome.host else { return Ok(ask_again("the host was removed")) };
        if !matches!(host.state, State::Running { .. }) {
            return Ok(verdict_by_state(&host, outcome.recognition));
        }
        let now = self.service.clock.now();
        let chain = ca::issue_host(&self.service.keys.site_ca, &self.service.site, host.id, &key, now)?;
        Ok(Verdict::Enrolled {
            host: host.id,
            certificates: chain.iter().map(|c| c.to_vec().into()).collect(),
            renew_after_s: ca::HOST_CERTIFICATE_S / 2,
            heartbeat_s: HEARTBEAT_S,
        })
    }

    /// The TPM is proven, what it booted is not, or its evidence is forged: quarantine.
    async fn refuse(&self, session: &Session, refused: Refused) -> Result<Verdict, AnyError> {
        let why = refused.0;
        let note = Note::new(Level::Bad, "attest.refused", why.to_string());
        let fact = Fact {
            subject: Subject::Proven(Box::new(session.claim.clone())),
            event: Some(Event::Refused(why.clone())),
            note: Some(note),
        };
        self.service.reporter.report(fact).await?;
        Ok(Verdict::Refused { why: why.to_string(), retry_after_s: REFUSED_AGAIN_S })
    }

    async fn no_image(
        &self,
        session: &Session,
        host: Option<&Host>,
        image: Option<String>,
    ) -> Result<Verdict, AnyError> {
        let name = image.unwrap_or_else(|| "neither the host nor a policy names one".into());
        let why = Why::NoImage(name);
        let next = host.map_or_else(|| why.next().to_owned(), |h| why.next().replace("NAME", &h.spec.name));
        let note = Note::new(Level::Warn, "install.no_image", format!("{why}. {next}"));
        let fact =
            Fact { subject: Subject::Proven(Box::new(session.claim.clone())), event: None, note: Some(note) };
        let outcome = self.service.reporter.report(fact).await?;
        match outcome.recognition {
            // A person has to add one: asking often only fills the timeline.
            Some(Recognition::Known) | None => {
                Ok(Verdict::Wait { why: why.to_string(), retry_after_s: REFUSED_AGAIN_S })
            }
            Some(Recognition::New | Recognition::Conflict) => Ok(outcome
                .host
                .map_or_else(|| ask_again("unknown"), |h| verdict_by_state(&h, outcome.recognition))),
        }
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn is_on_its_way_out(host: &Host) -> bool {
    matches!(host.state, State::Retiring { .. } | State::Wiping { .. })
}

/// A host that cannot get anything now need not be challenged.
fn not_now(host: &Host, stage: Stage) -> Option<HelloReply> {
    match &host.state {
        State::Retiring { .. } | State::Wiping { .. } if stage == Stage::Os => Some(HelloReply::Wait {
            why: "it is taken out of service: boot it from the network".into(),
            retry_after_s: REFUSED_AGAIN_S,
        }),
        State::Pending => {
            Some(HelloReply::Wait { why: waits_for_a_person(host), retry_after_s: ASK_AGAIN_S })
        }
        State::Quarantined { why } => {
            Some(HelloReply::Refused { why: format!("in quarantine: {why}"), retry_after_s: REFUSED_AGAIN_S })
        }
        _ => None,
    }
}

fn verdict_by_state(host: &Host, recognition: Option<Recognition>) -> Verdict {
    let refused = |why: String| Verdict::Refused { why, retry_after_s: REFUSED_AGAIN_S };
    match &host.state {
        State::Pending => Verdict::Wait { why: waits_for_a_person(host), retry_after_s: ASK_AGAIN_S },
        State::Quarantined { why } => refused(format!("in quarantine: {why}")),
        State::Failed { why } => refused(why.to_string()),
        State::FirstBoot { .. } | State::Running { .. } | State::Silent { .. } => {
            Verdict::BootDisk { why: format!("{} is installed", host.spec.name) }
        }
        // A claim rule let it in just now.
        State::Registered if recognition == Some(Recognition::New) => {
            Verdict::Wait { why: format!("let in as {}", host.spec.name), retry_after_s: 1 }
        }
        _ if recognition == Some(Recognition::Conflict) => refused("its names belong to other hosts".into()),
        other => ask_again(&format!("the host is {}", other.word())),
    }
}

fn waits_for_a_person(host: &Host) -> String {
    format!("proven, but nobody has accepted it yet: cairn host accept {}", host.spec.name)
}

fn ask_again(why: &str) -> Verdict {
    Verdict::Wait { why: why.to_owned(), retry_after_s: ASK_AGAIN_S }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> HelloReply {
    tracing::error!(error, "cannot look at a claim");
    HelloReply::Wait { why: "the provisioner cannot look at this now".into(), retry_after_s: ASK_AGAIN_S }
}

fn uuid_of(hello: &Hello) -> Option<String> {
    let uuid = hello.inventory.smbios.uuid.to_ascii_lowercase();
    (!uuid.is_empty()).then_some(uuid)
}
