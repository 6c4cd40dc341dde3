//! A machine's inventory cut to what machines have. It is kept while a challenge is open, before anything is proven, and
//! with the host's record afterwards. Only `attestation` uses it.

use cairn_contract::Inventory;
use cairn_domain::fact::plain;

/// Disks, and interfaces, that are kept.
const PARTS: usize = 64;
/// Bytes of each text that are kept.
const TEXT: usize = 256;

/// `inventory` with bounded lists and texts, and without control characters.
pub(crate) fn bounded(mut inventory: Inventory) -> Inventory {
    inventory.disks.truncate(PARTS);
    inventory.disks.shrink_to_fit();
    inventory.nics.truncate(PARTS);
    inventory.nics.shrink_to_fit();
    let smbios = &mut inventory.smbios;
    let mut texts = vec![
        &mut smbios.serial,
        &mut smbios.uuid,
        &mut smbios.vendor,
        &mut smbios.product,
        &mut smbios.bios_version,
        &mut inventory.cpu_model,
        &mut inventory.kernel,
        &mut inventory.firmware,
    ];
    texts.extend(inventory.disks.iter_mut().flat_map(|d| [&mut d.name, &mut d.serial, &mut d.model]));
    texts.extend(inventory.nics.iter_mut().flat_map(|n| [&mut n.name, &mut n.driver]));
    texts.extend(inventory.tpm.iter_mut().map(|t| &mut t.manufacturer));
    for text in texts {
        *text = plain(text, TEXT);
        text.shrink_to_fit();
    }
    inventory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mebibyte_of_claims_becomes_little_and_a_real_one_stays() {
        let nic = serde_json::json!({ "name": "e".repeat(1000), "mac": "02:00:00:00:00:01" });
        let disk =
            serde_json::json!({ "name": "sda", "size": 1, "transport": "sata", "serial": "\u{1b}[2J" });
        let many = serde_json::json!({
            "smbios": { "serial": "S".repeat(100_000), "uuid": "u".repeat(100_000) },
            "nics": vec![nic; 9000], "disks": vec![disk.clone(); 9000],
        });
        let cut = bounded(serde_json::from_value(many).unwrap());
        assert_eq!((cut.nics.len(), cut.disks.len(), cut.smbios.serial.len()), (PARTS, PARTS, TEXT));
        assert!(cut.nics.capacity() == PARTS && cut.disks.capacity() == PARTS);
        assert!(serde_json::to_string(&cut).unwrap().len() < 64 << 10);
        assert_eq!(cut.disks[0].serial, " [2J");
        let usual = serde_json::json!({ "smbios": { "serial": "ABC123" }, "disks": [{ "name": "sda", "size": 1, "transport": "sata" }] });
        let usual: Inventory = serde_json::from_value(usual).unwrap();
        assert_eq!(bounded(usual.clone()), usual);
    }
}
