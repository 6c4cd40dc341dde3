//! Host lists: a file's text in, one line of text a host or error out.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use cairn_domain::import::{Entry, Form, LineError, MAX_BYTES, MAX_LINES, error_file, read};
use cairn_domain::{name, selector::check_labels};
use proptest::prelude::*;

/// `NUMBER name key=value ...`, with `  ! warning` lines below; or `NUMBER refused: errors`.
fn said(bytes: &[u8]) -> String {
    let report = match read(bytes) {
        Ok(report) => report,
        Err(e) => return format!("refused: {e}"),
    };
    let mut out = String::new();
    for line in &report.lines {
        match &line.outcome {
            Ok(entry) => out.push_str(&format!("{} {}\n", line.number, shown(entry))),
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                out.push_str(&format!("{} refused: {}\n", line.number, errors.join("; ")));
            }
        }
    }
    out
}

fn shown(entry: &Entry) -> String {
    let mut out = vec![entry.name.clone()];
    let mut push = |key: &str, value: Option<String>| out.extend(value.map(|v| format!("{key}={v}")));
    push("serial", entry.serial.clone());
    push("uuid", entry.uuid.clone());
    for mac in &entry.macs {
        push("mac", Some(mac.to_string()));
    }
    push("ek", entry.ek.map(|ek| ek.to_string().chars().take(8).collect()));
    push("site", entry.site.clone());
    push("image", entry.image.clone());
    push("project", entry.project.clone());
    for (key, value) in entry.labels.iter().chain(&entry.annotations) {
        push(key, Some(format!("{value:?}")));
    }
    let warnings: Vec<String> = entry.warnings.iter().map(|w| format!("\n  ! {w}")).collect();
    out.join(" ") + &warnings.concat()
}

#[track_caller]
fn check(file: impl AsRef<[u8]>, expected: &str) {
    let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
    let said = said(file.as_ref());
    let said: Vec<&str> = said.trim().lines().map(str::trim).collect();
    assert_eq!(said, expected);
}

const UUID: &str = "1c4c4544-2046-5310-8052-cac04f515233";

#[test]
fn cairns_own_form_is_read() {
    let ek = "ab".repeat(32);
    check(
        format!(
            "name,serial,uuid,mac,ek,site,image,labels,project\r\n\
             till-1,SN 1,{},52:54:00:00:00:01 52-54-00-00-00-02;525400000003,{ek},berlin,edge-os,env=prod;tier=,retail.acme\r\n\
             ,SN 2,,,,,,,\r\n\
             ,,{},,,,,,\r\n\
             ,,,52:54:00:00:00:09,,,,,\r\n\
             ,,,,{},,,,\r\n",
            UUID.to_uppercase(),
            UUID.replace('1', "2"),
            "cd".repeat(32),
        ),
        r#"2 till-1 serial=SN 1 uuid=1c4c4544-2046-5310-8052-cac04f515233 mac=52:54:00:00:00:01 mac=52:54:00:00:00:02 mac=52:54:00:00:00:03 ek=abababab site=berlin image=edge-os project=retail.acme env="prod" tier=""
           3 sn-2 serial=SN 2
           4 host-cac04f525233 uuid=2c4c4544-2046-5320-8052-cac04f525233
           5 host-525400000009 mac=52:54:00:00:00:09
           6 host-cdcdcdcd ek=cdcdcdcd"#,
    );
}

#[test]
fn columns_come_in_any_order_and_case_and_lines_may_be_short() {
    check(" Site , SERIAL,Name \nberlin,1\n,,\n\n,2,x\n", "2 1 serial=1 site=berlin\n5 x serial=2");
    check("serial;name\n1;a\n", "2 a serial=1");
    check("serial\tname\n1\ta\n", "2 a serial=1");
    check("serial,name,,\n1,a,,,,\n", "2 a serial=1");
    check("\n;,\nserial\n1\n", "4 1 serial=1");
    check("serial\n--\n", "2 host-d8156bae serial=--");
}

