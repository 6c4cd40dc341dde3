//! `cairn logs`, `cairn exec`, `cairn vm console`: bytes of what a host runs itself.

use cairn_domain::model::Kind;
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split, stdin, stdout};

use super::terminal::{Raw, size};
use crate::{
    Context,
    args::{Exec, Logs, Place},
    context::Session,
    exit::Failure,
    target::{self, Target},
};

/// Ctrl-], as telnet and virsh have it.
const ESCAPE: u8 = 0x1d;

/// `cairn logs`
pub(super) async fn logs(cx: &mut Context, args: &Logs) -> Result<(), Failure> {
    let session = cx.session()?;
    let (host, deployment, application) = keys(&session, &args.place).await?;
    let tail = args.tail.to_string();
    let query = [
        ("deployment", Some(deployment.as_str())),
        ("application", application.as_deref()),
        ("tail", Some(tail.as_str())),
        ("follow", args.follow.then_some("true")),
    ];
    let path = target::with_query(&format!("{}/logs", target::path(Kind::Host, &host)), &query);
    let mut open = session.client.open(&path).await?;
    while let Some(frame) = open.response.frame().await {
        let frame = frame.map_err(|e| Failure::new(format!("the log broke off: {e}"), "Try again."))?;
        if let Ok(bytes) = frame.into_data() {
            cx.raw(&bytes)?;
        }
    }
    Ok(())
}

/// `cairn exec`
pub(super) async fn exec(cx: &mut Context, args: &Exec) -> Result<(), Failure> {
    let session = cx.session()?;
    let (host, deployment, application) = keys(&session, &args.place).await?;
    let terminal = if args.tty { Some(size()) } else { None };
    let body = json!({ "deployment": deployment, "application": application, "run": args.run, "terminal": terminal });
    let path = format!("{}/exec", target::path(Kind::Host, &host));
    let stream = session.client.stream(&path, &body).await?;
    let _raw = if args.tty { Raw::begin() } else { None };
    carry(stream, None).await
}

/// `cairn vm console`
pub(super) async fn console(cx: &mut Context, place: &Place) -> Result<(), Failure> {
    let session = cx.session()?;
    let (host, deployment, application) = keys(&session, place).await?;
    let body = json!({ "deployment": deployment, "application": application });
    let path = format!("{}/console", target::path(Kind::Host, &host));
    let stream = session.client.stream(&path, &body).await?;
    cx.say("connected; end it with Ctrl-]");
    let _raw = Raw::begin();
    carry(stream, Some(ESCAPE)).await
}

/// Keys of host and deployment, and the application's name.
async fn keys(session: &Session, place: &Place) -> Result<(String, String, Option<String>), Failure> {
    let (deployment, application) = match place.of.split_once('/') {
        Some((deployment, application)) => (deployment, Some(application.to_owned())),
        None => (place.of.as_str(), None),
    };
    let key = async |kind, name: &str| {
        let target = Target { kind, name: name.to_owned() };
        target.key(&session.client, session.namespace()).await
    };
    Ok((key(Kind::Host, &place.host).await?, key(Kind::Deployment, deployment).await?, application))
}

/// Input to it, its output to us, until it ends, or the person types `escape`.
async fn carry(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    escape: Option<u8>,
) -> Result<(), Failure> {
    let broken = |e: std::io::Error| Failure::new(format!("the stream broke off: {e}"), "Try again.");
    let (mut from, mut to) = split(stream);
    let inwards = async {
        let (mut input, mut buffer) = (stdin(), vec![0_u8; 4096]);
        loop {
            let len = input.read(&mut buffer).await?;
            let bytes = buffer.get(..len).unwrap_or_default();
            if escape.is_some_and(|escape| bytes.contains(&escape)) {
                return Ok(true);
            }
            if bytes.is_empty() {
                to.shutdown().await?;
                return Ok::<bool, std::io::Error>(false);
            }
            to.write_all(bytes).await?;
            to.flush().await?;
        }
    };
    let outwards = async {
        let mut out = stdout();
        tokio::io::copy(&mut from, &mut out).await?;
        out.flush().await
    };
    tokio::pin!(inwards, outwards);
    tokio::select! {
        done = &mut outwards => done.map_err(broken),
        typed = &mut inwards => match typed {
            Ok(true) => Ok(()),
            // The input is at its end; what comes is still shown.
            Ok(false) | Err(_) => outwards.await.map_err(broken),
        },
    }
}
