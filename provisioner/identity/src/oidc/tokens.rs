//! Questions to the token endpoint and its like: a form, with the client's proof; a small JSON answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode};
use openidconnect::HttpRequest;
use openidconnect::url::{Url, form_urlencoded};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::http::HttpError;
use super::known::{Known, Proof};
use super::provider::Provider;
use crate::secret::Secret;

/// Why the endpoint gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// It did not answer.
    #[error("the issuer does not answer")]
    Http(#[from] HttpError),
    /// It refused (RFC 6749, 5.2).
    #[error("the issuer refused: {code}{}", also(.description.as_deref()))]
    Said {
        /// Its code, such as `invalid_grant`.
        code: String,
        /// Its words, shortened.
        description: Option<String>,
    },
    /// It answered something else.
    #[error("the issuer answered {0} with something that is not understood")]
    Strange(StatusCode),
}

/// A success of the token endpoint (RFC 6749, 5.1; OpenID Connect Core, 3.1.3.3).
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: Secret,
    pub(super) id_token: Option<Secret>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

impl Provider {
    /// Posts `form` with this client's proof.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        known: &Known,
        url: &Url,
        form: &[(&str, &str)],
    ) -> Result<T, EndpointError> {
        let answer = self.http.ask(self.request(known, url, form)?).await?;
        let status = answer.status();
        if status.is_success() {
            return serde_json::from_slice(answer.body()).map_err(|_| EndpointError::Strange(status));
        }
        let refusal: Refusal =
            serde_json::from_slice(answer.body()).map_err(|_| EndpointError::Strange(status))?;
        let description = refusal.error_description.map(|text| shortened(&text));
        Err(EndpointError::Said { code: shortened(&refusal.error), description })
    }

    fn request(&self, known: &Known, url: &Url, form: &[(&str, &str)]) -> Result<HttpRequest, HttpError> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let mut request = Request::post(url.as_str())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        match (&self.secret, known.proof) {
            (Some(secret), Proof::Basic) => {
                request = request.header(AUTHORIZATION, basic(&self.client_id, secret)?)
            }
            (Some(secret), Proof::Post) => {
                body.append_pair("client_id", &self.client_id).append_pair("client_secret", secret.expose());
            }
            (None, _) => {
                body.append_pair("client_id", &self.client_id);
            }
        }
        request.body(body.finish().into_bytes()).map_err(|_| HttpError::Address(url.to_string()))
    }
}

/// Both parts are form-encoded before (RFC 6749, 2.3.1).
fn basic(id: &str, secret: &Secret) -> Result<HeaderValue, HttpError> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret.expose())));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| HttpError::Address("the client's secret".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Words of a stranger, fit for a log line.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

pub(super) fn also(description: Option<&str>) -> String {
    description.map_or_else(String::new, |d| format!(" ({d})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_encodes_before_it_joins() {
        let value = basic("a:b", &Secret::from("ü %")).unwrap();
        assert!(value.is_sensitive());
        let pair = STANDARD.decode(value.to_str().unwrap().trim_start_matches("Basic ")).unwrap();
        assert_eq!(pair, b"a%3Ab:%C3%BC+%25");
    }

    #[test]
    fn strangers_words_are_short_and_on_one_line() {
        assert_eq!(shortened("a\nb\u{7}c"), "abc");
        assert_eq!(shortened(&"ü".repeat(999)).chars().count(), 200);
    }
}
