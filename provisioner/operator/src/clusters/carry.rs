//! Streams that go on when their HTTP has ended: bytes both ways until either end leaves, or the caller's time is over.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{body::Body, response::Response};
use cairn_domain::access::Place;
use cairn_domain::model::{Kind as Resource, Uid, Verb};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{io::copy_bidirectional, task::JoinSet, time::sleep};

use super::Duplex;
use crate::{
    app::App,
    auth::{Caller, revoked},
};

/// Between two looks whether the caller may still do what an open stream does.
const LOOK: Duration = Duration::from_millis(500);

/// Whatever is carried; it ends with the site.
#[derive(Debug, Default)]
pub(crate) struct Carried(Mutex<JoinSet<()>>);

impl Carried {
    /// Carries bytes between both, until either ends or `ended` is done.
    pub(super) fn between(
        &self,
        person: OnUpgrade,
        inner: impl Future<Output = Option<Box<dyn Duplex>>> + Send + 'static,
        ended: impl Future<Output = ()> + Send + 'static,
    ) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let carried = async {
                let (Ok(person), Some(mut inner)) = (person.await, inner.await) else { return };
                // How it ends is between the two.
                let _ = copy_bidirectional(&mut TokioIo::new(person), &mut inner).await;
            };
            tokio::select! {
                () = carried => {}
                () = ended => {}
            }
        });
    }
}

/// Done when the caller is no longer known, or may no longer do this to that.
pub(super) async fn ended(app: App, caller: Caller, (verb, kind, uid): (Verb, Resource, Uid)) {
    let lost = async {
        loop {
            sleep(LOOK).await;
            if !app.view(&caller, |view| view.sight.decide(verb, kind, Place::Of(uid)).is_allowed()) {
                return;
            }
        }
    };
    tokio::select! {
        () = revoked(app.clone(), caller.clone()) => {}
        () = lost => {}
    }
}

/// `101` to `protocol`.
pub(super) fn switching(protocol: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, protocol);
    response
}
