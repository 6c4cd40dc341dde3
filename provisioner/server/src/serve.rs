//! `cairn serve`: everything wired, every essential task in one set; the first that ends, ends all.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use cairn_contract::{SiteTrust, workload};
use cairn_domain::policies::Defaults;
use cairn_driver::Driver;
use cairn_fleet::{
    Desk, Gateway, Importer, Leashes, Orchestrator, Renderer, Tunnels, compose::SiteParts, render::Tools,
};
use cairn_netboot::{
    EventQueue, Neighbours, Parts, Scheme, Shelf, Site, dhcp, http as boot_http, lease, tftp, tls::DheGate,
};
use cairn_operator::{Beyond, Services};
use cairn_registry::Registry;
use cairn_store::{Catalog, Clock, Reporter, Store, SystemClock};
use cairn_trust::{Attestation, Clocks, SiteKeys, keys, roots::Roots};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    backup::SiteBackups,
    boot_files::{BootShelf, StoreBlobs},
    config::{BootScheme, Config, Dhcp},
    duties::Duties,
    effects::Effects,
    host_side::HostSide,
    host_work::HostWork,
    images::Repositories,
    leases::Leases,
    notes,
    packages::Shelf as PackageShelf,
    people,
    port::{self, Port},
    reach::Reach,
    snapshot::{self, Current},
    standing, tls,
    uploads::Bundles,
};

/// Boot events that wait to be written; more are dropped and counted.
const BOOT_EVENTS: usize = 4096;
/// How long services may take to end: a database that is away must not keep the process. A second signal ends it at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn run(dir: &Path) -> anyhow::Result<()> {
    let config = Config::load(dir)?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let listening = start(dir, &config, &stop, &mut tasks).await?;
    tracing::info!(site = config.site, %listening, "ready");
    tokio::select! {
        () = asked_to_stop() => tracing::info!("stopping"),
        Some(ended) = tasks.join_next() => {
            stop.cancel();
            ended.context("a service panicked")?.context("a service ended")?;
        }
    }
    stop.cancel();
    tokio::select! {
        ended = all_ended(&mut tasks) => ended,
        () = tokio::time::sleep(PATIENCE) => {
            tracing::warn!("not all services ended in {} s; what they had begun is taken up at the next start", PATIENCE.as_secs());
            Ok(())
        }
        () = asked_to_stop() => Ok(()),
    }
}

async fn all_ended(tasks: &mut Tasks) -> anyhow::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context("a service panicked")??;
    }
    Ok(())
}

type Tasks = JoinSet<anyhow::Result<()>>;

/// What all parts share.
struct Shared {
    store: Store,
    catalog: Catalog,
    defaults: Arc<Defaults>,
    clock: Arc<dyn Clock>,
    keys: Arc<SiteKeys>,
    driver: Arc<Driver>,
    leashes: Arc<Leashes>,
    boot: Arc<BootShelf>,
    parts: Parts,
    registry: Registry,
    desk: Arc<Desk>,
}

async fn start(
    dir: &Path,
    config: &Config,
    stop: &CancellationToken,
    tasks: &mut Tasks,
) -> anyhow::Result<SocketAddr> {
    let shared = shared(dir, config, stop, tasks).await?;
    start_boot_services(config, &shared, stop, tasks).await?;
    let address = SocketAddr::new(config.listen.address, config.listen.tls);
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen for TLS on {address}"))?;
    let listening = listener.local_addr()?;
    let port = Arc::new(tls_port(dir, config, &shared)?);
    let (clock, codes) = (Arc::clone(&shared.clock), (dir.to_owned(), shared.store.clone()));
    tasks.spawn(people::note_codes(codes, clock, stop.clone()));
    tasks.spawn(duties(config, &shared).run(stop.clone()));
    tasks.spawn(port::run(port, listener, stop.clone()));
    Ok(listening)
}