#[test]
fn quotes_hold_separators_line_breaks_and_quotes() {
    check(
        "serial,labels\r\n\"1\",\"a=1;\r\nb=2\"\r\n \"2\" , c=3 \r\n3,\"\"\r\n\"4 \"\"x\"\"\"\r\n5 \"x\",d=4",
        r#"2 1 serial=1 a="1" b="2"
           4 2 serial=2 c="3"
           5 3 serial=3
           6 4-x serial=4 "x"
           7 5-x serial=5 "x" d="4""#,
    );
    for end in ["\n", "\r\n", "\r"] {
        check(["serial", "1", "", "2", ""].join(end), "2 1 serial=1\n4 2 serial=2");
    }
}

#[test]
fn a_broken_quote_costs_one_line() {
    check(
        "serial,name\n\"1,a\n2,b\n\"3\"x,c\n4,d\n\"5,e",
        "2 refused: the quotes of this line do not pair up; its columns were split at each separator here, so check them
         3 b serial=2
         4 refused: the quotes of this line do not pair up; its columns were split at each separator here, so check them
         5 d serial=4
         6 refused: the quotes of this line do not pair up; its columns were split at each separator here, so check them",
    );
    let long = format!("serial,name\n{},a\n\"{}\",b\n3,c\n", "x".repeat(4098), "x\n".repeat(3000));
    let report = read(long.as_bytes()).unwrap();
    assert_eq!(report.lines[0].outcome, Err(vec![LineError::LongField]));
    assert_eq!(report.lines[1].outcome, Err(vec![LineError::LongField]));
    assert_eq!(report.lines.last().unwrap().outcome.as_ref().unwrap().name, "c");
    check(
        format!("serial,name\n1,a{}\n2,b,c\n", ",x".repeat(70)),
        "2 refused: more fields than columns; left over: \"all after the 64th\"
         3 refused: more fields than columns; left over: \"c\"",
    );
}

#[test]
fn a_file_of_open_quotes_is_read_in_time() {
    let mut file = b"serial\n".to_vec();
    while file.len() + 8 < MAX_BYTES && file.len() < MAX_LINES * 99 {
        file.extend_from_slice(b"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\n,");
    }
    assert!(read(&file).unwrap().failed() > 10_000);
}

#[test]
fn encodings_of_spreadsheets_are_read() {
    let text = "serial,labels\nä1,a=1\n";
    let utf16 = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        mark.into_iter().chain(text.encode_utf16().flat_map(unit)).collect()
    };
    let expected = "2 1 serial=ä1 a=\"1\"";
    check(text, expected);
    check(format!("\u{feff}{text}"), expected);
    check(utf16([0xff, 0xfe], u16::to_le_bytes), expected);
    check(utf16([0xfe, 0xff], u16::to_be_bytes), expected);
    let mut odd = utf16([0xff, 0xfe], u16::to_le_bytes);
    odd.pop();
    check(&odd, "refused: the file begins like UTF-16 but is not: save it as UTF-8");
    check(
        &utf16([0xff, 0xfe], u16::to_le_bytes)[2..],
        "refused: the file is not text: save it as CSV in UTF-8",
    );
    check(
        b"serial,site\n1,m\xfcnchen\n2,b\n",
        "2 refused: this line is not UTF-8; its text was taken for Latin-1 here, so check it; site: \"m\u{fc}nchen\" is not a name: 1 to 63 of a-z, 0-9 and '-', not at its ends
         3 2 serial=2 site=b",
    );
}

