//! Kernel modules, and waiting for what they find.

use std::path::Path;
use std::time::{Duration, Instant};

use cairn_machine::modules::Modules;
use cairn_machine::net;

const LIST: &str = "/lib/modules/load.list";
/// Firmware says that there is a TPM.
const ACPI_TPM: &str = "/sys/firmware/acpi/tables/TPM2";
const TPM: &str = "/dev/tpm0";
/// Network cards with firmware to load take this long.
const NIC_LIMIT: Duration = Duration::from_secs(20);
const TPM_LIMIT: Duration = Duration::from_secs(5);

/// Loads what the image lists and the devices ask for. A module's failure shows later as a missing device.
pub(crate) fn load() {
    match Modules::of_running_kernel() {
        Ok(mut modules) => {
            let listed = modules.load_list(Path::new(LIST)).unwrap_or_else(|error| {
                tracing::warn!("{error}");
                0
            });
            let found = modules.load_for_devices();
            tracing::info!("loaded {} kernel modules", listed + found);
        }
        Err(error) => tracing::warn!("no kernel modules: {error}"),
    }
    if !wait(NIC_LIMIT, || !net::list().is_empty()) {
        tracing::warn!("no network interface appeared");
    }
}

/// Waits for the TPM that the firmware announced; without an announcement looks once.
pub(crate) fn wait_for_tpm() {
    if Path::new(ACPI_TPM).exists() && !wait(TPM_LIMIT, || Path::new(TPM).exists()) {
        tracing::warn!("the firmware announces a TPM that the kernel does not show");
    }
}

/// Polls until it holds or the limit passes.
pub(crate) fn wait(limit: Duration, holds: impl Fn() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
