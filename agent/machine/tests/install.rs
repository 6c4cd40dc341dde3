//! The pipeline against a real HTTP server that misbehaves, onto a file that plays the disk.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod image;
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::{ImageManifest, InstallId, Role};
use cairn_machine::disk::Target;
use cairn_machine::install::{EspFile, InstallError, Job, Watch};
use cairn_machine::link::{FrameSource, Frames};
use uuid::Uuid;

use server::{Fault, Server};

const DISK: u64 = 64 << 20;
const INSTALL: InstallId = InstallId(Uuid::from_u128(42));

/// A file that plays the disk, full of old bytes, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> (Self, Arc<Target>) {
        let path = std::env::temp_dir().join(format!("cairn-install-{}-{name}", std::process::id()));
        std::fs::write(&path, vec![0xEE; usize::try_from(DISK).unwrap()]).unwrap();
        let target = Target::scratch(&path, DISK).unwrap();
        (Self(path), Arc::new(target))
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

struct Run {
    result: Result<(), InstallError>,
    watch: Arc<Watch>,
    scratch: Scratch,
}

/// Prepares and writes; on success verifies and finishes.
async fn run(name: &str, manifest: &ImageManifest, blob: Vec<u8>, faults: Vec<Fault>) -> Run {
    let (scratch, target) = Scratch::new(name);
    let server = Server::start(blob, faults).await;
    let job = Job::plan(manifest.clone(), INSTALL, &target).unwrap();
    let mut frames = Frames::new(FrameSource::Plain(server.address), "/artifacts/sha256/x".into());
    let watch = Arc::new(Watch::default());
    let work = async {
        job.prepare(&target)?;
        job.write(target.clone(), &mut frames, watch.clone()).await?;
        job.verify(&target)?;
        let files = [EspFile { path: "cairn/host.json".into(), bytes: b"{}".to_vec() }];
        job.finish(&target, &files)
    };
    let result = tokio::time::timeout(Duration::from_secs(120), work).await.expect("it ends");
    Run { result, watch, scratch }
}

/// Has this disk a partition table that firmware would boot?
fn boots(disk: &[u8]) -> bool {
    cairn_machine::gpt::parse(disk).is_some()
}

#[tokio::test]
async fn an_image_is_written_and_only_then_boots() {
    let (manifest, blob, raw) = image::make();
    let run = run("good", &manifest, blob, vec![]).await;
    run.result.unwrap();
    let disk = run.scratch.bytes();
    assert!(boots(&disk));
    let (done, total) = run.watch.progress();
    assert_eq!((done, run.watch.resumed()), (total, 0));
    let root = usize::try_from((1 + image::ESP_MIB) << 20).unwrap();
    assert!(disk[root..root + raw.len()] == raw[..], "root A differs, or a gap is not zero");
    let root_b = root + usize::try_from(image::ROOT_MIB << 20).unwrap();
    assert!(disk[root_b..root_b + (2 << 20)].iter().all(|b| *b == 0), "root B is not zero");
    let esp = &disk[1 << 20..root];
    let fat = fatfs::FileSystem::new(std::io::Cursor::new(esp.to_vec()), fatfs::FsOptions::new()).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut fat.root_dir().open_file("cairn/host.json").unwrap(), &mut text)
        .unwrap();
    assert_eq!(text, "{}");
    assert!(fat.root_dir().open_file("image.txt").is_ok(), "the image's own file is gone");
}

#[tokio::test]
async fn a_stream_that_breaks_is_taken_up_where_it_broke() {
    let (manifest, blob, raw) = image::make();
    let faults = vec![Fault::CutAfter(1000), Fault::Refuse, Fault::CutAfter(70_000), Fault::WrongRange];
    let run = run("cut", &manifest, blob, faults).await;
    run.result.unwrap();
    assert_eq!(run.watch.resumed(), 4);
    let root = usize::try_from((1 + image::ESP_MIB) << 20).unwrap();
    assert!(run.scratch.bytes()[root..root + raw.len()] == raw[..]);
}

#[tokio::test]
async fn a_corrupt_frame_never_reaches_the_disk() {
    let (manifest, mut blob, raw) = image::make();
    let frame = manifest.partitions[1].frames[1];
    blob[usize::try_from(frame.at).unwrap() + 5] ^= 1;
    let run = run("corrupt", &manifest, blob, vec![]).await;
    let expected = matches!(run.result, Err(InstallError::CorruptFrame { role: Role::RootA, frame: 1 }));
    assert!(expected, "{:?}", run.result);
    let disk = run.scratch.bytes();
    assert!(!boots(&disk));
    let at = usize::try_from(((1 + image::ESP_MIB) << 20) + frame.offset).unwrap();
    let part = &raw[usize::try_from(frame.offset).unwrap()..][..4096];
    assert!(disk[at..at + 4096] != *part, "the corrupt frame's bytes are on the disk");
}

#[tokio::test]
async fn a_frame_of_another_size_is_refused() {
    let (mut manifest, blob, _) = image::make();
    manifest.partitions[1].frames[0].raw_len -= 4096;
    let run = run("size", &manifest, blob, vec![]).await;
    assert!(
        matches!(run.result, Err(InstallError::BadFrame { role: Role::RootA, frame: 0 })),
        "{:?}",
        run.result
    );
    assert!(!boots(&run.scratch.bytes()));
}

#[tokio::test]
async fn a_disk_that_forgets_is_noticed_before_it_boots() {
    let (mut manifest, blob, _) = image::make();
    // The first frame of all is among those that are read back, whatever the installation's id.
    manifest.partitions[0].frames[0].raw_sha256.0[0] ^= 1;
    let run = run("forgets", &manifest, blob, vec![]).await;
    assert!(
        matches!(run.result, Err(InstallError::ReadBack { role: Role::Esp, frame: 0, .. })),
        "{:?}",
        run.result
    );
    assert!(!boots(&run.scratch.bytes()));
}

#[tokio::test]
async fn an_order_to_stop_is_followed() {
    let (manifest, blob, _) = image::make();
    let (scratch, target) = Scratch::new("stop");
    let server = Server::start(blob, vec![]).await;
    let job = Job::plan(manifest, INSTALL, &target).unwrap();
    let mut frames = Frames::new(FrameSource::Plain(server.address), "/x".into());
    let watch = Arc::new(Watch::default());
    watch.stop();
    job.prepare(&target).unwrap();
    let stopped = job.write(target.clone(), &mut frames, watch).await;
    assert!(matches!(stopped, Err(InstallError::Stopped)), "{stopped:?}");
    assert!(!boots(&scratch.bytes()));
}
