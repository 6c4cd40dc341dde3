//! The rig itself: a cluster is there within seconds, answers, survives the death of its API server, and leaves nothing.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use cairn_kube_rig::Cluster;

#[test]
fn a_control_plane_answers_outlives_its_api_server_and_leaves_nothing() {
    let since = std::time::Instant::now();
    let mut cluster = Cluster::start().unwrap();
    println!("ready after {:?}", since.elapsed());
    cluster.kubectl(&["create", "configmap", "kept", "--from-literal=a=b"]).unwrap();
    cluster.kill_api();
    assert!(cluster.kubectl(&["get", "configmap", "kept"]).is_err(), "it is away");
    cluster.start_api().unwrap();
    let kept = cluster.kubectl(&["get", "configmap", "kept", "-o", "jsonpath={.data.a}"]).unwrap();
    assert_eq!(kept, "b");
    let folder = cluster.folder().to_owned();
    drop(cluster);
    assert!(!folder.exists());
    let left =
        std::process::Command::new("pgrep").arg("-f").arg(folder.file_name().unwrap()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "no process is left");
}
