//! Whether a container ran out of its memory: asked while its task still has its control group.

use std::fs;
use std::path::Path;

/// True when the kernel killed a process of it for want of memory (cgroup v2 `memory.events`, v1 `memory.oom_control`).
pub(super) fn ran_out_of_memory(id: &str) -> bool {
    let root = Path::new("/sys/fs/cgroup");
    let files = [
        root.join("cairn").join(id).join("memory.events"),
        root.join("memory/cairn").join(id).join("memory.oom_control"),
    ];
    files.iter().filter_map(|f| fs::read_to_string(f).ok()).any(|text| counted(&text))
}

fn counted(text: &str) -> bool {
    let kills = text.lines().find_map(|l| l.strip_prefix("oom_kill "));
    kills.and_then(|n| n.trim().parse::<u64>().ok()).is_some_and(|n| n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_read() {
        assert!(counted("low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n"));
        assert!(!counted("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"));
        assert!(counted("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"));
    }
}
