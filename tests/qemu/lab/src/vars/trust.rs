//! Secure Boot's variables: enrols keys as a machine's owner would, before it is switched on for the first time.

use rustls_pki_types::CertificateDer;
use uuid::{Uuid, uuid};

use super::store::VarStore;
use super::variable::{GLOBAL, Variable};
use crate::esl;

/// `EFI_IMAGE_SECURITY_DATABASE_GUID`: db and dbx.
const IMAGE_SECURITY: Uuid = uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f");
/// `gEfiSecureBootEnableDisableGuid`: EDK2's own switch.
const ENABLE: Uuid = uuid!("f0a30bc7-af08-4556-99c4-001009c93a44");
/// `gEfiCustomModeEnableGuid`.
const CUSTOM_MODE: Uuid = uuid!("c076ec0c-7028-4399-a072-71ee5c448b9f");
/// Non-volatile, boot service, runtime, time-based authenticated write.
const SIGNED: u32 = 0x27;
/// Non-volatile, boot service.
const BOOT_ONLY: u32 = 0x03;
/// 2020-01-01 as `EFI_TIME`: a later signed update must be newer.
const ENROLLED: [u8; 16] = [0xe4, 0x07, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The certificates of a machine's owner.
#[derive(Debug, Clone)]
pub struct SecureBootKeys {
    /// Platform key: who owns the machine.
    pub pk: CertificateDer<'static>,
    /// Who may change db.
    pub kek: CertificateDer<'static>,
    /// Whose signatures boot.
    pub db: Vec<CertificateDer<'static>>,
}

impl VarStore {
    /// Puts the machine into user mode with these keys, Secure Boot on.
    pub fn enrol(&mut self, keys: &SecureBootKeys) {
        let one = std::slice::from_ref;
        self.set(signed("PK", GLOBAL, one(&keys.pk)));
        self.set(signed("KEK", GLOBAL, one(&keys.kek)));
        self.set(signed("db", IMAGE_SECURITY, &keys.db));
        self.set(switch("SecureBootEnable", ENABLE, 1));
        self.set(switch("CustomMode", CUSTOM_MODE, 0));
    }
}

fn signed(name: &str, vendor: Uuid, certificates: &[CertificateDer<'_>]) -> Variable {
    let data = esl::x509_lists(certificates);
    Variable { name: name.into(), vendor, attributes: SIGNED, time: ENROLLED, data }
}

fn switch(name: &str, vendor: Uuid, value: u8) -> Variable {
    Variable { name: name.into(), vendor, attributes: BOOT_ONLY, time: [0; 16], data: vec![value] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::store::tests::blank;

    #[test]
    fn enrolment_survives_the_file() {
        let certificate = CertificateDer::from(vec![0x30; 64]);
        let keys = SecureBootKeys {
            pk: certificate.clone(),
            kek: certificate.clone(),
            db: vec![certificate.clone(), certificate],
        };
        let mut store = VarStore::parse(blank()).unwrap();
        store.enrol(&keys);
        let store = VarStore::parse(store.to_bytes().unwrap()).unwrap();
        let names: Vec<&str> = store.variables().iter().map(|variable| variable.name.as_str()).collect();
        assert_eq!(names, ["PK", "KEK", "db", "SecureBootEnable", "CustomMode"]);
        assert_eq!(store.get(IMAGE_SECURITY, "db").unwrap().data.len(), 2 * (28 + 16 + 64));
        assert_eq!(store.get(ENABLE, "SecureBootEnable").unwrap().data, [1]);
    }
}