#[test]
fn a_wrong_value_names_its_column() {
    for (file, error) in [
        ("serial,name\n1,A b", "name: \"A b\" is not a name: 1 to 63 of a-z, 0-9 and '-', not at its ends"),
        ("uuid\nx", "uuid: \"x\" is not a UUID, such as 1c4c4544-2046-5310-8052-cac04f515233"),
        (
            "uuid\n00000000-0000-0000-0000-000000000000",
            "uuid: \"00000000-0000-0000-0000-000000000000\" is not a UUID, such as 1c4c4544-2046-5310-8052-cac04f515233",
        ),
        (
            "mac\n52:54:00:00:00:01 x y",
            "mac: \"x\" is not the address of a network card, such as 52:54:00:12:34:56",
        ),
        (
            "mac\n01:00:5e:00:00:01",
            "mac: \"01:00:5e:00:00:01\" is not the address of a network card, such as 52:54:00:12:34:56",
        ),
        (
            "mac\n00:00:00:00:00:00",
            "mac: \"00:00:00:00:00:00\" is not the address of a network card, such as 52:54:00:12:34:56",
        ),
        ("ek\nabcd", "ek: \"abcd\" is not a SHA-256 digest: 64 hexadecimal digits"),
        ("serial,labels\n1,a", "labels: \"a\" is not key=value"),
        ("serial,labels\n1,a=1;a=2", "labels: \"a\" is not a new key: it is there twice"),
        (
            "serial,labels\n1,a b=1",
            "labels: label key \"a b\": only letters, digits, `-`, `_` and `.` are allowed in a label (character 2 of it)",
        ),
        ("serial,project\n1,a.b.c", "project: \"a.b.c\" is not a project, such as retail or retail.acme"),
        (
            "serial,name\n,x",
            "nothing says which machine this is: fill in at least one of serial, uuid, mac, ek",
        ),
        (
            "serial\n1\u{7}",
            "serial: holds a control character; serial: \"1\\u{7}\" is not a serial number: one line of at most 128 characters",
        ),
        ("Serial,Secure\n1,perhaps", "Secure: \"perhaps\" is not true or false"),
        ("Serial,OSProfile\n1,!", "OSProfile: \"!\" is not a name: it has no letter or digit"),
        ("Serial,Metadata\n1,a&b=1", "Metadata: \"a\" is not key=value"),
        ("UUID,Site,Secure\n,a,", "nothing says which machine this is: fill in at least one of Serial, UUID"),
    ] {
        check(file, &format!("2 refused: {error}"));
    }
}

#[test]
fn a_file_that_is_no_list_is_refused() {
    for (file, error) in [
        ("", "the file is empty: its first line names the columns, such as name,serial,site"),
        (" \n,,\n", "the file is empty: its first line names the columns, such as name,serial,site"),
        ("\"serial\nx", "the first line cannot be read: it names the columns, such as name,serial,site"),
        ("name,serail\n", "there is no column \"serail\"; did you mean serial?"),
        ("Serial,UUID,OSProfil\n", "there is no column \"OSProfil\"; did you mean OSProfile?"),
        ("name,colour,serial\n", "there is no column \"colour\""),
        ("Serial,OSProfil,Secure\n", "there is no column \"OSProfil\"; did you mean OSProfile?"),
        ("Serial,OSProfile,labels\n", "there is no column \"labels\""),
        ("serial,Serial\n", "column serial is there twice"),
        ("Serial,Secure,Error,Error - do not fill\n", "column Error is there twice"),
        ("name,site\n", "no column says which machine a line is: one of serial, uuid, mac, ek is needed"),
        ("OSProfile,Site\n", "no column says which machine a line is: one of Serial, UUID is needed"),
        ("PK\u{3}\u{4}\0\0", "the file is not text: save it as CSV in UTF-8"),
    ] {
        check(file, &format!("refused: {error}"));
    }
    check("serial,".repeat(65), "refused: the file has more than 64 columns");
    check(vec![b'x'; MAX_BYTES + 1], "refused: the file has more than 10485760 bytes: split it");
    let lines = |n: usize| format!("serial\n{}", (0..n).map(|i| format!("{i}\n")).collect::<String>());
    check(lines(MAX_LINES + 1), "refused: the file has more than 100000 lines: split it");
    assert_eq!(read(lines(MAX_LINES).as_bytes()).unwrap().entries().count(), MAX_LINES);
}

#[test]
fn the_second_of_two_is_refused_by_the_line_of_the_first() {
    check(
        format!(
            "serial,uuid,mac,name,project\n\
             S1,{UUID},52:54:00:00:00:01,a,\n\
             s1,,,b,\n\
             2,{},,c,\n\
             3,,52:54:00:00:00:02 525400000001,d,\n\
             4,,,a,\n\
             5,,,a,retail\n\
             bad,x,52:54:00:00:00:07,e,\n\
             6,,52:54:00:00:00:07,f,\n",
            UUID.to_uppercase()
        ),
        "2 a serial=S1 uuid=1c4c4544-2046-5310-8052-cac04f515233 mac=52:54:00:00:00:01
         3 refused: serial number s1 is on line 2 already
         4 refused: UUID 1c4c4544-2046-5310-8052-cac04f515233 is on line 2 already
         5 refused: MAC 52:54:00:00:00:01 is on line 2 already
         6 refused: name a is on line 2 already
         7 a serial=5 project=retail
         8 refused: uuid: \"x\" is not a UUID, such as 1c4c4544-2046-5310-8052-cac04f515233
         9 refused: MAC 52:54:00:00:00:07 is on line 8 already",
    );
    // Names that were made up give way.
    check(
        "serial\nA B\nA.B\nA-B\n",
        "2 a-b serial=A B\n3 a-b-4b861d8b serial=A.B\n4 a-b-77101aaa serial=A-B",
    );
}

