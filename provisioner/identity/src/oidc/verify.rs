//! From the token endpoint's answer to a person: every check of OpenID Connect Core 3.1.3.7, then the claims.

use std::sync::Arc;

use cairn_contract::Timestamp;
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm as Alg,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, ClaimsVerificationError, IdToken, IdTokenVerifier, Nonce,
    SignatureVerificationError, SubjectIdentifier, UserInfoClaims, UserInfoError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claims::{Claims, Person, PersonError};
use super::http::{HttpError, chain};
use super::known::{DiscoverError, Known};
use super::provider::Provider;
use super::tokens::{EndpointError, Tokens};
use crate::secret::Secret;

/// Clocks may differ by this.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);
/// No HMAC: the client's secret is no signing key of the issuer. No `none`.
const ALGORITHMS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

/// Claims that OpenID Connect does not name.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Others(Map<String, Value>);
impl AdditionalClaims for Others {}

type Token = IdToken<Others, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, Alg>;
type Verifier<'a> = IdTokenVerifier<'a, CoreJsonWebKey>;

/// Why a login does not end with a person.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// Too late.
    #[error("the login took longer than 10 minutes; start again")]
    Expired,
    /// The answer belongs to another login, or was made up.
    #[error("the answer does not belong to this login; start again")]
    State,
    /// The answer is from another issuer, or does not say from whom.
    #[error("the answer is not from the issuer that was asked; start again")]
    Issuer,
    /// The person or the issuer said no.
    #[error("the issuer refused the login: {code}{}", super::tokens::also(.description.as_deref()))]
    Refused {
        /// RFC 6749's code, such as `access_denied`.
        code: String,
        /// The issuer's words, shortened.
        description: Option<String>,
    },
    /// Nothing is known of the issuer.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The token endpoint gave nothing.
    #[error("the issuer did not redeem the login")]
    Redeem(#[source] EndpointError),
    /// The ID token is not to be believed.
    #[error("the issuer's token is not accepted")]
    Token(#[source] TokenRefused),
    /// The userinfo endpoint did not answer for this person.
    #[error("the issuer does not tell about the person: {0}")]
    UserInfo(String),
    /// The claims make no user.
    #[error(transparent)]
    Person(#[from] PersonError),
}

/// What is wrong with an ID token.
#[derive(Debug, thiserror::Error)]
pub enum TokenRefused {
    /// There is none.
    #[error("there is no ID token; is `openid` allowed for this client?")]
    Missing,
    /// It is not a signed token.
    #[error("the ID token is not a JSON Web Token")]
    Form,
    /// A check failed.
    #[error("the ID token failed a check")]
    Check(#[from] ClaimsVerificationError),
    /// It was given to another client.
    #[error("the ID token was given to another client")]
    Party,
    /// The access token beside it is not its own.
    #[error("the ID token belongs to another access token")]
    AccessToken,
}

impl Provider {
    /// The person of `tokens`, which came from the token endpoint; a browser's login has a nonce, a device's none.
    pub(super) async fn person(
        &self,
        known: Arc<Known>,
        tokens: Tokens,
        nonce: Option<&Secret>,
        now: Timestamp,
    ) -> Result<Person, FinishError> {
        let (known, mut claims) = self.claims(known, &tokens, nonce, now).await?;
        if claims.lacks(&self.config) && known.client.user_info_url().is_some() {
            claims.complete(self.user_info(&known, &tokens, &claims).await?);
        }
        Ok(claims.person(&self.config)?)
    }

    /// Checks with the keys that are known, and once more with newer ones when no key fits.
    async fn claims(
        &self,
        known: Arc<Known>,
        tokens: &Tokens,
        nonce: Option<&Secret>,
        now: Timestamp,
    ) -> Result<(Arc<Known>, Claims), FinishError> {
        let error = match self.checked(&known, tokens, nonce, now) {
            Ok(claims) => return Ok((known, claims)),
            Err(error) if is_unknown_key(&error) => error,
            Err(error) => return Err(FinishError::Token(error)),
        };
        let Some(newer) = self.rekeyed(&known, now).await? else { return Err(FinishError::Token(error)) };
        tracing::info!(issuer = %self.config.issuer, "the issuer of logins has new keys");
        let claims = self.checked(&newer, tokens, nonce, now).map_err(FinishError::Token)?;
        Ok((newer, claims))
    }

    fn checked(
        &self,
        known: &Known,
        tokens: &Tokens,
        nonce: Option<&Secret>,
        now: Timestamp,
    ) -> Result<Claims, TokenRefused> {
        let text = tokens.id_token.as_ref().ok_or(TokenRefused::Missing)?;
        let token: Token = text.expose().parse().map_err(|_| TokenRefused::Form)?;
        let verifier = self.verifier(known, now);
        let claims = token.claims(&verifier, |told: Option<&Nonce>| match nonce {
            Some(nonce) if !told.is_some_and(|t| nonce.is(&Secret::from(t.secret().as_str()))) => {
                Err("it is another login's".to_owned())
            }
            Some(_) | None => Ok(()),
        })?;
        if claims.authorized_party().is_some_and(|party| *party != self.client_id) {
            return Err(TokenRefused::Party);
        }
        if let Some(hash) = claims.access_token_hash()
            && *hash != hash_of(&token, tokens, &verifier)?
        {
            return Err(TokenRefused::AccessToken);
        }
        object(serde_json::to_value(claims)).ok_or(TokenRefused::Form).map(Claims)
    }

    fn verifier(&self, known: &Known, now: Timestamp) -> Verifier<'static> {
        let now = DateTime::from_timestamp_millis(now.0).unwrap_or_default();
        let (earlier, later) = (now.checked_sub_signed(LEEWAY), now.checked_add_signed(LEEWAY));
        let (earlier, later) = (earlier.unwrap_or(now), later.unwrap_or(now));
        let not_from_the_future = move |issued: DateTime<Utc>| match issued > later {
            true => Err("it was made in the future; check the clocks".to_owned()),
            false => Ok(()),
        };
        IdTokenVerifier::new_public_client(self.client_id.clone(), self.issuer.clone(), known.keys.clone())
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || earlier)
            .set_issue_time_verifier_fn(not_from_the_future)
    }

    async fn user_info(
        &self,
        known: &Known,
        tokens: &Tokens,
        claims: &Claims,
    ) -> Result<Map<String, Value>, FinishError> {
        let failed = |why: &str| FinishError::UserInfo(why.to_owned());
        let subject = claims.0.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        let token = AccessToken::new(tokens.access_token.expose().to_owned());
        // Else it cannot be sent as a header (RFC 6749, A.12: VSCHAR).
        if !tokens.access_token.expose().bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(failed("its access token has strange characters"));
        }
        let request = known.client.user_info(token, Some(SubjectIdentifier::new(subject)));
        let request = request.map_err(|_| failed("it has no address for that"))?;
        let answer: Result<UserInfoClaims<Others, CoreGenderClaim>, _> =
            request.request_async(&self.http).await;
        let answer = answer.map_err(|error| failed(&why(&error)))?;
        object(serde_json::to_value(answer)).ok_or_else(|| failed("its answer is not an object"))
    }
}

