//! Who sees and does what: stories on one small tree, and any tree with any bindings against a naive reading of the rules.

mod forest;

use cairn_domain::{
    access::{
        BUILTIN, Decision, Denied, Grants, Place, Principal, Rights, VERBS, builtin, changes_grants, grants,
        leaves_no_admin,
    },
    index::Index,
    model::{Kind, Namespace, Object, RoleRule, RoleSpec, Spec, Uid, Verb},
};
use forest::{Forest, grow, object, seeds};
use proptest::prelude::*;
use serde_json::json;

fn of_ann(f: &Forest) -> Grants {
    grants(&f.index, &Principal::user(&f.index, "ann"))
}

#[track_caller]
fn check(f: &Forest, verb: Verb, kind: Kind, name: &str, expected: Decision) {
    let place = Place::Of(f.uid(kind, name));
    assert_eq!(of_ann(f).decide(&f.index, verb, kind, place), expected, "{verb:?} {kind} {name}");
}

use Decision::{Allowed, Forbidden, Hidden};
use Kind::{Host, Organisation, Policy, Project, Region, Role, RoleBinding, Site, Token, User};
use Verb::{Create, Delete, Get, Operate, Update};

#[test]
fn a_site_operator_sees_the_site_the_way_to_it_and_nothing_beside_it() {
    let mut f = Forest::small();
    f.bind("b.retail.acme", "site-operator", Some((Site, "depot")));
    for (kind, name) in [
        (Organisation, "acme"),
        (Project, "retail.acme"),
        (Region, "north.retail.acme"),
        (Region, "inner.retail.acme"),
    ] {
        check(&f, Get, kind, name, Allowed);
        check(&f, Update, kind, name, Forbidden);
    }
    check(&f, Update, Site, "depot.retail.acme", Allowed);
    check(&f, Delete, Site, "depot.retail.acme", Forbidden);
    check(&f, Operate, Host, "depot-1.retail.acme", Allowed);
    check(&f, Verb::Secret, Host, "depot-1.retail.acme", Forbidden);
    for (kind, name) in [
        (Organisation, "globex"),
        (Project, "wholesale.acme"),
        (Site, "till.retail.acme"),
        (Host, "till-1.retail.acme"),
        (Host, "bench-1.lab.globex"),
        (RoleBinding, "b.retail.acme"),
        (User, "ann"),
    ] {
        check(&f, Get, kind, name, Hidden);
        check(&f, Delete, kind, name, Hidden);
    }
}

#[test]
fn making_something_where_one_sees_nothing_is_as_if_the_place_did_not_exist() {
    let mut f = Forest::small();
    f.bind("b.retail.acme", "project-admin", None);
    let g = of_ann(&f);
    let decide = |kind, space: &str| g.decide(&f.index, Create, kind, Place::In(&space.parse().unwrap()));
    assert_eq!(decide(Site, "retail.acme"), Allowed);
    assert_eq!(decide(Project, "acme"), Forbidden);
    assert_eq!(decide(Policy, ""), Forbidden);
    assert_eq!(decide(Site, "wholesale.acme"), Hidden);
    assert_eq!(decide(Site, "no-such.acme"), Hidden);
    assert_eq!(decide(Project, "globex"), Hidden);
    assert_eq!(decide(Project, "no-such"), Hidden);
    let missing = Place::Of(forest::uid(999_999));
    assert_eq!(g.decide(&f.index, Get, Host, missing), Hidden);
    let other_kind = Place::Of(f.uid(Site, "till.retail.acme"));
    assert_eq!(g.decide(&f.index, Get, Host, other_kind), Hidden);
    // In a place that would be theirs, they learn that it is missing.
    f.bind("c.acme", "org-admin", None);
    let place: Namespace = "no-such.acme".parse().unwrap();
    assert_eq!(of_ann(&f).decide(&f.index, Create, Site, Place::In(&place)), Allowed);
}

