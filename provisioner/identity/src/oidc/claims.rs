//! Who an issuer says somebody is: from checked claims to a person.

use serde_json::{Map, Value};

use super::config::Oidc;

const LONGEST_NAME: usize = 256;
/// OpenID Connect Core, 2: "MUST NOT exceed 255 ASCII characters".
const LONGEST_SUBJECT: usize = 255;
const MOST_GROUPS: usize = 500;

/// Somebody that the issuer vouches for. `issuer` and `subject` name one person for ever; all else may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The issuer identifier.
    pub issuer: String,
    /// The issuer's own name for the person.
    pub subject: String,
    /// The user name, from the configured claim; at most 256 characters, none of them a control character.
    pub name: String,
    /// The mail address, unless the issuer says that it is not verified.
    pub email: Option<String>,
    /// Groups, sorted, each once.
    pub groups: Vec<String>,
}

/// Why claims do not make a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
    /// The user name is missing.
    #[error(
        "the issuer does not tell the user name (claim {0}); ask for its scope in oidc.scopes or set oidc.username_claim"
    )]
    NoName(String),
    /// A text cannot be a name.
    #[error(
        "the claim {0} is empty, longer than 256 characters, or has control characters or blanks at an end"
    )]
    Text(String),
    /// Groups are something else.
    #[error("the claim {0} is not a list of texts; set oidc.groups_claim")]
    Groups(String),
    /// Too many.
    #[error("the person is in more than 500 groups; let the issuer tell only those of Cairn")]
    TooManyGroups,
}

/// The claims of an ID token, and where needed of the userinfo endpoint.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// Whether name or groups are missing, so that the userinfo endpoint is worth a question.
    pub(super) fn lacks(&self, config: &Oidc) -> bool {
        self.get(&config.groups_claim).is_none() || matches!(self.name(config), Err(PersonError::NoName(_)))
    }

    /// Takes what is missing from `more`; what is there stays.
    pub(super) fn complete(&mut self, more: Map<String, Value>) {
        for (name, value) in more {
            let held = self.0.entry(name).or_insert(Value::Null);
            if held.is_null() {
                *held = value;
            }
        }
    }

    /// The person whom these claims, checked before, tell of.
    pub(super) fn person(&self, config: &Oidc) -> Result<Person, PersonError> {
        let subject = text("sub", self.get("sub").unwrap_or(&Value::Null), LONGEST_SUBJECT)?;
        Ok(Person {
            issuer: config.issuer.clone(),
            subject,
            name: self.name(config)?,
            email: self.email(),
            groups: self.groups(&config.groups_claim)?,
        })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let found = match name.strip_prefix('/').and_then(|path| path.split_once('/')) {
            Some((first, rest)) => self.0.get(first)?.pointer(&format!("/{rest}")),
            None => self.0.get(name.trim_start_matches('/')),
        };
        found.filter(|value| !value.is_null())
    }

    fn name(&self, config: &Oidc) -> Result<String, PersonError> {
        if let Some(claim) = &config.username_claim {
            let value = self.get(claim).ok_or_else(|| PersonError::NoName(claim.clone()))?;
            if claim == "email" && self.get("email_verified") == Some(&Value::Bool(false)) {
                return Err(PersonError::NoName("email, verified".to_owned()));
            }
            return text(claim, value, LONGEST_NAME);
        }
        if let Some(value) = self.get("preferred_username") {
            return text("preferred_username", value, LONGEST_NAME);
        }
        // Without word that it is verified, anybody may have typed in anybody's address.
        let email = self.get("email").filter(|_| self.get("email_verified") == Some(&Value::Bool(true)));
        let missing = || PersonError::NoName("preferred_username or a verified email".to_owned());
        text("email", email.ok_or_else(missing)?, LONGEST_NAME)
    }

    fn email(&self) -> Option<String> {
        if self.get("email_verified") == Some(&Value::Bool(false)) {
            return None;
        }
        text("email", self.get("email")?, LONGEST_NAME).ok()
    }

    fn groups(&self, claim: &str) -> Result<Vec<String>, PersonError> {
        let wrong = || PersonError::Groups(claim.to_owned());
        let list = match self.get(claim) {
            None => &[],
            Some(Value::Array(list)) => list.as_slice(),
            Some(one @ Value::String(_)) => std::slice::from_ref(one),
            Some(_) => return Err(wrong()),
        };
        if list.len() > MOST_GROUPS {
            return Err(PersonError::TooManyGroups);
        }
        let name = |value| text(claim, value, LONGEST_NAME).map_err(|_| wrong());
        let mut groups = list.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        groups.sort_unstable();
        groups.dedup();
        Ok(groups)
    }
}

