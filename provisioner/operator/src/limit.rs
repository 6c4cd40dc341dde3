//! How much one principal may ask: a bucket of tokens each, so that one program cannot take the place of all others.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use cairn_domain::access::{Principal, PrincipalKind};
use tokio::time::Instant;

use crate::{
    app::{App, Limits},
    auth::Caller,
    problem::{Kind, Problem},
};

/// Askers remembered at once.
const MOST: usize = 8192;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Asker {
    Known(PrincipalKind, String),
    Address(IpAddr),
}

/// What is left to each asker, and since when.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<HashMap<Asker, (f64, Instant)>>);

impl Buckets {
    /// Takes one token; else the seconds until there is one again.
    fn take(&self, asker: Asker, now: Instant, limits: Limits) -> Result<(), u32> {
        let (rate, burst) = (f64::from(limits.rate.max(1)), f64::from(limits.burst.max(1)));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(&asker) {
            // Whoever has a full bucket again needs none; if all are busy, all begin anew.
            all.retain(|_, (left, at)| *left + now.duration_since(*at).as_secs_f64() * rate < burst);
            if all.len() >= MOST {
                all.clear();
            }
        }
        let (left, at) = all.entry(asker).or_insert((burst, now));
        let filled = (*left + now.saturating_duration_since(*at).as_secs_f64() * rate).min(burst);
        *at = now;
        if filled < 1.0 {
            *left = filled;
            return Err(1);
        }
        *left = filled - 1.0;
        Ok(())
    }
}

/// Middleware behind the gate: by principal.
pub(crate) async fn known(
    State(app): State<App>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Principal { kind, name, .. } = &caller.principal;
    pass(&app, Asker::Known(*kind, name.clone()))?;
    Ok(next.run(request).await)
}

/// Middleware before what is open to everybody: by address.
pub(crate) async fn unknown(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let ip = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip().to_canonical());
    pass(&app, Asker::Address(ip))?;
    Ok(next.run(request).await)
}

/// The same for a path that has its own gate.
pub(crate) fn one_more(app: &App, caller: &Caller) -> Result<(), Problem> {
    let Principal { kind, name, .. } = &caller.principal;
    pass(app, Asker::Known(*kind, name.clone()))
}

fn pass(app: &App, asker: Asker) -> Result<(), Problem> {
    app.buckets.take(asker, Instant::now(), app.limits).map_err(|seconds| {
        let detail = format!("More than {} requests a second.", app.limits.rate);
        Problem::new(Kind::TooMany, detail, "Ask more slowly, or watch instead of asking again.")
            .after(seconds)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_and_others_have_their_own() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        let limits = Limits { rate: 10, burst: 3, ..Limits::default() };
        let asker = |name: &str| Asker::Known(PrincipalKind::User, name.to_owned());
        for _ in 0..3 {
            assert!(buckets.take(asker("a"), now, limits).is_ok());
        }
        assert_eq!(buckets.take(asker("a"), now, limits), Err(1));
        assert!(buckets.take(asker("b"), now, limits).is_ok());
        assert!(buckets.take(asker("a"), now + Duration::from_millis(110), limits).is_ok());
        assert_eq!(buckets.take(asker("a"), now + Duration::from_millis(110), limits), Err(1));
    }

    #[test]
    fn the_memory_of_askers_is_bounded() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        for i in 0..20_000_u32 {
            let _ = buckets.take(Asker::Address(IpAddr::from(i.to_be_bytes())), now, Limits::default());
        }
        assert!(buckets.0.lock().unwrap().len() <= MOST);
    }
}