const EMF: &str = "Serial,UUID,OSProfile,Site,Secure,RemoteUser,Metadata,LVMSize,CloudInitMeta,K8sEnable,K8sClusterTemplate,K8sConfig,Error - do not fill\n";

#[test]
fn the_form_of_edge_manageability_framework_is_read() {
    check(
        format!(
            "{EMF}\
             7XK2,{UUID},\"Edge Toolkit 3.0\",site-c69a3c81\n\
             7XK3,,edge-os,Old Town,FALSE,,env=prod&tier=a,,,FALSE,,,an old error\n\
             7XK4,,,,TRUE,localaccount-4c2c5f5a,,60,init&custom-1,true,baseline:v2.0.2,role:all;name:c1;labels:a=b&c=d,\n"
        ),
        r#"2 7xk2 serial=7XK2 uuid=1c4c4544-2046-5310-8052-cac04f515233 site=site-c69a3c81 image=edge-toolkit-3-0 emf.cairn/os-profile="Edge Toolkit 3.0"
             ! OSProfile "Edge Toolkit 3.0" is called edge-toolkit-3-0 here
           3 7xk3 serial=7XK3 site=old-town image=edge-os env="prod" tier="a" emf.cairn/k8s-enable="FALSE" emf.cairn/secure="false" emf.cairn/site="Old Town"
             ! Site "Old Town" is called old-town here
           4 7xk4 serial=7XK4 emf.cairn/cloud-init-meta="init&custom-1" emf.cairn/k8s-cluster-template="baseline:v2.0.2" emf.cairn/k8s-config="role:all;name:c1;labels:a=b&c=d" emf.cairn/k8s-enable="true" emf.cairn/lvm-size="60" emf.cairn/remote-user="localaccount-4c2c5f5a" emf.cairn/secure="true"
             ! Secure=true asked for Secure Boot and an encrypted disk; it is kept as an annotation and enforces nothing: turn Secure Boot on in the firmware and have it proven by an attestation policy
             ! RemoteUser, LVMSize, CloudInitMeta, K8sEnable, K8sClusterTemplate, K8sConfig: no place in Cairn yet; kept as annotations emf.cairn/..."#,
    );
    assert_eq!(read(EMF.as_bytes()).unwrap().form(), Form::Emf);
    // Other releases.
    check(
        "Serial,UUID,OSProfile,Site,Secure,RemoteUser,Metadata,Error - do not fill\n1,,,,,,,,\n",
        "2 1 serial=1",
    );
    check(
        "Serial,UUID,OSProfile,Site,Secure,RemoteUser,Metadata,AMTEnable,Error\n1,,,,,,,true\n",
        "2 1 serial=1 emf.cairn/amt-enable=\"true\"\n! AMTEnable: no place in Cairn yet; kept as annotations emf.cairn/...",
    );
}