async fn shared(
    dir: &Path,
    config: &Config,
    stop: &CancellationToken,
    tasks: &mut Tasks,
) -> anyhow::Result<Shared> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keys = Arc::new(SiteKeys::load(&dir.join("keys")).context("cannot read the site's keys")?);
    let store = store(dir, config).await?;
    let leashes = Arc::new(Leashes::default());
    let effects = Effects { store: store.clone(), clock: Arc::clone(&clock), leashes: Arc::clone(&leashes) };
    let defaults = Arc::new(config.defaults());
    let catalog = Catalog::load(store.clone()).await.context("cannot read the resources")?;
    let all = (store.clone(), catalog.clone());
    let driver = Arc::new(Driver::new(all, Arc::clone(&defaults), Arc::clone(&clock), Arc::new(effects)));
    let (queue, events) = EventQueue::new(BOOT_EVENTS);
    let shelf = Arc::new(Shelf::new(Default::default()).with_artifacts(StoreBlobs(store.blobs().clone())));
    let read =
        snapshot::Read { store: store.clone(), catalog: catalog.clone(), defaults: Arc::clone(&defaults) };
    let current = Arc::new(Current::default());
    let boot = Arc::new(BootShelf { current, shelf: Arc::clone(&shelf), read });
    boot.refresh().await.context("cannot read what to boot")?;
    let parts = Parts {
        directory: Arc::clone(&boot.current) as _,
        observer: Arc::new(queue),
        neighbours: Arc::new(Neighbours::default()),
        shelf,
        site: Arc::new(site(config)),
        clock: || SystemClock.now(),
    };
    let (running, token) = (Arc::clone(&driver), stop.clone());
    tasks.spawn(async move {
        running.run(token).await;
        Ok(())
    });
    tasks.spawn(notes::run(events, Arc::clone(&driver) as Arc<dyn Reporter>, stop.clone()));
    tasks.spawn(snapshot::follow(Arc::clone(&boot), stop.clone()));
    follow(&store, &catalog, &leashes, stop, tasks)?;
    let folder = config.blobs.clone().unwrap_or_else(|| dir.join("blobs"));
    let registry = Registry::open(&folder, cairn_registry::Limits::default())?;
    let address = SocketAddr::new(config.address.into(), config.listen.tls).to_string();
    let pulled = workload::Registry { address, ca: keys.site_ca.certificate.to_vec().into() };
    let desk = Desk::new((store.clone(), catalog.clone()), Arc::clone(&clock), Some(pulled.clone()));
    let desk = Arc::new(desk);
    let shared =
        Shared { store, catalog, defaults, clock, keys, driver, leashes, boot, parts, registry, desk };
    orchestrate(config, &shared, pulled, (stop, tasks));
    Ok(shared)
}

/// The store, with the key of what is sealed in it.
async fn store(dir: &Path, config: &Config) -> anyhow::Result<Store> {
    let store = config.open(dir).await.context("cannot open the store")?;
    let key = keys::data_key(&dir.join("keys")).context("cannot read the site's data key")?;
    let store = store.with_data_key(key);
    let checked = store.check_data_key().await;
    checked.context("keys/data.key is not the one of this site's database: copy it from the provisioner that has it, or from a backup")?;
    Ok(store)
}

/// What hosts run: planned by the provisioner that leads, told by each.
fn orchestrate(
    config: &Config,
    shared: &Shared,
    registry: workload::Registry,
    (stop, tasks): (&CancellationToken, &mut Tasks),
) {
    let blobs = shared.store.blobs().clone();
    let packages = PackageShelf { registry: shared.registry.clone(), blobs: blobs.clone() };
    let tools = Tools {
        helm: config.tools.helm.clone(),
        kustomize: config.tools.kustomize.clone(),
        search: std::env::var_os("PATH"),
    };
    let planner = Orchestrator {
        store: shared.store.clone(),
        catalog: shared.catalog.clone(),
        clock: Arc::clone(&shared.clock),
        duty: Arc::new(Duty(Arc::clone(&shared.driver))),
        renderer: Arc::new(Renderer { blobs, packages: Arc::new(packages), tools }),
        registry: Some(registry),
    };
    let token = stop.clone();
    tasks.spawn(async move {
        planner.run(token).await;
        Ok(())
    });
    let (desk, token) = (Arc::clone(&shared.desk), stop.clone());
    tasks.spawn(async move {
        desk.follow(token).await;
        Ok(())
    });
}

