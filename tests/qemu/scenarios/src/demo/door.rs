//! A way into the lab's network: a loopback port of this machine whose connections go on to the provisioner's TLS port.

use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdStream};
use std::time::Duration;

use anyhow::{Context, Result};
use cairn_lab::Net;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Tried first, so that the address is the same each time.
const PORT: u16 = 8443;
const LIMIT: Duration = Duration::from_secs(2);

/// An open door; closed on drop.
#[derive(Debug)]
pub(crate) struct Door<'net> {
    net: &'net Net,
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
}

impl<'net> Door<'net> {
    /// Opens it on 127.0.0.1, port 8443 or, if that is taken, any other.
    pub(crate) fn open(net: &'net Net) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(async {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await {
                Ok(listener) => Ok(listener),
                Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
            }
        });
        let listener = listener.context("no free port on 127.0.0.1")?;
        let address = listener.local_addr()?;
        Ok(Self { net, runtime, listener, address })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes connections on until Ctrl-C.
    pub(crate) fn serve_until_interrupted(&self) -> Result<()> {
        self.runtime.block_on(async {
            let mut passing = JoinSet::new();
            loop {
                tokio::select! {
                    interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
                    Ok((outer, _)) = self.listener.accept() => {
                        // A provisioner that does not answer closes the visitor's connection.
                        if let Ok(inner) = self.inner() {
                            passing.spawn(pass(outer, inner));
                        }
                    }
                    Some(_) = passing.join_next() => {}
                }
            }
        })
    }

    /// A connection made inside the network; sockets stay where they were opened.
    fn inner(&self) -> Result<TcpStream> {
        let server = SocketAddr::from((Net::SERVER, 443));
        let stream = self.net.inside(|| StdStream::connect_timeout(&server, LIMIT))??;
        stream.set_nonblocking(true)?;
        Ok(TcpStream::from_std(stream)?)
    }
}

async fn pass(mut outer: TcpStream, mut inner: TcpStream) {
    // Either side may leave at any time.
    let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
}
