//! What is admitted, what is refused and in which words; and that nothing admitted ever breaks the tree.

mod forest;

use cairn_contract::Timestamp;
use cairn_domain::{
    admit::{Admitted, Changed, Intent, Refusal, RefusalKind, Stamp, admit, manifest},
    model::{Kind, Manifest, Namespace, Object, Spec},
};
use forest::{Forest, split};
use serde_json::{Value, json};

/// 2026-11-22T16:00:00Z.
const NOW: Timestamp = Timestamp(1_795_363_200_000);

fn stamp(n: usize) -> Stamp {
    Stamp { uid: forest::uid(n), resource_version: 7, now: NOW }
}

fn sent(kind: Kind, full: &str, spec: Value) -> Manifest {
    let (name, namespace) = split(kind, full);
    let value = json!({"apiVersion": "cairn/v1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec});
    manifest(&value).expect("its head is right")
}

fn create(f: &Forest, m: &Manifest) -> Result<Admitted, Vec<Refusal>> {
    admit(&f.index, Intent::Create { manifest: m, namespace: None }, stamp(5_000))
}

fn update(f: &Forest, current: &Object, m: &Manifest) -> Result<Admitted, Vec<Refusal>> {
    admit(&f.index, Intent::Update { current, manifest: m }, stamp(5_000))
}

fn lines(refusals: &[Refusal]) -> Vec<String> {
    refusals.iter().map(|r| format!("{}: {} | {}", r.field, r.message, r.next)).collect()
}

/// Every expected text is part of some line, and there are as many lines.
#[track_caller]
fn refused(result: Result<Admitted, Vec<Refusal>>, expected: &[&str]) {
    let found = lines(&result.expect_err("it is admitted"));
    assert!(
        found.len() == expected.len() && expected.iter().zip(&found).all(|(e, f)| f.contains(e)),
        "expected {expected:#?}\nfound {found:#?}"
    );
}

#[track_caller]
fn admitted(result: Result<Admitted, Vec<Refusal>>) -> Object {
    match result {
        Ok(Admitted::Create(object) | Admitted::Update { object, .. }) => *object,
        other => panic!("{other:#?}"),
    }
}

use Kind::{
    ClaimRule, FirmwareProfile, Host, Organisation, OsImage, Policy, Project, Region, Role, RoleBinding,
    Site, Token, User,
};

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let f = Forest::small();
    let value = json!({"apiVersion": "cairn/v2", "kind": "Site",
        "metadata": {"name": "Till 7", "namespace": "retail.acme", "resourceVersion": "5",
            "labels": {"ok": "ok", "-bad": "x", "worse": "a b"}, "annotations": {"": "x"}},
        "spec": {"region": "nort", "timezone": "Europe/Berlim", "settings": {"": "x", "big": "x".repeat(5000)}}});
    let m = manifest(&value).unwrap();
    refused(
        create(&f, &m),
        &[
            "apiVersion: \"cairn/v2\" is not known here | write cairn/v1",
            "metadata.name: \"Till 7\" cannot be the name of a Site | write 1 to 63",
            "metadata.labels: label key \"-bad\"",
            "metadata.labels: value \"a b\" of label \"worse\"",
            "metadata.annotations: annotation key \"\"",
            "metadata.resourceVersion: the resource is gone since it was read",
            "spec.settings: \"\" cannot be the key",
            "spec.settings: setting \"big\" has 5000 bytes",
            "spec.region: there is no Region nort in project retail.acme | did you mean north?",
            "spec.timezone: there is no time zone \"Europe/Berlim\"",
        ],
    );
}

#[test]
fn an_unknown_field_is_told_with_its_path_and_the_nearest_known_one() {
    let f = Forest::small();
    for (kind, spec, expected) in [
        (
            Site,
            json!({"regon": "north", "colour": 1}),
            vec![
                "spec.colour: there is no such field | there are displayName, region, settings, timezone",
                "spec.regon: there is no such field | did you mean region?",
            ],
        ),
        (
            Policy,
            json!({"boot": {"maxAtempts": 3}, "maintenance": {"windows": [{"start": "0 2 * * sun", "minute": 5}]}}),
            vec![
                "spec.boot.maxAtempts: there is no such field | did you mean maxAttempts?",
                "spec.maintenance.windows[0].minute: there is no such field | did you mean minutes?",
                "spec.maintenance.windows[0].minutes: is missing",
            ],
        ),
        (
            Role,
            json!({"rules": [{"verbs": ["gett"], "kinds": ["Hosts", 5]}]}),
            vec![
                "spec.rules[0].kinds[0]: \"Hosts\" is not known here | did you mean Host?",
                "spec.rules[0].kinds[1]: is a number",
                "spec.rules[0].verbs[0]: \"gett\" is not known here | did you mean get?",
            ],
        ),
        (
            Policy,
            json!({"boot": {"maxAttempts": -1, "network": "deni"}, "priority": 3_000_000_000_u32, "enforced": "yes"}),
            vec![
                "spec.boot.maxAttempts: is a number, not a whole number from 0",
                "spec.boot.network: \"deni\" is not known here | did you mean deny?",
                "spec.enforced: is text, not true or false",
                "spec.priority: is a number, not a whole number from -2147483648",
            ],
        ),
        (Token, Value::Null, vec!["spec.role: is missing", "spec.expires: is missing"]),
        (Host, json!({"serial": "1", "macs": ["00:11:22:33:44:55", "zz"]}), vec!["spec.macs: "]),
        (Host, json!([]), vec!["spec: is a list, not an object"]),
    ] {
        refused(create(&f, &sent(kind, "x.retail.acme", spec)), &expected);
    }
    let head = json!({"apiVersion": "cairn/v1", "kind": "Sites", "metadata": {"nam": "x"}, "spek": {}});
    let found = lines(&manifest(&head).unwrap_err());
    assert_eq!(
        found,
        [
            "kind: \"Sites\" is not known here | did you mean Site?",
            "metadata.nam: there is no such field | did you mean name?",
            "spek: there is no such field | did you mean spec?",
        ]
    );
    for value in [json!(null), json!([1]), json!("x"), json!({"kind": 1})] {
        assert!(!manifest(&value).unwrap_err().is_empty());
    }
    let bad =
        json!({"apiVersion": "cairn/v1", "kind": "Site", "metadata": {"name": "a", "namespace": "a.b.c"}});
    assert!(!manifest(&bad).unwrap_err().is_empty());
}

#[test]
fn a_resource_goes_where_its_kind_may_be() {
    let f = Forest::small();
    let place = |kind, in_manifest: Option<&str>, request: Option<&str>| {
        let parse = |text: &str| text.parse::<Namespace>().unwrap();
        let (a, b) = (in_manifest.map(parse), request.map(parse));
        cairn_domain::admit::namespace_of(&f.index, kind, a.as_ref(), b.as_ref())
            .map(|n| n.to_string())
            .map_err(|r| format!("{:?} {}", r.kind, r.message))
    };
    for (kind, sent, request, expected) in [
        (Site, Some("retail.acme"), None, Ok("retail.acme")),
        (Site, None, Some("retail.acme"), Ok("retail.acme")),
        (Site, Some("retail.acme"), Some("wholesale.acme"), Err("Invalid the manifest says")),
        (Site, Some("acme"), None, Err("Invalid a Site lives in a project, not in organisation acme")),
        (Site, None, None, Err("NotFound there is no project default.default")),
        (Site, None, Some("none.acme"), Err("NotFound there is no project none.acme")),
        (Project, None, Some("retail.acme"), Ok("acme")),
        (Organisation, None, Some("retail.acme"), Ok("")),
        (User, Some("acme"), None, Err("Invalid a User lives in the appliance")),
        (Policy, None, None, Ok("")),
        (Policy, None, Some("acme"), Ok("acme")),
    ] {
        match (place(kind, sent, request), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(expected)) => assert!(found.starts_with(expected), "{found}"),
            (found, expected) => panic!("{kind} {sent:?} {request:?}: {found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn a_new_resource_is_complete() {
    let f = Forest::small();
    let o = admitted(create(&f, &sent(Site, "shop.retail.acme", json!({"region": "inner"}))));
    assert_eq!(o.to_string(), "Site shop.retail.acme");
    assert_eq!((o.metadata.uid, o.metadata.generation), (forest::uid(5_000), 1));
    assert_eq!((o.metadata.created, o.metadata.resource_version), (NOW, 7));
    refused(
        create(&f, &sent(Site, "till.retail.acme", json!({}))),
        &["there is a Site till.retail.acme already"],
    );
    refused(create(&f, &sent(OsImage, "x", json!({}))), &["OS images are not described but imported"]);
    let again = serde_json::to_value(f.get(Site, "till.retail.acme")).unwrap();
    refused(create(&f, &manifest(&again).unwrap()), &["no resource of this uid", "gone since", "already"]);
}

#[test]
fn only_what_changed_makes_a_change() {
    let f = Forest::small();
    let site = f.get(Site, "depot.retail.acme");
    let as_read = serde_json::to_value(site).unwrap();
    let with = |path: &str, value: Value| {
        let mut m = as_read.clone();
        *m.pointer_mut(path).unwrap() = value;
        update(&f, site, &manifest(&m).unwrap())
    };
    assert_eq!(update(&f, site, &manifest(&as_read).unwrap()), Ok(Admitted::Unchanged));
    let change = |result| match result {
        Ok(Admitted::Update { object, changed }) => (object.metadata.generation, changed),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        change(with("/metadata/labels", json!({"a": "b"}))),
        (1, Changed { spec: false, labels: true })
    );
    assert_eq!(change(with("/spec", json!({}))), (2, Changed { spec: true, labels: false }));
    assert_eq!(
        change(with("/metadata/annotations", json!({"a": "b"}))),
        (1, Changed { spec: false, labels: false })
    );
    refused(
        with("/metadata/resourceVersion", json!("99")),
        &["metadata.resourceVersion: Site depot.retail.acme is at 1 now, not at 99: somebody changed it"],
    );
    let stale = with("/metadata/resourceVersion", json!("99")).unwrap_err();
    assert_eq!(stale[0].kind, RefusalKind::Conflict);
    refused(with("/metadata/resourceVersion", json!("x")), &["is no resource version"]);
    refused(with("/metadata/uid", json!(forest::uid(77))), &["has another uid now"]);
    refused(with("/kind", json!("Region")), &["kind: Site depot.retail.acme cannot become a Region"]);
    refused(
        with("/metadata/name", json!("depot2")),
        &["cannot be renamed to \"depot2\" | use spec.displayName"],
    );
    refused(
        with("/metadata/namespace", json!("wholesale.acme")),
        &["metadata.namespace: Site depot.retail.acme cannot go to", "spec.region: there is no Region inner"],
    );
}

#[test]
fn regions_never_lie_in_each_other() {
    let mut f = Forest::small();
    refused(
        update(
            &f,
            f.get(Region, "north.retail.acme"),
            &sent(Region, "north.retail.acme", json!({"parent": "inner"})),
        ),
        &["spec.parent: regions would lie in each other: north -> inner -> north"],
    );
    refused(
        update(
            &f,
            f.get(Region, "north.retail.acme"),
            &sent(Region, "north.retail.acme", json!({"parent": "north"})),
        ),
        &["region north cannot lie in itself"],
    );
    refused(create(&f, &sent(Region, "x.retail.acme", json!({"parent": "x"}))), &["cannot lie in itself"]);
    for n in 0..14 {
        let parent = if n == 0 { "inner".to_owned() } else { format!("d{}", n - 1) };
        f.put(Region, &format!("d{n}.retail.acme"), json!({"parent": parent}));
    }
    refused(
        create(&f, &sent(Region, "x.retail.acme", json!({"parent": "d13"}))),
        &["regions would lie 17 deep"],
    );
    f.put(Region, "side.retail.acme", json!({}));
    // The whole branch goes along.
    refused(
        update(
            &f,
            f.get(Region, "north.retail.acme"),
            &sent(Region, "north.retail.acme", json!({"parent": "side"})),
        ),
        &["regions would lie 17 deep"],
    );
    let ok = update(
        &f,
        f.get(Region, "inner.retail.acme"),
        &sent(Region, "inner.retail.acme", json!({"parent": "side"})),
    );
    admitted(ok);
}

#[test]
fn a_host_has_a_site_and_something_to_know_it_by() {
    let mut f = Forest::small();
    refused(
        create(
            &f,
            &sent(
                Host,
                "x.retail.acme",
                json!({"macs": ["01:00:00:00:00:00"], "uuid": "1", "disk": {"minSize": 2, "maxSize": 1}}),
            ),
        ),
        &[
            "spec.site: project retail.acme has 2 sites and none is named main | name one: depot, till",
            "spec.uuid: \"1\" is no UUID",
            "spec.macs: 01:00:00:00:00:00 is no address of one machine",
            "spec.disk: no disk has at least 2",
        ],
    );
    refused(
        create(&f, &sent(Host, "x.retail.acme", json!({"site": "till"}))),
        &["spec: nothing tells this host from others"],
    );
    let host = |spec| admitted(create(&f, &sent(Host, "x.wholesale.acme", spec)));
    let o = host(
        json!({"serial": " S1 ", "macs": ["02:00:00:00:00:02", "02:00:00:00:00:01", "02:00:00:00:00:02"]}),
    );
    let Spec::Host(spec) = &o.spec else { panic!() };
    assert_eq!(
        (spec.site.as_deref(), spec.serial.as_deref(), spec.macs.len()),
        (Some("hall"), Some("S1"), 2)
    );
    f.put(Site, "main.retail.acme", json!({}));
    let o = admitted(create(&f, &sent(Host, "x.retail.acme", json!({"serial": "1"}))));
    assert!(matches!(&o.spec, Spec::Host(s) if s.site.as_deref() == Some("main")));
    // Named no site, it stays where it is.
    let till = f.get(Host, "till-1.retail.acme");
    let same = update(&f, till, &sent(Host, "till-1.retail.acme", json!({"serial": "till-1.retail.acme"})));
    assert_eq!(same, Ok(Admitted::Unchanged));
}

#[test]
fn a_host_without_a_site_can_be_described_without_one() {
    let mut f = Forest::small();
    f.put(Host, "found.retail.acme", json!({"serial": "1"}));
    let found = f.get(Host, "found.retail.acme");
    let mut m = sent(Host, "found.retail.acme", json!({"serial": "1"}));
    m.metadata.labels.insert("seen".to_owned(), "yes".to_owned());
    let o = admitted(update(&f, found, &m));
    assert!(matches!(&o.spec, Spec::Host(s) if s.site.is_none()));
}

#[test]
fn a_host_moves_within_its_organisation() {
    let mut f = Forest::small();
    let m = |full: &str, spec| sent(Host, full, spec);
    let till = f.get(Host, "till-1.retail.acme").clone();
    let moved = admitted(update(&f, &till, &m("till-9.wholesale.acme", json!({"serial": "1"}))));
    assert_eq!((moved.full_name().as_str(), moved.metadata.generation), ("till-9.wholesale.acme", 2));
    assert!(matches!(&moved.spec, Spec::Host(s) if s.site.as_deref() == Some("hall")));
    refused(
        update(&f, &till, &m("till-1.lab.globex", json!({"serial": "1"}))),
        &["cannot go to another organisation | decommission it here, then register it there"],
    );
    refused(
        update(&f, &till, &m("hall-1.wholesale.acme", json!({"serial": "1"}))),
        &["there is a Host hall-1.wholesale.acme already"],
    );
    f.put(Policy, "p.retail.acme", json!({"target": {"kind": "Host", "name": "till-1"}}));
    refused(
        update(&f, &till, &m("till-9.retail.acme", json!({"serial": "1"}))),
        &["Host till-1.retail.acme is named by Policy p.retail.acme"],
    );
}

#[test]
fn policies_are_in_range_and_apply_to_something() {
    let f = Forest::small();
    let windows = |n: usize| json!(vec![json!({"start": "0 2 * * sun", "minutes": 60}); n]);
    let policy = |spec| create(&f, &sent(Policy, "p.retail.acme", spec));
    admitted(policy(
        json!({"target": {"kind": "Site", "name": "till"}, "boot": {"patienceSeconds": 10, "maxAttempts": 100},
        "telemetry": {"silentAfterSeconds": 20}, "maintenance": {"windows": windows(16)}}),
    ));
    refused(
        policy(
            json!({"boot": {"patienceSeconds": 9, "maxAttempts": 101}, "image": {"silenceSeconds": 86401, "firstBootSeconds": 0, "name": ""},
            "attestation": {"evidenceSeconds": 1, "tpmClasses": []}, "telemetry": {"silentAfterSeconds": 19},
            "maintenance": {"windows": [{"start": "0 25 * * *", "minutes": 10081}]}}),
        ),
        &[
            "spec.image.name: is empty",
            "spec.boot.patienceSeconds: 9 is out of range | write 10 to 86400",
            "spec.boot.maxAttempts: 101 is out of range | write 1 to 100",
            "spec.image.silenceSeconds: 86401",
            "spec.image.firstBootSeconds: 0",
            "spec.attestation.evidenceSeconds: 1",
            "spec.telemetry.silentAfterSeconds: 19 is out of range | write 20 to 86400",
            "spec.attestation.tpmClasses: no TPM could ever prove a host",
            "spec.maintenance.windows[0].start: ",
            "spec.maintenance.windows[0].minutes: 10081 is out of range | write 1 to 10080",
        ],
    );
    refused(
        policy(json!({"maintenance": {"windows": windows(17)}})),
        &["17 windows are too many | keep to 16"],
    );
    refused(
        policy(json!({"target": {"kind": "Site", "name": "tll"}, "selector": {}})),
        &["spec.target: target and selector cannot stand side by side"],
    );
    refused(
        policy(json!({"target": {"kind": "Site", "name": "tll"}})),
        &["spec.target.name: there is no Site tll in project retail.acme | did you mean till?"],
    );
    refused(
        policy(json!({"target": {"kind": "Project", "name": "retail"}})),
        &["spec.target.kind: a Project cannot stand here"],
    );
    refused(
        policy(json!({"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}})),
        &["spec.selector: "],
    );
    let above = create(&f, &sent(Policy, "p.acme", json!({"target": {"kind": "Site", "name": "till"}})));
    refused(above, &["organisation acme has no Site of its own"]);
}

#[test]
fn rules_about_machines_match_something() {
    let f = Forest::small();
    let claim = |spec| create(&f, &sent(ClaimRule, "c.retail.acme", spec));
    admitted(claim(json!({"match": {"serial": "CN7792*"}, "site": "till"})));
    refused(
        claim(json!({"match": {}, "labels": {"-": "x"}})),
        &[
            "spec.match: matches nothing | give at least one of serial",
            "spec.site: is missing",
            "spec.labels: ",
        ],
    );
    refused(
        claim(json!({"match": {"mac": "*".repeat(9), "ek": ""}, "site": "tills"})),
        &[
            "spec.match.mac: ",
            "spec.match.ek: ",
            "spec.site: there is no Site tills in project retail.acme | did you mean till?",
        ],
    );
    refused(
        create(&f, &sent(ClaimRule, "c.acme", json!({"match": {"serial": "*"}, "site": "till"}))),
        &["a ClaimRule lives in a project, not in organisation acme"],
    );
    refused(
        create(&f, &sent(FirmwareProfile, "slow", json!({"quirks": {"slowStartSeconds": 3601}}))),
        &[
            "spec.match: matches nothing",
            "spec.quirks.slowStartSeconds: 3601 is out of range | write 0 to 3600",
        ],
    );
}

#[test]
fn people_and_their_rights_are_named_rightly() {
    let mut f = Forest::small();
    f.put(User, "bob", json!({"oidc": {"issuer": "https://id", "subject": "1"}}));
    for name in ["anna", "anna@example.com", "a.b+c@x.y"] {
        admitted(create(&f, &sent(User, name, json!({}))));
    }
    for name in ["Anna", "anna@", "@x", "a@b@c", "a b@x", "a..b", ".a@x", "anna@x."] {
        assert!(create(&f, &sent(User, name, json!({}))).is_err(), "{name}");
    }
    refused(
        create(
            &f,
            &sent(
                User,
                "eve",
                json!({"email": "nobody", "groups": [""], "oidc": {"issuer": "https://id", "subject": "1"}}),
            ),
        ),
        &[
            "spec.email: \"nobody\" is no e-mail address",
            "spec.groups[0]: is empty",
            "spec.oidc: User bob is that login already",
        ],
    );
    let rule = json!({"rules": [{"verbs": ["get"]}]});
    refused(create(&f, &sent(Role, "viewer.acme", rule.clone())), &["viewer is a built-in role"]);
    refused(
        create(&f, &sent(Role, "mine.acme", json!({"rules": []}))),
        &["a role without rules allows nothing"],
    );
    f.put(Role, "mine.acme", rule.clone());
    refused(
        create(&f, &sent(Role, "mine.retail.acme", rule)),
        &["Role mine.acme means this name here already"],
    );
    let binding = |spec| create(&f, &sent(RoleBinding, "b.retail.acme", spec));
    admitted(binding(json!({"role": "mine", "subjects": [], "at": {"kind": "Region", "name": "north"}})));
    let many = vec![json!({"kind": "User", "name": "u"}); 257];
    refused(
        binding(json!({"role": "viewr", "subjects": many, "at": {"kind": "Site", "name": "gone"}})),
        &[
            "spec.role: there is no role viewr | did you mean viewer?",
            "spec.at.name: there is no Site gone",
            "spec.subjects: 257 subjects are too many",
        ],
    );
    refused(
        binding(
            json!({"role": "admin", "subjects": [{"kind": "User", "name": " "}], "at": {"kind": "Host", "name": "till-1"}}),
        ),
        &[
            "spec.at.kind: a Host cannot stand here | name one of Region, Site",
            "spec.subjects[0].name: is empty",
        ],
    );
}

#[test]
fn a_token_ends_within_400_days_of_its_making() {
    let mut f = Forest::small();
    let token =
        |expires: &str| create(&f, &sent(Token, "t.acme", json!({"role": "viewer", "expires": expires})));
    admitted(token("2027-01-01T00:00:00Z"));
    let o = admitted(token("2027-12-27T17:00:00+01:00"));
    assert!(matches!(&o.spec, Spec::Token(t) if t.expires == "2027-12-27T16:00:00Z"), "{:?}", o.spec);
    refused(
        token("2027-12-27T16:00:01Z"),
        &["more than 400 days after the token was made | write a time until 2027-12-27T16:00:00Z"],
    );
    refused(token("2026-11-22T16:00:00Z"), &["spec.expires: 2026-11-22T16:00:00Z is past"]);
    refused(token("tomorrow"), &["spec.expires: \"tomorrow\" is no time"]);
    // One that was made in 1970 cannot be prolonged, but described.
    f.put(Token, "old.acme", json!({"role": "viewer", "expires": "1970-06-01T00:00:00Z"}));
    let old = f.get(Token, "old.acme");
    let m = |expires, text| {
        sent(Token, "old.acme", json!({"role": "viewer", "expires": expires, "description": text}))
    };
    admitted(update(&f, old, &m("1970-06-01T00:00:00Z", "x")));
    refused(update(&f, old, &m("2027-01-01T00:00:00Z", "")), &["more than 400 days"]);
}

#[test]
fn the_project_where_unknown_machines_wait_stays() {
    let mut f = Forest::small();
    f.put(Organisation, "default", json!({}));
    f.put(Project, "default.default", json!({}));
    let delete = Intent::Delete { current: f.get(Project, "default.default") };
    refused(admit(&f.index, delete, stamp(1)), &["machines that nobody registered wait in this project"]);
}

#[test]
fn nothing_goes_that_others_lie_in_or_name() {
    let mut f = Forest::small();
    let delete = |f: &Forest, kind, name: &str| {
        admit(&f.index, Intent::Delete { current: f.get(kind, name) }, stamp(1))
    };
    refused(
        delete(&f, Organisation, "acme"),
        &[
            "Organisation acme is not empty; in it there are 2: Project retail.acme, Project wholesale.acme | move or delete those first",
        ],
    );
    for n in 0..6 {
        f.put(Host, &format!("h{n}.retail.acme"), json!({"site": "till"}));
    }
    refused(
        delete(&f, Site, "till.retail.acme"),
        &[
            "Site till.retail.acme is not empty; in it there are 7: Host h0.retail.acme, Host h1.retail.acme, Host h2.retail.acme, Host h3.retail.acme, Host h4.retail.acme and 2 more",
        ],
    );
    f.put(Site, "empty.retail.acme", json!({}));
    assert_eq!(delete(&f, Site, "empty.retail.acme"), Ok(Admitted::Delete));
    let at = json!({"kind": "Site", "name": "empty"});
    f.put(Policy, "p.retail.acme", json!({"target": at}));
    f.put(ClaimRule, "c.retail.acme", json!({"site": "empty"}));
    f.put(
        RoleBinding,
        "b.retail.acme",
        json!({"role": "mine", "subjects": [{"kind": "User", "name": "ann"}], "at": at}),
    );
    f.put(Token, "t.retail.acme", json!({"role": "mine", "at": at, "expires": "2027-01-01T00:00:00Z"}));
    refused(
        delete(&f, Site, "empty.retail.acme"),
        &[
            "is named by ClaimRule c.retail.acme, Policy p.retail.acme, RoleBinding b.retail.acme, Token t.retail.acme",
        ],
    );
    f.put(Role, "mine.acme", json!({"rules": [{}]}));
    refused(
        delete(&f, Role, "mine.acme"),
        &["Role mine.acme is named by RoleBinding b.retail.acme, Token t.retail.acme"],
    );
    refused(
        delete(&f, User, "ann"),
        &["User ann is named by RoleBinding b.retail.acme | take the user out of them first"],
    );
    f.put(RoleBinding, "first", json!({"role": "admin", "subjects": [{"kind": "User", "name": "ann"}]}));
    refused(delete(&f, RoleBinding, "first"), &["nobody would be left who administers the appliance"]);
    let off = update(&f, f.get(User, "ann"), &sent(User, "ann", json!({"disabled": true})));
    refused(off, &["nobody would be left who administers the appliance"]);
    f.put(Organisation, "default", json!({}));
    assert_eq!(delete(&f, Organisation, "default"), Ok(Admitted::Delete));
}