/// The driver's duty is the planner's too.
#[derive(Debug)]
struct Duty(Arc<Driver>);

impl cairn_fleet::Leads for Duty {
    fn leads(&self) -> bool {
        self.0.leads()
    }
}

/// What keeps this provisioner's memory as the database is.
fn follow(
    store: &Store,
    catalog: &Catalog,
    leashes: &Arc<Leashes>,
    stop: &CancellationToken,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let (following, token) = (store.clone(), stop.clone());
    tasks.spawn(async move {
        following.follow(token).await;
        Ok(())
    });
    let (following, token) = (catalog.clone(), stop.clone());
    tasks.spawn(async move {
        following.follow(token).await;
        Ok(())
    });
    tasks.spawn(standing::follow(catalog.clone(), Arc::clone(leashes), stop.clone()));
    Ok(())
}

fn site(config: &Config) -> Site {
    let http = SocketAddr::new(config.address.into(), config.listen.http);
    Site {
        server: config.address,
        http: url("http", http, 80),
        https: Some(url("https", SocketAddr::new(config.address.into(), config.listen.tls), 443)),
        firmware: match config.listen.boot {
            BootScheme::Http => Scheme::Http,
            BootScheme::Https => Scheme::Https,
        },
        vendor_classes: Vec::new(),
    }
}

fn url(scheme: &str, at: SocketAddr, usual: u16) -> String {
    if at.port() == usual { format!("{scheme}://{}", at.ip()) } else { format!("{scheme}://{at}") }
}

async fn start_boot_services(
    config: &Config,
    shared: &Shared,
    stop: &CancellationToken,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let listen = |port| SocketAddr::new(config.listen.address, port);
    if config.listen.http != 0 {
        let http =
            boot_http::Config { listen: listen(config.listen.http), limits: boot_http::Limits::default() };
        let http = http.bind(shared.parts.clone()).await?;
        let stop = stop.clone();
        tasks.spawn(async move { Ok(http.run(stop).await?) });
    }
    if config.listen.tftp != 0 {
        let at = SocketAddr::new(config.address.into(), config.listen.tftp);
        let mtu = config.dhcp.as_ref().map(|d| tftp::interface_mtu(&d.interface)).transpose();
        let mtu = mtu.context("cannot use dhcp.interface of cairn.toml (`ip link` shows which there are)")?;
        let tftp = tftp::Config { mtu: mtu.unwrap_or(1500), ..tftp::Config::usual(at) };
        let tftp = tftp.bind(shared.parts.clone()).await?;
        let stop = stop.clone();
        tasks.spawn(async move { Ok(tftp.run(stop).await?) });
    }
    if let Some(dhcp) = &config.dhcp {
        let server = dhcp_config(config, dhcp)?;
        let reservations = dhcp::Reservations::default();
        let fixed =
            dhcp.reservations.iter().map(|r| (lease::Key::Hardware(cairn_netproto::Mac(r.mac.0)), r.address));
        reservations.replace(fixed);
        let store = Arc::new(Leases(shared.store.clone()));
        let server = server.bind(shared.parts.clone(), store, reservations).await?;
        let stop = stop.clone();
        tasks.spawn(async move { Ok(server.run(stop).await?) });
    }
    Ok(())
}

fn dhcp_config(config: &Config, dhcp: &Dhcp) -> anyhow::Result<dhcp::Config> {
    let (network, prefix) = dhcp.net()?;
    let subnet = lease::Subnet {
        network,
        prefix,
        pool: Some((dhcp.pool[0], dhcp.pool[1])),
        routers: dhcp.router.into_iter().collect(),
        dns: dhcp.dns.clone(),
        domain: None,
    };
    let plan =
        lease::Plan::new(config.address, vec![subnet], lease::Terms::default(), lease::KeyBy::Hardware);
    Ok(dhcp::Config {
        interface: dhcp.interface.clone(),
        plan: plan.context("dhcp")?,
        ports: dhcp::Ports::default(),
    })
}

