//! What the server takes (proc_pid_status(5)).

use anyhow::{Context as _, Result};

use super::figure::{Figure, Target};

/// Resident memory now, and the most so far.
pub(crate) fn measure(pid: u32) -> Result<Vec<Figure>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the server ended")?;
    let read = |field| mebibytes(&text, field).with_context(|| format!("no {field} of the server"));
    Ok(vec![
        Figure::new("resident memory with all that loaded", read("VmRSS:")?, "MiB", Target::Below(300.0)),
        Figure::new("  the most so far", read("VmHWM:")?, "MiB", Target::None),
    ])
}

fn mebibytes(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_kibibytes() {
        assert_eq!(mebibytes("Name:\tcairn\nVmRSS:\t   21504 kB\n", "VmRSS:"), Some(21.0));
        assert_eq!(mebibytes("Name:\tcairn\n", "VmRSS:"), None);
    }
}
