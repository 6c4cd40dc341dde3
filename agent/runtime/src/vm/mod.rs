//! Virtual machines under the host's own QEMU, each a unit of the host's supervisor. Not KubeVirt (the provisioner translates for it).
//!
//! | part | where | removed with |
//! |---|---|---|
//! | disks (overlays upon images, blanks) | `<state>/vms/<id>/` | the application |
//! | serial log | `<state>/vms/<id>/serial.log`, bounded | the application |
//! | images of disks, by digest | `<state>/vm-images/` | kept |
//! | sockets of console and QMP; NoCloud seed with user data, secrets in their places | `<run>/vms/<id>/`, in memory | the application |

mod argv;
mod disk;
mod machine;
mod qmp;
mod seed;
mod tap;

pub use disk::DiskError;
pub use machine::MachineError;
pub(crate) use machine::{Job, Machines, Power};
pub use qmp::QmpError;
