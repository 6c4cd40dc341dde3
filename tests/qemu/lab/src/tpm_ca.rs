//! The manufacturer of the lab's TPMs: a root and an issuer that swtpm's `swtpm_localca` makes and signs EK certificates
//! with.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tpm::{self, TpmError};
use crate::workspace;

/// A TPM manufacturer. Two of different names do not know each other.
#[derive(Debug, Clone)]
pub struct TpmCa {
    folder: PathBuf,
}

impl TpmCa {
    /// The CA `name` below the folder `cache`; made on first use (2 s), also when several labs ask at once.
    pub fn open(cache: &Path, name: &str) -> Result<Self, TpmError> {
        let ca = Self { folder: cache.join(name) };
        fs::create_dir_all(&ca.folder).map_err(|source| TpmError::file(&ca.folder, source))?;
        let _one_at_a_time = workspace::locked(&ca.folder.join("lock")).map_err(TpmError::Lock)?;
        if !ca.root_pem().exists() || !ca.issuer_pem().exists() {
            ca.write_config()?;
            // swtpm_localca makes the CA when it signs its first certificate.
            let first = ca.folder.join("first");
            fs::create_dir_all(&first).map_err(|source| TpmError::file(&first, source))?;
            tpm::manufacture(&first, Some(&ca))?;
            fs::remove_dir_all(&first).map_err(|source| TpmError::file(&first, source))?;
        }
        Ok(ca)
    }

    /// The root's certificate: what a provisioner is told to trust.
    #[must_use]
    pub fn root_pem(&self) -> PathBuf {
        self.folder.join("swtpm-localca-rootca-cert.pem")
    }

    /// The intermediate's certificate, which is not on the TPM.
    #[must_use]
    pub fn issuer_pem(&self) -> PathBuf {
        self.folder.join("issuercert.pem")
    }

    /// The file for `swtpm_setup --config`.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("setup.conf")
    }

    fn write_config(&self) -> Result<(), TpmError> {
        let at = self.folder.display();
        self.write(
            "localca.conf",
            &format!(
                "statedir = {at}\nsigningkey = {at}/signkey.pem\nissuercert = {at}/issuercert.pem\n\
                 certserial = {at}/certserial\n"
            ),
        )?;
        self.write(
            "localca.options",
            "--tpm-manufacturer id:00001014\n--tpm-model cairn-lab-vtpm\n--tpm-version 2.0\n\
             --platform-manufacturer CairnLab\n--platform-version 1.0\n--platform-model vhost-1\n",
        )?;
        self.write(
            "setup.conf",
            &format!(
                "create_certs_tool=/usr/bin/swtpm_localca\ncreate_certs_tool_config={at}/localca.conf\n\
                 create_certs_tool_options={at}/localca.options\nactive_pcr_banks=sha256\n"
            ),
        )
    }

    fn write(&self, name: &str, text: &str) -> Result<(), TpmError> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|source| TpmError::file(&path, source))
    }
}