#[test]
fn what_acts_downwards_is_read_from_below() {
    let mut f = Forest::small();
    f.bind("b.retail.acme", "viewer", Some((Site, "till")));
    for (kind, name, expected) in [
        (Policy, "top", Allowed),
        (Policy, "p.acme", Allowed),
        (Policy, "p.retail.acme", Allowed),
        (Policy, "p.wholesale.acme", Hidden),
        (Policy, "p.globex", Hidden),
        (Kind::FirmwareProfile, "slow", Allowed),
        (Kind::ClaimRule, "c.retail.acme", Hidden),
        // A viewer reads no roles anywhere.
        (Role, "r.acme", Hidden),
        (Token, "t.retail.acme", Hidden),
    ] {
        let spec = match kind {
            Token => json!({"role": "viewer", "expires": "2027-01-01T00:00:00Z"}),
            _ => json!({}),
        };
        f.put(kind, name, spec);
        check(&f, Get, kind, name, expected);
        check(&f, Update, kind, name, if expected == Allowed { Forbidden } else { Hidden });
    }
}

#[test]
fn what_lost_its_namespace_is_not_read_by_all() {
    let mut f = Forest::small();
    f.bind("b.retail.acme", "viewer", None);
    f.put(Policy, "left.none.globex", json!({}));
    check(&f, Get, Policy, "left.none.globex", Hidden);
    let seen = f.index.seen(f.uid(Policy, "left.none.globex")).unwrap();
    assert!(!of_ann(&f).sees(&seen));
}

#[test]
fn only_enabled_users_with_living_roles_and_nodes_have_rights() {
    let mut f = Forest::small();
    f.bind("b.retail.acme", "site-operator", Some((Site, "gone")));
    assert!(of_ann(&f).is_empty(), "a binding at a site that is gone is not one to the project");
    f.bind("b.retail.acme", "no-such-role", None);
    assert!(of_ann(&f).is_empty());
    f.bind("b.none.acme", "admin", None);
    assert!(of_ann(&f).is_empty(), "a project that is gone is not the appliance");
    f.bind("c.retail.acme", "viewer", None);
    assert!(!of_ann(&f).is_empty());
    f.put(User, "ann", json!({"disabled": true}));
    assert!(of_ann(&f).is_empty());
    assert!(grants(&f.index, &Principal::user(&f.index, "nobody")).is_empty());
    assert!(grants(&f.index, &Principal::token("ann")).is_empty(), "a user is no token");
    assert!(grants(&f.index, &Principal::user(&f.index, "setup")).is_empty());
}

#[test]
fn groups_count_as_they_are_now() {
    let mut f = Forest::small();
    let subjects = json!([{"kind": "Group", "name": "ops"}]);
    f.put(RoleBinding, "b.acme", json!({"role": "viewer", "subjects": subjects}));
    f.put(User, "ann", json!({"groups": ["ops"]}));
    let principal = Principal::user(&f.index, "ann");
    assert_eq!(principal.groups, ["ops"]);
    assert!(!grants(&f.index, &principal).is_empty());
    f.put(User, "ann", json!({"groups": []}));
    assert!(grants(&f.index, &principal).is_empty());
    // A user who is named as the group is.
    f.put(User, "ops", json!({}));
    assert!(grants(&f.index, &Principal::user(&f.index, "ops")).is_empty());
}

#[test]
fn a_token_can_do_what_its_role_allows_where_it_lives() {
    let mut f = Forest::small();
    let spec = json!({"role": "host-installer", "at": {"kind": "Region", "name": "north"},
        "expires": "2027-01-01T00:00:00Z"});
    f.put(Token, "ci.retail.acme", spec);
    let g = grants(&f.index, &Principal::token("ci.retail.acme"));
    let depot = Place::Under(f.uid(Site, "depot.retail.acme"));
    let till = Place::Under(f.uid(Site, "till.retail.acme"));
    assert_eq!(g.decide(&f.index, Create, Host, depot), Allowed);
    // As where no site is named at all: the project shows, as the way to the region.
    assert_eq!(g.decide(&f.index, Create, Host, till), Forbidden);
    let retail: Namespace = "retail.acme".parse().unwrap();
    assert_eq!(g.decide(&f.index, Create, Host, Place::In(&retail)), Forbidden);
    let bench = Place::Under(f.uid(Site, "bench.lab.globex"));
    assert_eq!(g.decide(&f.index, Create, Host, bench), Hidden);
    assert_eq!(g.until().unwrap().seconds(), 1_798_761_600);
    assert_eq!(g.granted().len(), 1);
    assert!(grants(&f.index, &Principal::token("ci")).is_empty());
    assert!(grants(&f.index, &Principal::token("ci.acme")).is_empty());
}

