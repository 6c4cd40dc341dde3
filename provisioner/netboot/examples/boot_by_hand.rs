//! Serves DHCP, TFTP, HTTP and, with a certificate, HTTPS boot on one interface, and prints each event: to try a machine
//! or a virtual guest by hand, without the rest of the provisioner. Leases are in memory.
//!
//! `boot_by_hand INTERFACE SERVER FOLDER [CERT.pem KEY.pem]`, where FOLDER holds installer.efi, vmlinuz and initrd. An
//! empty FOLDER sends all machines to their disks.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use cairn_contract::{Digest, Timestamp};
use cairn_netboot::http::BootHttp;
use cairn_netboot::lease::{KeyBy, Plan, Subnet, Terms};
use cairn_netboot::tls::{Audience, Curves, Dhe, classify, firmware_config};
use cairn_netboot::*;
use cairn_netproto::bootfile::Name;
use futures_util::future::BoxFuture;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Forgets;

impl LeaseStore for Forgets {
    fn load_all(&self) -> BoxFuture<'_, Result<Vec<Record>, LeaseStoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn commit(&self, _: Lease) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        Box::pin(async { Ok(()) })
    }
    fn release(&self, _: Ipv4Addr) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        Box::pin(async { Ok(()) })
    }
    fn decline(&self, _: Ipv4Addr, _: Timestamp) -> BoxFuture<'_, Result<(), LeaseStoreError>> {
        Box::pin(async { Ok(()) })
    }
}

/// The same answer for all.
struct Always(BootAnswer);

impl Directory for Always {
    fn answer(&self, _: &BootClient) -> BootAnswer {
        self.0.clone()
    }
}

fn answer(folder: &Path) -> Result<Always> {
    let is_empty = std::fs::read_dir(folder)?.next().is_none();
    let installer = BootAnswer::Installer(BootFiles::usual("console=ttyS0"));
    Ok(Always(if is_empty { BootAnswer::LocalDisk(DiskWay::default()) } else { installer }))
}

struct Prints(std::time::Instant);

impl Observer for Prints {
    fn observe(&self, event: BootEvent) {
        let who = event.who.mac.map(|mac| mac.to_string()).or_else(|| event.who.peer.map(|p| p.to_string()));
        let advice = event.what.advice().map(|a| format!(" [{a}]")).unwrap_or_default();
        println!("{:7.2} {} {}{advice}", self.0.elapsed().as_secs_f32(), who.unwrap_or_default(), event.what);
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the program's clock")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn shelf(folder: &Path) -> Result<Shelf> {
    let mut names = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()).and_then(Name::new) else { continue };
        let digest = Digest::of(&std::fs::read(&path)?);
        names.insert(name, Blob::file(path, digest)?);
    }
    Ok(Shelf::new(names))
}

fn plan(server: Ipv4Addr) -> Result<Plan> {
    let [a, b, c, _] = server.octets();
    let at = |last| Ipv4Addr::new(a, b, c, last);
    let pool = Some((at(100), at(199)));
    let subnet =
        Subnet { network: at(0), prefix: 24, pool, routers: vec![server], dns: vec![server], domain: None };
    Ok(Plan::new(server, vec![subnet], Terms::default(), KeyBy::Hardware)?)
}

/// Minimal HTTPS: one connection after the other is enough for one guest.
async fn https(server: Ipv4Addr, cert: String, key: String, parts: Parts) -> Result<()> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(&cert)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&key)?;
    let ecdhe: Arc<ServerConfig> = Arc::new(firmware_config(chain.clone(), key.clone_key(), Dhe::Without)?);
    let dhe: Arc<ServerConfig> = Arc::new(firmware_config(chain, key, Dhe::Only)?);
    let listener = tokio::net::TcpListener::bind((server, 443)).await?;
    let handler = BootHttp::new(parts.clone());
    loop {
        let (stream, peer) = listener.accept().await?;
        let who = parts.neighbours.who(peer.ip());
        let Ok(start) = tokio_rustls::LazyConfigAcceptor::new(Default::default(), stream).await else {
            continue;
        };
        let audience = classify(&start.client_hello());
        let no_curves = audience == Audience::Firmware { curves: Curves::None };
        match start.into_stream(Arc::clone(if no_curves { &dhe } else { &ecdhe })).await {
            Err(error) => {
                let what = What::TlsFailed { audience: Some(audience), why: error.to_string() };
                parts.observer.observe(BootEvent { who, what });
            }
            Ok(stream) => {
                parts.observer.observe(BootEvent { who, what: What::TlsAccepted(audience) });
                let service = hyper::service::service_fn(|request| {
                    let handler = handler.clone();
                    async move { Ok::<_, std::convert::Infallible>(handler.handle(request, peer).await) }
                });
                let io = hyper_util::rt::TokioIo::new(stream);
                let _ended = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [interface, server, folder, tls @ ..] = &args[..] else {
        bail!("INTERFACE SERVER FOLDER [CERT KEY]")
    };
    let server: Ipv4Addr = server.parse().context("SERVER")?;
    let mut site = Site::plain(server);
    if !tls.is_empty() {
        (site.https, site.firmware) = (Some(format!("https://{server}")), Scheme::Https);
    }
    let parts = Parts {
        directory: Arc::new(answer(Path::new(folder))?),
        observer: Arc::new(Prints(std::time::Instant::now())),
        neighbours: Arc::default(),
        shelf: Arc::new(shelf(Path::new(folder))?),
        site: Arc::new(site),
        clock: now,
    };
    let dhcp =
        dhcp::Config { interface: interface.clone(), plan: plan(server)?, ports: dhcp::Ports::default() };
    let dhcp = dhcp.bind(parts.clone(), Arc::new(Forgets), dhcp::Reservations::default()).await?;
    let tftp = tftp::Config::usual((server, 69).into()).bind(parts.clone()).await?;
    let http = http::Config { listen: (server, 80).into(), limits: http::Limits::default() }
        .bind(parts.clone())
        .await?;
    let stop = CancellationToken::new();
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    let (a, b, c) = (stop.clone(), stop.clone(), stop.clone());
    tasks.spawn(async move { Ok(dhcp.run(a).await?) });
    tasks.spawn(async move { Ok(tftp.run(b).await?) });
    tasks.spawn(async move { Ok(http.run(c).await?) });
    if let [cert, key] = tls {
        tasks.spawn(https(server, cert.clone(), key.clone(), parts));
    }
    println!("serving {} on {interface}", std::env::current_dir()?.join(folder).display());
    match tasks.join_next().await {
        Some(ended) => ended?,
        None => Ok(()),
    }
}
