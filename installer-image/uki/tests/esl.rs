//! Signature lists, byte for byte as the specification lays them out.

use cairn_uki::esl::{EslError, Guid, encode};

const OWNER: &str = "77fa9abd-0359-4d32-bd60-28f4e78f784b";

#[test]
fn a_guid_is_stored_with_little_endian_groups() {
    let guid: Guid = OWNER.parse().unwrap();
    let stored =
        [0xbd, 0x9a, 0xfa, 0x77, 0x59, 0x03, 0x32, 0x4d, 0xbd, 0x60, 0x28, 0xf4, 0xe7, 0x8f, 0x78, 0x4b];
    assert_eq!(guid.as_bytes(), &stored);
    for text in
        ["", "77fa9abd", "77fa9abd-0359-4d32-bd60-28f4e78f784g", "+7fa9abd-0359-4d32-bd60-28f4e78f784b"]
    {
        assert_eq!(text.parse::<Guid>(), Err(EslError::Guid { text: text.into() }));
    }
}

#[test]
fn each_certificate_is_a_list_of_its_own() {
    let owner: Guid = OWNER.parse().unwrap();
    let (first, second) = (include_bytes!("data/db.crt").as_slice(), b"0second".as_slice());
    let lists = encode(owner, &[first, second]).unwrap();
    let (one, two) = lists.split_at(44 + first.len());
    for (list, certificate) in [(one, first), (two, second)] {
        // EFI_CERT_X509_GUID as efitools and EDK2 store it.
        assert_eq!(list[..16], *b"\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72");
        let sizes = [list.len(), 0, 16 + certificate.len()];
        for (field, size) in sizes.into_iter().enumerate() {
            let stored = &list[16 + 4 * field..20 + 4 * field];
            assert_eq!(stored, u32::try_from(size).unwrap().to_le_bytes(), "field {field}");
        }
        assert_eq!(&list[28..44], owner.as_bytes());
        assert_eq!(&list[44..], certificate);
    }
}

#[test]
fn pem_is_not_der() {
    let owner: Guid = OWNER.parse().unwrap();
    let pem = include_bytes!("data/db.crt.pem");
    assert_eq!(encode(owner, &[pem]), Err(EslError::Certificate { index: 0 }));
}
