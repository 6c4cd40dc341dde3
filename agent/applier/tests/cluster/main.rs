//! The applier against a real control plane (etcd, kube-apiserver, controllers, scheduler; no kubelet: `site::Site::play` writes
//! what a kubelet would say of a pod). What it stops short of: pods that really run (the scenarios' part), and everything behind
//! KubeVirt's objects, whose definitions here are minimal ones of the test itself, because none are packaged.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod away;
mod conflicts;
mod drift;
mod lifecycle;
mod machines;
mod pods;
mod site;
