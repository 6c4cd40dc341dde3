//! An HTTP/1.1 server with Range and faults, one fault for each connection in turn. By hand, so that it can be wrong.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What goes wrong with one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The body ends after so many bytes.
    CutAfter(usize),
    /// Closed before an answer.
    Refuse,
    /// 206 for another range.
    WrongRange,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _task: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(blob: Vec<u8>, mut faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        faults.reverse();
        let (blob, faults) = (Arc::new(blob), Arc::new(Mutex::new(faults)));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let fault = faults.lock().unwrap().pop();
                connections.spawn(answer(stream, blob.clone(), fault));
            }
        });
        Self { address, _task: task }
    }
}

async fn answer(mut stream: TcpStream, blob: Arc<Vec<u8>>, fault: Option<Fault>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let text = String::from_utf8(request).unwrap().to_lowercase();
    let range = text.split("range: bytes=").nth(1).expect("a range").split("\r\n").next().unwrap();
    let (from, to) = range.split_once('-').unwrap();
    let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
    let body = &blob[from..=to];
    let (shown, cut) = match fault {
        Some(Fault::Refuse) => return,
        Some(Fault::CutAfter(n)) => (from, n.min(body.len())),
        Some(Fault::WrongRange) => (from + 1, body.len()),
        None => (from, body.len()),
    };
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {shown}-{to}/{}\r\n\r\n",
        body.len(),
        blob.len()
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&body[..cut]).await;
}
