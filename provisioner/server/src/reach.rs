//! The operator side's way to hosts: the tunnels of `cairn-fleet`, and the CA that kubectl is to believe.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_contract::{HostId, SERVER_NAME, workload::tunnel::Open};
use cairn_domain::model::Uid;
use cairn_fleet::{
    Tunnels,
    tunnel::{HostStream, TunnelError},
};
use cairn_operator::{Duplex, Unreached};
use cairn_tunnel::OpenError;
use futures_util::future::BoxFuture;

use crate::in_words;

/// The tunnels, for people.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) tunnels: Arc<Tunnels>,
    /// DER.
    pub(crate) site_ca: Vec<u8>,
}

impl cairn_operator::Tunnels for Reach {
    fn api_server(
        &self,
        cluster: Uid,
        user: String,
        groups: Vec<String>,
    ) -> BoxFuture<'_, Result<Box<dyn Duplex>, Unreached>> {
        Box::pin(async move { told(self.tunnels.open_api_server(cluster, user, groups).await) })
    }

    fn host(&self, host: HostId, open: Open) -> BoxFuture<'_, Result<Box<dyn Duplex>, Unreached>> {
        Box::pin(async move { told(self.tunnels.open(host, &open).await) })
    }

    fn authority(&self) -> (String, String) {
        let body = STANDARD.encode(&self.site_ca);
        let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
        for line in body.as_bytes().chunks(64) {
            pem.extend(line.iter().copied().map(char::from));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        (pem, SERVER_NAME.to_owned())
    }
}

fn told(opened: Result<HostStream, TunnelError>) -> Result<Box<dyn Duplex>, Unreached> {
    let error = match opened {
        Ok(stream) => return Ok(Box::new(stream)),
        Err(error) => error,
    };
    let words = in_words(&error);
    Err(match error {
        TunnelError::Busy | TunnelError::Open(OpenError::Busy) => Unreached::Busy(words),
        TunnelError::Open(OpenError::Refused(_)) => Unreached::Refused(words),
        TunnelError::NotConnected
        | TunnelError::Elsewhere(_)
        | TunnelError::NoControlPlane
        | TunnelError::Open(_)
        | TunnelError::Read(_) => Unreached::Away(words),
    })
}
