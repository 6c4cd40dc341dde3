//! What a proven host is given to do, and what its boot is compared with.

use cairn_contract::{
    Digest, DiskSelector, Evidence, HostFile, HostId, InstallId, Plan, Sealed, Signed, WipePlan,
    report::ReportKind,
    wipe::{WipeHow, WipeSample},
};
use cairn_domain::Host;
use cairn_evidence::{appraise::BootReference, pcr::BOOT_PCRS};
use cairn_store::{Image, NewInstall, ReadError};
use cairn_uki::predict::BootPrediction;

use crate::{Attestation, keys::random, session::Session};

/// Seconds that a plan is valid: a slow disk and a slow link fit in.
const PLAN_S: u32 = 6 * 3600;
/// What the sealed plan is bound to.
const PURPOSE: &str = "plan";
const WIPE_PURPOSE: &str = "wipe plan";
/// What is read back of a wiped disk.
const WIPE_SAMPLE: WipeSample = WipeSample { ends: 16 << 20, places: 1024, place_bytes: 64 << 10 };

/// Why references or a plan could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Looking up.
    #[error("cannot look up what the site has")]
    Read(#[from] ReadError),
    /// A stored prediction.
    #[error("the stored prediction of {name} is not understood")]
    Prediction {
        /// Of what.
        name: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Writing it.
    #[error("cannot write the plan")]
    Json(#[from] serde_json::Error),
}

/// The row that is committed before the plan leaves.
pub(crate) fn new_install(session: &Session, image: &Image) -> NewInstall {
    NewInstall {
        token_sha256: Digest::of(session.key.report_token().as_bytes()),
        image: image.name.clone(),
        version: image.version,
    }
}

/// The row of a wipe; named after what it removes.
pub(crate) fn new_wipe(session: &Session, host: &Host) -> NewInstall {
    let (image, version) =
        host.installed.as_ref().map_or_else(Default::default, |i| (i.image.clone(), i.version));
    NewInstall { token_sha256: Digest::of(session.key.report_token().as_bytes()), image, version }
}

impl Attestation {
    /// What the site's installers measure.
    pub(crate) async fn installer_references(&self) -> Result<Vec<BootReference>, PlanError> {
        let installers = self.store.installers().await?;
        let named = installers
            .iter()
            .map(|i| (format!("installer {} {}", i.flavour, i.version), i.reference.as_str()));
        references(named)
    }

    /// What the OS that this host was given measures; nothing for a host that was given none.
    pub(crate) async fn os_references(&self, host: Option<&Host>) -> Result<Vec<BootReference>, PlanError> {
        let Some(installed) = host.and_then(|h| h.installed.as_ref()) else { return Ok(Vec::new()) };
        let images = self.store.images().await?;
        let mine = images.iter().filter(|i| i.name == installed.image && i.version == installed.version);
        references(mine.map(|i| (format!("image {} {}", i.name, i.version), i.reference.as_str())))
    }

    /// The newest version of the image of this name.
    pub(crate) async fn plannable_image(&self, name: Option<&str>) -> Result<Option<Image>, PlanError> {
        match name {
            Some(name) => Ok(self.store.image(name).await?),
            None => Ok(None),
        }
    }

    /// The plan, sealed to the session's TPM.
    pub(crate) fn plan(
        &self,
        host: &Host,
        install: InstallId,
        session: &Session,
        image: &Image,
    ) -> Result<Sealed<Signed<Plan>>, PlanError> {
        let plan = Plan {
            install,
            ak_name: session.ak_name(),
            expires: self.clock.now().after_seconds(PLAN_S),
            image: image.manifest.clone(),
            minimum_version: image.version,
            disk: host.spec.disk.clone(),
            host_file: HostFile {
                host: host.id,
                host_name: host.spec.name.clone(),
                install,
                image: image.name.clone(),
                image_version: image.version,
            },
        };
        Ok(Sealed::seal(&session.key, PURPOSE, &Signed::sign(&self.keys.signing, &plan)?)?)
    }

    /// The disk that was installed: as the installer described it, else what was registered. A disk that has lost its serial
    /// number, size or transport is not the one.
    pub(crate) async fn disk_of(&self, host: &Host) -> Result<DiskSelector, PlanError> {
        let row = match &host.installed {
            Some(installed) => self.store.install(installed.install).await?,
            None => None,
        };
        let told = row.and_then(|row| serde_json::from_str(&row.result?).ok());
        let Some(ReportKind::Finished { target: Some(disk), .. }) = told else {
            return Ok(host.spec.disk.clone());
        };
        let serial = Some(disk.serial).filter(|s| !s.is_empty());
        Ok(DiskSelector {
            min_size: Some(disk.size),
            max_size: Some(disk.size),
            transports: vec![disk.transport],
            serial,
        })
    }

    /// The plan of a wipe, sealed to the session's TPM. `evidence` is what just held.
    pub(crate) fn wipe_plan(
        &self,
        (host, wipe): (HostId, InstallId),
        disk: DiskSelector,
        session: &Session,
        evidence: &Evidence,
    ) -> Result<Sealed<Signed<WipePlan>>, PlanError> {
        let plan = WipePlan {
            wipe,
            host,
            ak_name: session.ak_name(),
            expires: self.clock.now().after_seconds(PLAN_S),
            disk,
            how: WipeHow::Zeros,
            sample: WIPE_SAMPLE,
            nonce: Digest(random()),
            pcrs: BOOT_PCRS.iter().collect(),
            pcr_values: evidence.pcr_values.clone(),
        };
        Ok(Sealed::seal(&session.key, WIPE_PURPOSE, &Signed::sign(&self.keys.signing, &plan)?)?)
    }
}

/// Two references for each prediction: with Secure Boot the stub starts the kernel without the firmware measuring it.
fn references<'a>(named: impl Iterator<Item = (String, &'a str)>) -> Result<Vec<BootReference>, PlanError> {
    let mut out = Vec::new();
    for (name, json) in named {
        let read = serde_json::from_str::<BootPrediction>(json);
        let prediction = read.map_err(|source| PlanError::Prediction { name: name.clone(), source })?;
        let apps = prediction.boot_apps.map(|d| *d.as_bytes());
        let sections = prediction.pcr11_sections.iter().map(|s| (s.name.clone(), *s.data_digest.as_bytes()));
        let reference = BootReference {
            name,
            boot_apps: apps.to_vec(),
            pcr11: *prediction.pcr11.as_bytes(),
            pcr11_sections: sections.collect(),
            pcr12: [0; 32],
        };
        out.push(BootReference { boot_apps: vec![apps[0]], ..reference.clone() });
        out.push(reference);
    }
    Ok(out)
}