#[test]
fn a_custom_role_of_a_higher_namespace_is_the_one_that_is_meant() {
    let mut f = Forest::small();
    f.put(Role, "deleter.retail.acme", json!({"rules": [{"verbs": ["get", "delete"], "kinds": ["Host"]}]}));
    f.bind("b.retail.acme", "deleter", None);
    check(&f, Delete, Host, "till-1.retail.acme", Allowed);
    f.put(Role, "deleter.acme", json!({"rules": [{"verbs": ["get"], "kinds": ["Host"]}]}));
    check(&f, Delete, Host, "till-1.retail.acme", Forbidden);
    // A role of another project is not seen.
    f.put(Role, "other.wholesale.acme", json!({"rules": [{"kinds": ["Host"]}]}));
    f.bind("b.retail.acme", "other", None);
    assert!(of_ann(&f).is_empty());
    // A built-in name is never taken over.
    f.put(Role, "viewer", json!({"rules": [{}]}));
    f.bind("b.retail.acme", "viewer", None);
    check(&f, Delete, Host, "till-1.retail.acme", Forbidden);
}

#[test]
fn the_appliances_own_credential_may_do_everything() {
    let f = Forest::small();
    let g = grants(&f.index, &Principal::setup());
    let new = object(RoleBinding, "x", forest::uid(9_999), json!({"role": "admin", "subjects": []}));
    assert_eq!(g.may_write(&f.index, None, Some(&new)), Ok(()));
    for verb in VERBS {
        let place = Place::Of(f.uid(Host, "bench-1.lab.globex"));
        assert_eq!(g.decide(&f.index, verb, Host, place), Allowed);
    }
}

fn new(kind: Kind, full: &str, spec: serde_json::Value) -> Object {
    object(kind, full, forest::uid(9_999), spec)
}

fn binding(full: &str, role: &str) -> Object {
    new(RoleBinding, full, json!({"role": role, "subjects": [{"kind": "User", "name": "ann"}]}))
}

#[test]
fn nobody_gives_what_they_have_not() {
    let mut f = Forest::small();
    f.bind("b.acme", "org-admin", None);
    let g = of_ann(&f);
    let write = |o: Object| g.may_write(&f.index, None, Some(&o));
    for role in ["org-admin", "project-admin", "site-operator", "host-installer", "auditor", "viewer"] {
        assert_eq!(write(binding("x.acme", role)), Ok(()), "{role}");
        assert_eq!(write(binding("x.retail.acme", role)), Ok(()), "{role}");
    }
    assert!(matches!(write(binding("x.acme", "admin")), Err(Denied::Excess(_))));
    // Inside of a project all that `admin` means there is had by who administers its organisation, but removing the project.
    assert_eq!(write(binding("x.retail.acme", "admin")), Ok(()));
    assert!(matches!(write(binding("x", "viewer")), Err(Denied::Forbidden { .. })));
    assert_eq!(write(binding("x.globex", "viewer")), Err(Denied::Hidden));
    let token = |role| json!({"role": role, "expires": "2027-01-01T00:00:00Z"});
    assert_eq!(write(new(Token, "t.retail.acme", token("project-admin"))), Ok(()));
    assert!(matches!(write(new(Token, "t.acme", token("admin"))), Err(Denied::Excess(_))));
    let role = |verbs| json!({"rules": [{"verbs": verbs, "kinds": ["Organisation"]}]});
    assert_eq!(write(new(Role, "r.acme", role(["update"]))), Ok(()));
    assert!(matches!(write(new(Role, "r.acme", role(["delete"]))), Err(Denied::Excess(_))));
}