fn tls_port(dir: &Path, config: &Config, shared: &Shared) -> anyhow::Result<Port> {
    let reporter = Arc::clone(&shared.driver) as Arc<dyn Reporter>;
    let gateway = Gateway::new(shared.store.clone(), Arc::clone(&reporter), Arc::clone(&shared.clock));
    let attestation = Attestation {
        site: config.site.clone(),
        keys: Arc::clone(&shared.keys),
        roots: Roots::load(&config.attestation.roots)?,
        defaults: Arc::clone(&shared.defaults),
        store: shared.store.clone(),
        catalog: shared.catalog.clone(),
        reporter: Arc::clone(&reporter),
        clock: Arc::clone(&shared.clock),
        clocks: Clocks::default(),
    };
    let spool = dir.join("spool");
    empty(&spool).context("cannot make the spool directory")?;
    let bundles = Bundles { importer: importer(config, shared), spool, boot: Arc::clone(&shared.boot) };
    let backups = SiteBackups {
        store: shared.store.clone(),
        data: std::path::absolute(dir).context("cannot tell where the data folder is")?,
        clock: Arc::clone(&shared.clock),
    };
    let services = Services {
        store: shared.store.clone(),
        catalog: shared.catalog.clone(),
        reporter,
        uploads: Arc::new(bundles),
        auth: people::settings(dir, config, &shared.clock)?,
        defaults: Arc::clone(&shared.defaults),
        limits: cairn_operator::Limits::default(),
    };
    let here = SocketAddr::new(config.address.into(), config.listen.tls).to_string();
    let tunnels = Arc::new(Tunnels::new(shared.store.clone(), here, Arc::clone(&shared.clock)));
    let site_ca = shared.keys.site_ca.certificate.to_vec();
    let reach = Reach { tunnels: Arc::clone(&tunnels), site_ca };
    let images = Repositories(shared.registry.clone());
    let beyond = Beyond {
        backups: Some(Arc::new(backups)),
        tunnels: Some(Arc::new(reach)),
        images: Some(Arc::new(images)),
    };
    Ok(Port {
        configs: tls::configs(&shared.keys, config.address.into(), shared.clock.now())?,
        boot: boot_http::BootHttp::new(shared.parts.clone()),
        hosts: HostSide {
            attestation: Arc::new(attestation),
            gateway: Arc::new(gateway),
            leashes: Arc::clone(&shared.leashes),
            tunnels,
            work: HostWork { desk: Arc::clone(&shared.desk), registry: shared.registry.clone() },
        },
        people: cairn_operator::router_with(services, beyond),
        observer: Arc::clone(&shared.parts.observer),
        neighbours: Arc::clone(&shared.parts.neighbours),
        gate: DheGate::default(),
    })
}

fn duties(config: &Config, shared: &Shared) -> Duties {
    let (store, driver) = (shared.store.clone(), Arc::clone(&shared.driver));
    let registry = shared.registry.clone();
    Duties { store, driver, clock: Arc::clone(&shared.clock), audit: config.audit, registry }
}

/// What a killed server left half uploaded is of no use.
fn empty(spool: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(spool) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    std::fs::create_dir_all(spool)
}

fn importer(config: &Config, shared: &Shared) -> Importer {
    let keys = &shared.keys;
    let at = |port| SocketAddr::new(config.address.into(), port);
    let trust = SiteTrust {
        site: config.site.clone(),
        server: at(config.listen.tls),
        plain_http: (config.listen.http != 0).then(|| at(config.listen.http)),
        ca: keys.site_ca.certificate.to_vec().into(),
        signing_key: keys.signing.verifying_key().to_bytes().to_vec().into(),
        not_before: keys.created(),
    };
    let site = SiteParts { trust, db_key: keys.db.key.clone(), db_certificate: keys.db.certificate.to_vec() };
    let (store, signing, clock) = (shared.store.clone(), keys.signing.clone(), Arc::clone(&shared.clock));
    Importer { store, site: Arc::new(site), signing, clock }
}

async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
