//! What a proven host is given to do, and what its boot is compared with.

use cairn_contract::{Digest, HostFile, InstallId, Plan, Sealed, Signed};
use cairn_domain::Host;
use cairn_evidence::appraise::BootReference;
use cairn_store::{Image, NewInstall, ReadError};
use cairn_uki::predict::BootPrediction;

use crate::{Attestation, session::Session};

/// Seconds that a plan is valid: a slow disk and a slow link fit in.
const PLAN_S: u32 = 6 * 3600;
/// What the sealed plan is bound to.
const PURPOSE: &str = "plan";

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