#[test]
fn a_project_admin_raises_nobody_above() {
    let mut f = Forest::small();
    f.bind("b.retail.acme", "project-admin", None);
    f.put(Role, "mine.retail.acme", json!({"rules": [{"verbs": ["get"], "kinds": ["Host"]}]}));
    let g = of_ann(&f);
    let excess = |o: &Object| {
        let before = f.find(o.kind(), &o.full_name());
        matches!(g.may_write(&f.index, before, Some(o)), Err(Denied::Excess(_)))
    };
    assert!(excess(&binding("x.retail.acme", "admin")), "it deletes the project");
    assert!(excess(&binding("x.retail.acme", "org-admin")));
    assert!(!excess(&binding("x.retail.acme", "project-admin")));
    let mut role = f.get(Role, "mine.retail.acme").clone();
    role.spec = Spec::parse(Role, json!({"rules": [{}]})).unwrap();
    assert!(excess(&role), "a role that is bound already");
    role.spec = Spec::parse(Role, json!({"rules": [{"kinds": ["Host", "Site"]}]})).unwrap();
    assert!(!excess(&role));
}

#[test]
fn who_keeps_users_does_not_become_them() {
    let mut f = Forest::small();
    f.put(Role, "desk", json!({"rules": [{"kinds": ["User"]}]}));
    f.bind("desk", "desk", None);
    f.put(User, "root", json!({}));
    f.put(
        RoleBinding,
        "admins",
        json!({"role": "admin", "subjects": [{"kind": "User", "name": "root"},
            {"kind": "User", "name": "waited-for"}, {"kind": "Group", "name": "wheel"}]}),
    );
    let g = of_ann(&f);
    let write = |name: &str, spec| {
        let before = f.find(User, name);
        let mut after = before.cloned().unwrap_or_else(|| new(User, name, json!({})));
        after.spec = Spec::parse(User, spec).unwrap();
        g.may_write(&f.index, before, Some(&after))
    };
    assert_eq!(write("bob", json!({"groups": ["staff"]})), Ok(()));
    assert_eq!(write("ann", json!({"displayName": "Ann"})), Ok(()));
    assert!(matches!(write("ann", json!({"groups": ["wheel"]})), Err(Denied::Excess(_))));
    assert!(matches!(write("waited-for", json!({})), Err(Denied::Excess(_))));
    let login = json!({"oidc": {"issuer": "https://id.example", "subject": "ann"}});
    assert!(matches!(write("root", login), Err(Denied::Excess(_))));
    assert_eq!(write("root", json!({"displayName": "Root"})), Ok(()));
    let sight = g.over(&f.index);
    assert!(sight.outranks(f.get(User, "root")).is_err(), "nor sets their password");
    assert_eq!(sight.outranks(f.get(User, "ann")), Ok(()));
}

#[test]
fn a_host_moves_only_to_where_one_may_put_it() {
    let mut f = Forest::small();
    f.bind("a.retail.acme", "site-operator", Some((Site, "till")));
    let host = f.get(Host, "till-1.retail.acme").clone();
    let mut moved = host.clone();
    moved.spec = Spec::parse(Host, json!({"site": "depot", "serial": "x"})).unwrap();
    let place = Denied::NoPlace("there is no Site depot in project retail.acme".to_owned());
    assert_eq!(of_ann(&f).may_write(&f.index, Some(&host), Some(&moved)), Err(place));
    let mut away = host.clone();
    away.metadata.namespace = "wholesale.acme".parse().unwrap();
    let place = Denied::NoPlace("there is no project wholesale.acme".to_owned());
    assert_eq!(of_ann(&f).may_write(&f.index, Some(&host), Some(&away)), Err(place));
    f.bind("b.retail.acme", "viewer", Some((Site, "depot")));
    let denied = of_ann(&f).may_write(&f.index, Some(&host), Some(&moved));
    assert!(matches!(denied, Err(Denied::Forbidden { verb: Create, .. })), "{denied:?}");
    f.bind("b.retail.acme", "host-installer", Some((Site, "depot")));
    assert_eq!(of_ann(&f).may_write(&f.index, Some(&host), Some(&moved)), Ok(()));
    // Out of a place it goes only by who operates there.
    f.bind("a.retail.acme", "host-installer", Some((Site, "till")));
    let denied = of_ann(&f).may_write(&f.index, Some(&host), Some(&moved));
    assert!(matches!(denied, Err(Denied::Forbidden { verb: Operate, .. })), "{denied:?}");
}

