//! Memory and processor time of a process, as Linux tells them under /proc.

use std::fs;

/// A process that is watched.
#[derive(Clone, Copy)]
pub(super) struct Process {
    pid: u32,
}

impl Process {
    pub(super) fn new(pid: u32) -> Self {
        Self { pid }
    }

    pub(super) fn own() -> Self {
        Self::new(std::process::id())
    }

    /// Resident memory in bytes; `None` where there is no /proc.
    pub(super) fn resident_bytes(self) -> Option<u64> {
        self.status_kib("VmRSS:")
    }

    /// The most that was ever resident, in bytes.
    pub(super) fn peak_bytes(self) -> Option<u64> {
        self.status_kib("VmHWM:")
    }

    /// Processor time of all its threads, user and system, in seconds.
    pub(super) fn cpu_seconds(self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        Some(cpu_ticks(&stat)? as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    fn status_kib(self, field: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    }
}

/// Fields 14 and 15 (utime, stime) of proc_pid_stat(5); the name before them is in parentheses and may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_any_name() {
        let stat = "42 (a) b (c) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 7 7 20 0 5 0 1 1 1";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("nonsense"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_very_process_has_memory_and_time() {
        let own = Process::own();
        assert!(own.resident_bytes().unwrap() > 100_000);
        assert!(own.peak_bytes().unwrap() >= own.resident_bytes().unwrap() / 2);
        assert!(own.cpu_seconds().unwrap() >= 0.0);
    }
}
