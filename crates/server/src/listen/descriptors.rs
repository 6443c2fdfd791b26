//! Each connection takes a file descriptor, and systems give a process few of them unless it asks.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the server needs besides connections: the database, objects that are read, uploads that are written.
const RESERVE: u64 = 512;

/// Raises the soft limit of open files to what the system allows at most, and returns how many connections fit: `wanted`
/// (0: as many as fit), or less.
pub(crate) fn bound(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Not allowed everywhere; then what there is must do.
    let _ = setrlimit(Resource::Nofile, raised);
    let Some(files) = getrlimit(Resource::Nofile).current else {
        return wanted;
    };
    let fit = usize::try_from(files.saturating_sub(RESERVE).max(files / 2)).unwrap_or(usize::MAX);
    if wanted > fit {
        tracing::warn!(
            max_connections = wanted,
            open_files = files,
            "only {fit} connections fit: raise the limit of open files (ulimit -n, LimitNOFILE=)"
        );
    }
    if wanted == 0 { fit } else { wanted.min(fit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_connections_than_files() {
        let all = bound(0);
        assert!(all > 0);
        assert_eq!(bound(1), 1);
        assert!(bound(usize::MAX) <= all.max(bound(0)) || getrlimit(Resource::Nofile).current.is_none());
    }
}