#[test]
fn somebody_stays_administrator() {
    let mut f = Forest::small();
    f.bind("first", "admin", None);
    let first = f.uid(RoleBinding, "first");
    let ann = f.uid(User, "ann");
    assert!(leaves_no_admin(&f.index, first, None));
    assert!(leaves_no_admin(&f.index, ann, None));
    assert!(leaves_no_admin(&f.index, ann, Some(&new(User, "ann", json!({"disabled": true})))));
    assert!(!leaves_no_admin(&f.index, ann, Some(&new(User, "ann", json!({"displayName": "A"})))));
    assert!(leaves_no_admin(&f.index, first, Some(&binding("first", "viewer"))));
    assert!(!leaves_no_admin(&f.index, first, Some(&binding("first", "admin"))));
    // A group without anyone in it is nobody.
    let group = json!({"role": "admin", "subjects": [{"kind": "Group", "name": "wheel"}]});
    f.put(RoleBinding, "second", group);
    assert!(leaves_no_admin(&f.index, first, None));
    f.put(User, "bob", json!({"groups": ["wheel"]}));
    assert!(!leaves_no_admin(&f.index, first, None));
    assert!(!leaves_no_admin(&f.index, f.uid(Host, "till-1.retail.acme"), None));
}

#[test]
fn built_in_roles_are_what_they_say() {
    let rights = |name: &str| Rights::of(&builtin(name).unwrap());
    assert!(BUILTIN.iter().all(|name| !builtin(name).unwrap().description.is_empty()));
    assert_eq!(builtin("root"), None);
    assert_eq!(rights("admin"), Rights::all());
    assert_eq!(rights("admin").each().count(), VERBS.len() * Kind::ALL.len());
    for (less, more) in [
        ("org-admin", "admin"),
        ("host-installer", "site-operator"),
        ("viewer", "host-installer"),
        ("viewer", "auditor"),
    ] {
        assert!(rights(less).without(rights(more)).is_empty(), "{less} {more}");
    }
    assert!(rights("viewer").each().all(|(verb, _)| verb == Get));
    assert!(!rights("viewer").has(Get, Token) && !rights("viewer").has(Get, Kind::Secret));
    let deployer = rights("app-deployer");
    assert!(deployer.has(Verb::Secret, Kind::Secret) && deployer.has(Create, Kind::Deployment));
    assert!(!deployer.has(Update, Host) && !deployer.has(Create, Kind::Cluster));
    assert!(!rights("auditor").has(Verb::Secret, Kind::Secret));
    assert!(!rights("org-admin").has(Delete, Organisation));
    assert!(!rights("site-operator").has(Create, RoleBinding));
}

#[test]
fn what_hosts_do_changes_nobodys_rights() {
    let mut f = Forest::small();
    let host = f.get(Host, "till-1.retail.acme").clone();
    assert!(!f.index.put(host).iter().any(changes_grants));
    let mut site = f.get(Site, "till.retail.acme").clone();
    site.metadata.labels.insert("a".to_owned(), "b".to_owned());
    assert!(!f.index.put(site.clone()).iter().any(changes_grants));
    site.spec = Spec::parse(Site, json!({"region": "north"})).unwrap();
    assert!(f.index.put(site).iter().any(changes_grants));
    let user = f.get(User, "ann").clone();
    assert!(f.index.put(user).iter().any(changes_grants));
}

/// A node, and what is allowed there and below.
type Naive = (Option<Uid>, RoleSpec);

fn allows(role: &RoleSpec, verb: Verb, kind: Kind) -> bool {
    role.rules.iter().any(|r| {
        (r.verbs.is_empty() || r.verbs.contains(&verb)) && (r.kinds.is_empty() || r.kinds.contains(&kind))
    })
}

fn has_any(role: &RoleSpec) -> bool {
    !role.rules.is_empty()
}