fn text(claim: &str, value: &Value, longest: usize) -> Result<String, PersonError> {
    let fits = |s: &&str| {
        !s.is_empty() && s.trim() == *s && s.chars().count() <= longest && !s.chars().any(char::is_control)
    };
    value.as_str().filter(fits).map(str::to_owned).ok_or_else(|| PersonError::Text(claim.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn config(more: &str) -> Oidc {
        toml::from_str(&format!("issuer = \"https://a.test\"\nclient_id = \"c\"\n{more}")).unwrap()
    }

    fn claims(value: Value) -> Claims {
        let Value::Object(map) = value else { panic!("not an object") };
        Claims(map)
    }

    #[track_caller]
    fn name(more: &str, value: Value) -> Result<String, PersonError> {
        claims(value).person(&config(more)).map(|p| p.name)
    }

    #[test]
    fn the_user_name_is_from_the_configured_claim() {
        let all = json!({"sub": "1", "preferred_username": "ann", "email": "a@b.test", "email_verified": true, "upn": "u"});
        assert_eq!(name("", all.clone()).unwrap(), "ann");
        assert_eq!(name("username_claim = \"upn\"", all.clone()).unwrap(), "u");
        assert_eq!(name("username_claim = \"email\"", all.clone()).unwrap(), "a@b.test");
        assert_eq!(name("username_claim = \"x\"", all).unwrap_err(), PersonError::NoName("x".to_owned()));
    }

    #[test]
    fn what_cannot_be_told_apart_on_a_screen_is_no_name() {
        for bad in ["", " ", "ann ", "\tann", "a\u{0}b", &"x".repeat(257)] {
            let refused = name("", json!({"sub": "1", "preferred_username": bad}));
            assert_eq!(refused, Err(PersonError::Text("preferred_username".to_owned())), "{bad:?}");
        }
        assert!(
            matches!(name("", json!({"preferred_username": "ann"})), Err(PersonError::Text(_))),
            "no subject"
        );
    }

    #[test]
    fn a_mail_address_is_a_name_only_when_verified() {
        let mail = |verified: Value| json!({"sub": "1", "email": "a@b.test", "email_verified": verified});
        assert_eq!(name("", mail(json!(true))).unwrap(), "a@b.test");
        for not in [json!(false), json!("true"), Value::Null] {
            assert!(matches!(name("", mail(not)), Err(PersonError::NoName(_))));
        }
        assert!(matches!(
            name("username_claim = \"email\"", mail(json!(false))),
            Err(PersonError::NoName(_))
        ));
        let person =
            claims(json!({"sub": "1", "preferred_username": "a", "email": "e", "email_verified": false}));
        assert_eq!(person.person(&config("")).unwrap().email, None);
    }

    #[test]
    fn groups_are_a_list_or_one_and_may_lie_deep() {
        let groups = |more: &str, value: Value| claims(value).groups(&config(more).groups_claim);
        assert_eq!(groups("", json!({"groups": ["b", "a", "b"]})).unwrap(), ["a", "b"]);
        assert_eq!(groups("", json!({"groups": "a"})).unwrap(), ["a"]);
        assert_eq!(groups("", json!({})).unwrap(), Vec::<String>::new());
        let deep = json!({"realm_access": {"roles": ["r"]}});
        assert_eq!(groups("groups_claim = \"/realm_access/roles\"", deep).unwrap(), ["r"]);
        for wrong in [json!({"groups": [1]}), json!({"groups": {"a": 1}}), json!({"groups": ["a\nb"]})] {
            assert_eq!(groups("", wrong), Err(PersonError::Groups("groups".to_owned())));
        }
        let many: Vec<String> = (0..501).map(|i| i.to_string()).collect();
        assert_eq!(groups("", json!({"groups": many})), Err(PersonError::TooManyGroups));
    }

    #[test]
    fn what_the_id_token_says_stays() {
        let mut claims = claims(json!({"sub": "1", "preferred_username": "ann", "groups": null}));
        assert!(claims.lacks(&config("")));
        let Value::Object(more) = json!({"sub": "2", "preferred_username": "eve", "groups": ["g"]}) else {
            panic!()
        };
        claims.complete(more);
        assert!(!claims.lacks(&config("")));
        let person = claims.person(&config("")).unwrap();
        assert_eq!((person.subject.as_str(), person.name.as_str(), person.groups.len()), ("1", "ann", 1));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        let name = "sub|email|email_verified|preferred_username|groups|/|a";
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(name, inner, 0..4).prop_map(|m| m.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_claims_make_a_person_or_not(value in any_json(), claim in "/?(a|groups)?/?(a|email)?") {
            let mut config = config("");
            config.groups_claim = claim.clone();
            config.username_claim = Some(claim).filter(|c| c.len() > 3);
            if let Value::Object(map) = value {
                let claims = Claims(map);
                let _ = claims.lacks(&config);
                if let Ok(person) = claims.person(&config) {
                    prop_assert!(!person.name.is_empty() && !person.name.chars().any(char::is_control));
                }
            }
        }
    }
}
