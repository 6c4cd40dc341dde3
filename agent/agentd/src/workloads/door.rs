//! Logs, programs and consoles of the runtime, as streams of the tunnel.

use std::sync::Arc;

use cairn_contract::workload::tunnel::Open;
use cairn_runtime::Runtime;
use cairn_runtime::container::Exec;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncWriteExt as _, duplex, split};
use tokio::task::JoinSet;

use super::tunnel::{Duplex, Local};

/// Between the runtime and the tunnel.
const BUFFER: usize = 64 << 10;

/// The runtime's ways in.
#[derive(Debug)]
pub(super) struct Door(pub(super) Arc<Runtime>);

impl Local for Door {
    fn open(&self, open: Open) -> BoxFuture<'_, Result<Box<dyn Duplex>, String>> {
        Box::pin(async move {
            match open {
                Open::Logs { deployment, application, tail, follow } => {
                    let log = self.0.log(deployment, &application);
                    if !log.path().exists() {
                        return Err(format!("there is no log of {application} yet"));
                    }
                    Ok(carried(move |mut to| async move {
                        if follow {
                            return log.follow(tail, &mut to).await;
                        }
                        to.write_all(&log.tail(tail)?).await?;
                        to.shutdown().await
                    }))
                }
                Open::Exec { deployment, application, run, terminal } => {
                    let started = self.0.exec(deployment, &application, &Exec { run, terminal }).await;
                    let running = started.map_err(|e| in_words(&e))?;
                    Ok(carried(move |stream| async move {
                        let (from, mut to) = split(stream);
                        running.run(from, &mut to).await.map_err(std::io::Error::other)?;
                        to.shutdown().await
                    }))
                }
                Open::Console { deployment, application } => {
                    let console = self.0.console(deployment, &application).await;
                    console.map(|socket| Box::new(socket) as _).map_err(|e| in_words(&e))
                }
                Open::ApiServer { .. } => Err("the API server is not here".to_owned()),
            }
        })
    }
}

/// One end of a pipe whose other end `work` has; the work ends with the pipe.
fn carried<F>(work: impl FnOnce(tokio::io::DuplexStream) -> F) -> Box<dyn Duplex>
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let (ours, theirs) = duplex(BUFFER);
    let work = work(theirs);
    let mut task = JoinSet::new();
    task.spawn(async move {
        if let Err(error) = work.await {
            tracing::debug!(%error, "a stream of the runtime ended");
        }
    });
    Box::new(Piped { ours, _task: task })
}

struct Piped {
    ours: tokio::io::DuplexStream,
    _task: JoinSet<()>,
}

mod io {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::Piped;

    impl AsyncRead for Piped {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.ours).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Piped {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.ours).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.ours).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.ours).poll_shutdown(cx)
        }
    }
}

fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