#[test]
fn the_error_file_holds_the_failed_lines_and_can_be_corrected() {
    let file = "\u{feff}serial,name,site\n1,a,x\n2,B,\"=cmd|'/c calc'!A0\"\n\"3, \"\"x\"\"\",'+1\n4,d\n";
    let report = read(file.as_bytes()).unwrap();
    assert_eq!(report.failed(), 2);
    let name = "is not a name: 1 to 63 of a-z, 0-9 and '-', not at its ends";
    let expected = format!(
        "\u{feff}serial,name,site,Error\r\n\
         2,B,'=cmd|'/c calc'!A0,\"name: \"\"B\"\" {name}; site: \"\"=cmd|'/c calc'!A0\"\" {name}\"\r\n\
         \"3, \"\"x\"\"\",'+1,,\"name: \"\"+1\"\" {name}\"\r\n"
    );
    assert_eq!(error_file(&report), expected);
    let corrected =
        expected.replace("'=cmd|'/c calc'!A0", "berlin").replace("2,B", "2,b").replace("'+1", "c");
    check(corrected, "2 b serial=2 site=berlin\n3 c serial=3, \"x\"");
    // The column of an earlier error file, or of the framework, is used again.
    let emf = "Serial,Secure,Error - do not fill\n1,x,old\n";
    let expected = "Serial,Secure,Error - do not fill\r\n1,x,\"Secure: \"\"x\"\" is not true or false\"\r\n";
    assert_eq!(error_file(&read(emf.as_bytes()).unwrap()), expected);
    let semicolons = "serial;mac\n1;x\n";
    assert!(error_file(&read(semicolons.as_bytes()).unwrap()).starts_with("serial;mac;Error\r\n1;x;\"mac: "));
    check("Error,serial,name\nold,1,a\n,2,b\n,,\n", "2 a serial=1\n3 b serial=2");
    // Nothing but an error is left of a line: it fails again.
    let left_over = error_file(&read(b"serial\n,y\n").unwrap());
    assert_eq!(left_over, "serial,Error\r\n,\"more fields than columns; left over: \"\"y\"\"\"\r\n");
    assert_eq!(read(left_over.as_bytes()).unwrap().failed(), 1);
    // What the importer found later.
    let mut report = read(b"serial\n1\n2\n").unwrap();
    report.lines[1].outcome = Err(vec![LineError::Refused("site berlin does not exist".to_owned())]);
    assert_eq!(error_file(&report), "serial,Error\r\n2,site berlin does not exist\r\n");
}

#[test]
fn nothing_in_an_error_file_is_a_formula() {
    for value in ["=1", "+1", "-1", "@x", "'=1", "''@", "=\"a\"", "=1,2"] {
        let file = format!("serial,name\n\"{}\",A\n", value.replace('"', "\"\""));
        let report = read(file.as_bytes()).unwrap();
        let out = error_file(&report);
        let line = out.lines().nth(1).unwrap().trim_start_matches('"');
        assert!(line.starts_with('\''), "{line}");
        // Reading takes one apostrophe away from what looks like it was put there.
        let read_once = report.lines[0].fields()[0].clone();
        let again = read(out.as_bytes()).unwrap();
        assert_eq!(again.lines[0].fields()[0], read_once);
    }
}

fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let header = prop_oneof![
        Just("serial,name,labels\n".to_owned()),
        Just("Serial;UUID;Secure;Metadata;Site\r\n".to_owned()),
        Just("mac\tname\tproject\r".to_owned()),
        Just(EMF.to_owned()),
        Just("serial,Error,name\n".to_owned()),
        "[a-z,\";\n]{0,20}",
    ];
    let cell = prop_oneof!["[a-c=+@'1-9. -]{0,6}", "[\"\r\n a,;\t&=]{0,5}", Just("\u{85}ä".to_owned())];
    let between =
        prop_oneof![4 => Just(","), 2 => Just(";"), 1 => Just("\t"), 3 => Just("\n"), 1 => Just("\"")];
    let body = prop::collection::vec((cell, between), 0..40);
    let wild = prop::collection::vec(any::<u8>(), 0..8);
    (header, body, wild).prop_map(|(header, body, wild)| {
        let body: String = body.iter().map(|(c, b)| format!("{c}{b}")).collect();
        [header.into_bytes(), body.into_bytes(), wild].concat()
    })
}

proptest! {
    #[test]
    fn any_bytes_are_a_list_or_refused(file in prop_oneof![any_file(), any::<Vec<u8>>()]) {
        let Ok(report) = read(&file) else { return Ok(()) };
        for entry in report.entries() {
            prop_assert!(name::check(&entry.name).is_ok());
            prop_assert!(check_labels(&entry.labels).is_ok());
        }
        let numbers: Vec<usize> = report.lines.iter().map(|l| l.number).collect();
        prop_assert!(numbers.windows(2).all(|w| w[0] < w[1]));
        // The error file has the same lines, with the same fields.
        let out = error_file(&report);
        let again = read(out.as_bytes()).unwrap();
        prop_assert_eq!(again.form(), report.form());
        let failed: Vec<_> = report.lines.iter().filter(|l| l.outcome.is_err()).collect();
        prop_assert_eq!(failed.len(), again.lines.len(), "{}", out);
        for (line, same) in failed.iter().zip(&again.lines) {
            prop_assert!(line.fields().iter().zip(same.fields()).all(|(a, b)| a == b), "{}", out);
        }
    }
}