fn naive(index: &Index, given: &[Naive], verb: Verb, object: &Object) -> Decision {
    let line: Vec<Uid> = index.lineage(object.metadata.uid).iter().map(|o| o.metadata.uid).collect();
    let at_or_above = |node: &Option<Uid>| node.is_none_or(|n| line.contains(&n));
    let has = |verb| given.iter().any(|(node, role)| at_or_above(node) && allows(role, verb, object.kind()));
    // The nodes from which one looks up at this object.
    let below = |node: &Option<Uid>, of: Option<Uid>| match (node, of) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(node), Some(of)) => index.lineage(*node).iter().any(|o| o.metadata.uid == of),
    };
    let on_path = object.kind().is_node()
        && given.iter().any(|(node, role)| has_any(role) && below(node, Some(object.metadata.uid)));
    let downwards = [Policy, Kind::OsImage, Kind::FirmwareProfile, Role].contains(&object.kind());
    let space = index.parent(object.metadata.uid).map(|o| o.metadata.uid);
    let from_below =
        downwards && given.iter().any(|(node, role)| allows(role, Get, object.kind()) && below(node, space));
    let sees = has(Get) || on_path || from_below;
    match (sees, verb == Get || has(verb)) {
        (false, _) => Hidden,
        (true, true) => Allowed,
        (true, false) => Forbidden,
    }
}

fn rule() -> impl Strategy<Value = RoleRule> {
    let verbs = prop::collection::vec(prop::sample::select(VERBS.to_vec()), 0..3);
    let kinds = prop::collection::vec(prop::sample::select(Kind::ALL.to_vec()), 0..5);
    (verbs, kinds).prop_map(|(verbs, kinds)| RoleRule { verbs, kinds })
}

/// Index of the node among those of the tree, or of the appliance; and a role, built-in or not.
fn bindings() -> impl Strategy<Value = Vec<(u16, Option<usize>, Vec<RoleRule>)>> {
    let role = (prop::option::of(0..BUILTIN.len()), prop::collection::vec(rule(), 0..3));
    prop::collection::vec((any::<u16>(), role), 0..5)
        .prop_map(|all| all.into_iter().map(|(at, (builtin, rules))| (at, builtin, rules)).collect())
}