fn hash_of(token: &Token, tokens: &Tokens, verifier: &Verifier<'_>) -> Result<AccessTokenHash, TokenRefused> {
    let refused = |error| TokenRefused::Check(ClaimsVerificationError::SignatureVerification(error));
    let algorithm = token.signing_alg().map_err(refused)?;
    let key = token.signing_key(verifier).map_err(refused)?;
    let access = AccessToken::new(tokens.access_token.expose().to_owned());
    AccessTokenHash::from_token(&access, algorithm, key).map_err(|_| TokenRefused::AccessToken)
}

fn is_unknown_key(error: &TokenRefused) -> bool {
    use SignatureVerificationError::{CryptoError, NoMatchingKey};
    let TokenRefused::Check(ClaimsVerificationError::SignatureVerification(error)) = error else {
        return false;
    };
    matches!(error, NoMatchingKey | CryptoError(_))
}

fn object(value: Result<Value, serde_json::Error>) -> Option<Map<String, Value>> {
    match value {
        Ok(Value::Object(map)) => Some(map),
        Ok(_) | Err(_) => None,
    }
}

/// Without the answer's bytes, which `Debug` of the error has.
fn why(error: &UserInfoError<HttpError>) -> String {
    match error {
        UserInfoError::Request(error) => chain(error),
        UserInfoError::Response(status, _, _) => format!("it answered {status}"),
        UserInfoError::ClaimsVerification(error) => chain(error),
        other => other.to_string(),
    }
}
