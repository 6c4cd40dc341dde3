//! Both ends over one pair of pipes.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use cairn_contract::workload::tunnel::{MAX_LINE, Open, Opened};
use cairn_tunnel::{Hub, Inward, MOST_STREAMS, OpenError, Opener, Stream, hub};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(30);

fn logs(name: &str) -> Open {
    Open::Logs { deployment: Uuid::nil(), application: name.to_owned(), tail: 5, follow: false }
}

async fn ends() -> (Opener, Hub<DuplexStream>, Inward<DuplexStream>) {
    let (ours, theirs) = duplex(64 << 10);
    let (opener, hub) = hub(ours).await;
    (opener, hub, Inward::new(theirs).await)
}

/// An agent: echoes `echo`, refuses `no`, never reads of `deaf`.
async fn agent(mut inward: Inward<DuplexStream>) {
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            next = inward.next() => match next {
                Ok(Some(stream)) => { streams.spawn(serve(stream)); }
                Ok(None) | Err(_) => return,
            },
            Some(_) = streams.join_next() => {}
        }
    }
}

async fn serve(mut stream: Stream) {
    let Ok(Open::Logs { application, .. }) = stream.asked().await else { return };
    if application == "no" {
        let _ = stream.answer(&Opened::No("there is no such application".into())).await;
        return;
    }
    if application == "mute" {
        return std::future::pending().await;
    }
    stream.answer(&Opened::Yes).await.unwrap();
    if application == "deaf" {
        return std::future::pending().await;
    }
    let (mut from, mut to) = tokio::io::split(stream);
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

async fn running() -> (Opener, JoinSet<()>) {
    let (opener, hub, inward) = ends().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _ = hub.run().await;
    });
    tasks.spawn(agent(inward));
    (opener, tasks)
}

/// Sends megabytes through an echo and reads them back.
async fn echoed(opener: &Opener, len: usize) {
    let (stream, _permit) = opener.open(&logs("echo")).await.unwrap();
    let sent: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let (mut from, mut to) = tokio::io::split(stream);
    let mut got = Vec::new();
    let write = async {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let (_, read) = tokio::join!(write, from.read_to_end(&mut got));
    read.unwrap();
    assert!(got == sent, "{} of {} bytes came back", got.len(), sent.len());
}

#[tokio::test]
async fn bytes_go_both_ways_and_end_where_they_end() {
    let (opener, _tasks) = running().await;
    timeout(LONG, async {
        echoed(&opener, 0).await;
        echoed(&opener, 3 << 20).await;
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_refusal_comes_in_the_agents_words() {
    let (opener, _tasks) = running().await;
    let refused = timeout(LONG, opener.open(&logs("no"))).await.unwrap().unwrap_err();
    assert_eq!(refused.to_string(), "the host says: there is no such application");
    timeout(LONG, echoed(&opener, 10)).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_nobody_reads_blocks_no_other() {
    let (opener, _tasks) = running().await;
    let (mut deaf, _permit) = opener.open(&logs("deaf")).await.unwrap();
    let stuck = timeout(Duration::from_millis(500), deaf.write_all(&vec![0; 8 << 20])).await;
    assert!(stuck.is_err(), "the window of a stream is bounded");
    timeout(LONG, echoed(&opener, 3 << 20)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_answer_is_given_up_and_its_place_is_free_again() {
    let (opener, _tasks) = running().await;
    let given_up = opener.open(&logs("mute")).await.unwrap_err();
    assert!(matches!(given_up, OpenError::Slow), "{given_up}");
    echoed(&opener, 10).await;
}

#[tokio::test]
async fn one_host_has_so_many_streams_and_no_more() {
    let (opener, _tasks) = running().await;
    let mut open = Vec::new();
    for _ in 0..MOST_STREAMS {
        open.push(opener.open(&logs("echo")).await.unwrap());
    }
    assert!(matches!(opener.open(&logs("echo")).await, Err(OpenError::Busy)));
    drop(open);
    let again = async {
        // The agent's end of the closed ones goes a moment later.
        while opener.open(&logs("echo")).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, again).await.unwrap();
}

#[tokio::test]
async fn when_the_tunnel_is_cut_every_stream_ends_at_once() {
    let (opener, mut tasks) = running().await;
    let (mut stream, _permit) = opener.open(&logs("echo")).await.unwrap();
    tasks.abort_all();
    let read = async {
        let mut bytes = [0; 16];
        matches!(stream.read(&mut bytes).await, Ok(0) | Err(_))
    };
    assert!(timeout(Duration::from_secs(1), read).await.unwrap());
    while tasks.join_next().await.is_some() {}
    assert!(opener.is_gone());
    assert!(matches!(opener.open(&logs("echo")).await, Err(OpenError::Gone)));
}

#[tokio::test]
async fn lines_that_are_too_long_or_no_json_end_the_stream_and_no_other() {
    let (opener, hub, mut inward) = ends().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _ = hub.run().await;
    });
    tasks.spawn(async move {
        let mut kept = Vec::new();
        let mut bad = [vec![b'x'; MAX_LINE + 100], b"{}\n".to_vec(), b"\"yes\"".to_vec()].into_iter();
        while let Ok(Some(mut stream)) = inward.next().await {
            let line = bad.next().unwrap_or_else(|| b"\"yes\"\nand more".to_vec());
            stream.write_all(&line).await.unwrap();
            stream.shutdown().await.unwrap();
            kept.push(stream);
        }
    });
    for expected in ["longer than", "not understood", "ended within"] {
        let error = timeout(LONG, opener.open(&logs("x"))).await.unwrap().unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(expected), "{source}");
    }
    let (mut stream, _permit) = timeout(LONG, opener.open(&logs("x"))).await.unwrap().unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "and more", "what came with the line is not lost");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_for_a_minute_is_gone() {
    let (ours, _theirs) = duplex(64 << 10);
    let (_opener, hub) = hub(ours).await;
    let begun = tokio::time::Instant::now();
    assert!(timeout(Duration::from_secs(300), hub.run()).await.unwrap().is_err());
    assert!(begun.elapsed() <= Duration::from_secs(61), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn two_that_have_nothing_to_say_keep_each_other_alive() {
    let (opener, mut tasks) = running().await;
    assert!(timeout(Duration::from_secs(3600), tasks.join_next()).await.is_err());
    echoed(&opener, 10).await;
}