/// Puts bindings for ann into a grown tree; `nodes` says where some may be.
fn bound(
    objects: &[Object],
    bindings: &[(u16, Option<usize>, Vec<RoleRule>)],
    appliance_too: u16,
) -> (Index, Vec<Naive>) {
    let mut index = Index::load(objects.to_vec(), 1);
    index.put(object(User, "ann", forest::uid(50_000), json!({})));
    let nodes: Vec<&Object> = objects.iter().filter(|o| o.kind().is_node() && o.kind() != Host).collect();
    let mut given = Vec::new();
    for (n, (at, builtin_at, rules)) in bindings.iter().enumerate() {
        let slots = nodes.len() + usize::from(appliance_too);
        let node = nodes.get(usize::from(*at) % slots).copied();
        let (space, at) = match node {
            None => (Namespace::Appliance, None),
            Some(o) => match o.kind() {
                Organisation => (Namespace::Organisation(o.metadata.name.clone()), None),
                Project => (o.full_name().parse().expect("a project"), None),
                kind => (o.metadata.namespace.clone(), Some(json!({"kind": kind, "name": o.metadata.name}))),
            },
        };
        let full = |name: String| cairn_domain::model::full_name(&name, &space);
        let (role, spec) = match builtin_at {
            Some(at) => (BUILTIN[*at].to_owned(), builtin(BUILTIN[*at]).expect("built in")),
            None => {
                let name = format!("role-{n}");
                let spec = RoleSpec { description: String::new(), rules: rules.clone() };
                let json = serde_json::to_value(&spec).expect("JSON");
                index.put(object(Role, &full(name.clone()), forest::uid(60_000 + n), json));
                (name, spec)
            }
        };
        let mut spec_json = json!({"role": role, "subjects": [{"kind": "User", "name": "ann"}]});
        if let Some(at) = at {
            spec_json["at"] = at;
        }
        index.put(object(RoleBinding, &full(format!("b{n}")), forest::uid(70_000 + n), spec_json));
        given.push((node.map(|o| o.metadata.uid), spec));
    }
    (index, given)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_decision_is_the_naive_one(seeds in seeds(50), bindings in bindings()) {
        let objects = grow(&seeds);
        let (index, given) = bound(&objects, &bindings, 2);
        let g = grants(&index, &Principal::user(&index, "ann"));
        let sight = g.over(&index);
        let all: Vec<_> = Kind::ALL.into_iter().flat_map(|k| index.of_kind(k)).collect();
        for object in all {
            let (kind, uid) = (object.kind(), object.metadata.uid);
            for verb in VERBS {
                let expected = naive(&index, &given, verb, object);
                prop_assert_eq!(g.decide(&index, verb, kind, Place::Of(uid)), expected, "{:?} {}", verb, object);
                prop_assert_eq!(sight.decide(verb, kind, Place::Of(uid)), expected);
            }
            let sees = naive(&index, &given, Get, object) == Allowed;
            prop_assert_eq!(sight.sees(object), sees, "list {}", object);
            prop_assert_eq!(g.sees(&index.seen(uid).unwrap()), sees, "event {}", object);
        }
    }

    #[test]
    fn nobody_sees_beyond_their_organisation(seeds in seeds(60), bindings in bindings()) {
        let objects = grow(&seeds);
        // Bindings in organisation a only.
        let a: Namespace = "a".parse().unwrap();
        let inside = |o: &Object| o.metadata.namespace.is_within(&a) || (o.kind() == Organisation && o.metadata.name == "a");
        let of_a: Vec<Object> = objects.iter().filter(|o| inside(o)).cloned().collect();
        let (_, given) = bound(&of_a, &bindings, 0);
        let (mut index, _) = bound(&of_a, &bindings, 0);
        for object in objects.iter().filter(|o| !inside(o)) {
            index.put(object.clone());
        }
        prop_assert!(given.iter().all(|(node, _)| node.is_some()));
        let g = grants(&index, &Principal::user(&index, "ann"));
        for object in objects.iter().filter(|o| !inside(o)) {
            let downwards = object.metadata.namespace == Namespace::Appliance
                && [Policy, Kind::FirmwareProfile].contains(&object.kind());
            let seen = g.decide(&index, Get, object.kind(), Place::Of(object.metadata.uid));
            prop_assert!(seen == Hidden || downwards, "{} is {:?}", object, seen);
            for verb in VERBS.into_iter().filter(|v| *v != Get) {
                let done = g.decide(&index, verb, object.kind(), Place::Of(object.metadata.uid));
                prop_assert_ne!(done, Allowed);
            }
        }
        for space in ["b", "p.b", "zzz", "p.zzz"] {
            for kind in Kind::ALL {
                let place: Namespace = space.parse().unwrap();
                prop_assert_eq!(g.decide(&index, Create, kind, Place::In(&place)), Hidden);
            }
        }
    }

    #[test]
    fn what_somebody_gives_never_exceeds_what_they_have(seeds in seeds(40), bindings in bindings()) {
        let objects = grow(&seeds);
        let (mut index, _) = bound(&objects, &bindings, 1);
        index.put(object(User, "eve", forest::uid(80_001), json!({})));
        for (space, role) in ["", "a", "b", "p.a", "q.a", "p.b"].iter().flat_map(|s| BUILTIN.map(|r| (*s, r))) {
            let full = cairn_domain::model::full_name("gift", &space.parse().unwrap());
            let spec = json!({"role": role, "subjects": [{"kind": "User", "name": "eve"}]});
            let gift = object(RoleBinding, &full, forest::uid(80_000), spec);
            let ann = grants(&index, &Principal::user(&index, "ann"));
            if ann.may_write(&index, None, Some(&gift)).is_err() {
                continue;
            }
            index.put(gift);
            let eve = grants(&index, &Principal::user(&index, "eve"));
            let path: Vec<Uid> = index.lineage(forest::uid(80_000)).iter().map(|o| o.metadata.uid).collect();
            for object in &objects {
                let (kind, place) = (object.kind(), Place::Of(object.metadata.uid));
                for verb in VERBS {
                    // That there is a way to what she has, eve sees in any case.
                    let is_path = verb == Get && path.contains(&object.metadata.uid);
                    let hers = eve.decide(&index, verb, kind, place) == Allowed;
                    let mine = ann.decide(&index, verb, kind, place) == Allowed;
                    prop_assert!(mine || !hers || is_path, "{:?} {}: {} in {:?}", verb, object, role, space);
                }
            }
            index.remove(forest::uid(80_000), 2);
        }
    }
}
