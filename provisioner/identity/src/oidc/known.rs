//! What is known of the issuer: its addresses and keys, from discovery.

use cairn_contract::Timestamp;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType,
    CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::url::Url;
use openidconnect::{
    AdditionalProviderMetadata, ClientId, DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IssuerUrl, ProviderMetadata,
};
use serde::{Deserialize, Serialize};

use super::http::{Http, HttpError, chain};

/// What RFC 8628 and RFC 9207 add to discovery.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Additional {
    device_authorization_endpoint: Option<Url>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl AdditionalProviderMetadata for Additional {}

type Metadata = ProviderMetadata<
    Additional,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Knows where to send a browser, and perhaps where to ask about a user.
type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why nothing is known of the issuer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DiscoverError {
    /// It does not answer, or not so that we understand.
    #[error("cannot learn about the issuer {issuer}: {why}")]
    Failed {
        /// Which issuer.
        issuer: String,
        /// Why.
        why: String,
    },
    /// It names an address that is not safe to use.
    #[error("the issuer {issuer} names an address that is not https: {address}")]
    Address {
        /// Which issuer.
        issuer: String,
        /// Which address.
        address: String,
    },
    /// It has no address to redeem codes at.
    #[error("the issuer {0} has no token endpoint")]
    NoTokens(String),
}

/// How this client proves itself at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// `client_secret_basic`, the default of the specification.
    Basic,
    /// `client_secret_post`.
    Post,
}

/// A discovery's result.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) client: Client,
    pub(super) keys: CoreJsonWebKeySet,
    pub(super) tokens: Url,
    pub(super) device: Option<Url>,
    pub(super) proof: Proof,
    /// Whether each callback names its issuer (RFC 9207).
    pub(super) names_itself: bool,
    pub(super) since: Timestamp,
}

impl Known {
    /// Asks the issuer.
    pub(super) async fn discover(
        issuer: &IssuerUrl,
        client_id: &ClientId,
        http: &Http,
        now: Timestamp,
    ) -> Result<Self, DiscoverError> {
        let metadata = Metadata::discover_async(issuer.clone(), http).await;
        let metadata = metadata
            .map_err(|error| DiscoverError::Failed { issuer: issuer.to_string(), why: why(&error) })?;
        let tokens = metadata.token_endpoint().ok_or_else(|| DiscoverError::NoTokens(issuer.to_string()))?;
        let tokens = tokens.url().clone();
        let Additional {
            device_authorization_endpoint: device,
            authorization_response_iss_parameter_supported,
        } = metadata.additional_metadata().clone();
        let named = [
            Some(metadata.authorization_endpoint().url()),
            Some(&tokens),
            metadata.userinfo_endpoint().map(|u| u.url()),
            device.as_ref(),
        ];
        if let Some(bad) = named.into_iter().flatten().find(|url| !http.may_use(url)) {
            return Err(DiscoverError::Address { issuer: issuer.to_string(), address: bad.to_string() });
        }
        Ok(Self {
            proof: proof(metadata.token_endpoint_auth_methods_supported().map(Vec::as_slice)),
            keys: metadata.jwks().clone(),
            client: CoreClient::from_provider_metadata(metadata, client_id.clone(), None),
            names_itself: authorization_response_iss_parameter_supported == Some(true),
            tokens,
            device,
            since: now,
        })
    }

    /// Age in seconds; the clock may have been set back.
    pub(super) fn age(&self, now: Timestamp) -> u64 {
        now.seconds().abs_diff(self.since.seconds())
    }
}

fn proof(offered: Option<&[CoreClientAuthMethod]>) -> Proof {
    let has = |method| offered.is_some_and(|o| o.contains(&method));
    if has(CoreClientAuthMethod::ClientSecretPost) && !has(CoreClientAuthMethod::ClientSecretBasic) {
        return Proof::Post;
    }
    Proof::Basic
}

/// Without the answer's bytes, which `Debug` of the error has.
fn why(error: &DiscoveryError<HttpError>) -> String {
    match error {
        DiscoveryError::Response(status, _, text) => format!("it answered {status}: {text}"),
        DiscoveryError::Request(error) => chain(error),
        DiscoveryError::Parse(error) => format!("its answer is not understood: {error}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_sent_as_the_issuer_wants_it() {
        use CoreClientAuthMethod::{ClientSecretBasic, ClientSecretPost, PrivateKeyJwt};
        assert_eq!(proof(None), Proof::Basic);
        assert_eq!(proof(Some(&[ClientSecretPost, PrivateKeyJwt])), Proof::Post);
        assert_eq!(proof(Some(&[ClientSecretPost, ClientSecretBasic])), Proof::Basic);
    }
}
