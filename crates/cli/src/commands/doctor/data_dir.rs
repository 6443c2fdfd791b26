//! A server's data directory, on this machine.

use std::path::Path;

use voxpost_server::{DoctorReport, S3Config};

use super::Report;
use super::checks::Check;
use crate::disk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format;

/// Below this the server will soon refuse messages, in bytes.
const LITTLE_SPACE: u64 = 1 << 30;
/// Below this it is about to, in bytes.
const NO_SPACE: u64 = 64 << 20;
/// A disk whose fsync takes longer than this makes everybody wait.
const SLOW_FSYNC_MS: f64 = 50.0;

pub(super) async fn check(
    dir: &Path,
    s3: &S3Config,
    repair: bool,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let exists = std::fs::metadata(dir)
        .map_err(Failure::file(dir))
        .and_then(|metadata| {
            if metadata.is_dir() {
                Ok(())
            } else {
                Err(Failure::file(dir)(std::io::ErrorKind::NotADirectory.into()))
            }
        });
    if let Err(failure) = exists {
        return report.tell(&Check::failure("directory", &failure));
    }
    report.tell(&permissions(dir))?;
    report.tell(&space(dir))?;
    report.tell(&fsync(dir))?;
    match voxpost_server::doctor(dir, s3, repair).await {
        Ok(found) => contents(&found).iter().try_for_each(|check| report.tell(check)),
        Err(error) => {
            let advice = "give the directory that `voxpost serve --data-dir` was given";
            report.tell(&Check::failed("database", Exit::File, error.to_string(), advice))
        }
    }
}

/// What the server itself says about its rows and objects.
fn contents(found: &DoctorReport) -> Vec<Check> {
    const RESTORE: &str = "restore the data directory from a backup; keep this one until that is done";
    let broken = |name, wrong: &[String], good: String, bad: &str| match wrong {
        [] => Check::ok(name, good),
        _ => Check::failed(name, Exit::File, format!("{bad}: {}", some(wrong)), RESTORE),
    };
    let spare = found.without_message.len() + found.leftovers.len();
    let spare = match (spare, found.repaired) {
        (0, _) => Check::ok("left over", "nothing"),
        (count, true) => Check::ok(
            "left over",
            format!("{count} files that no message needed, removed"),
        ),
        (count, false) => Check::warning(
            "left over",
            format!("{count} files that no message needs"),
            "remove them with --repair",
        ),
    };
    vec![
        broken(
            "database",
            &found.database,
            format!("whole, {} messages", found.messages),
            "damaged",
        ),
        broken(
            "sound",
            &found.without_object,
            "every message has its own".into(),
            "missing for messages",
        ),
        broken(
            "order",
            &found.gaps,
            "no gaps in any conversation".into(),
            "gaps in conversations",
        ),
        spare,
    ]
}

/// The first few of many.
fn some(all: &[String]) -> String {
    let shown = all
        .iter()
        .take(3)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > 3 {
        format!("{shown} and {} more", all.len() - 3)
    } else {
        shown
    }
}

#[cfg(unix)]
fn permissions(dir: &Path) -> Check {
    use std::os::unix::fs::PermissionsExt;
    let open = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return Check::failure("permissions", &Failure::file(dir)(error)),
    };
    if !open(dir) {
        return Check::ok("permissions", "only the owner gets in");
    }
    let readable: Vec<String> = entries
        .filter_map(|entry| entry.ok())
        .filter(|entry| open(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    if readable.is_empty() {
        return Check::ok("permissions", "only the owner reads what is in it");
    }
    let detail = format!("others can read {}", readable.join(", "));
    Check::warning("permissions", detail, &format!("chmod -R go= {}", dir.display()))
}

#[cfg(not(unix))]
fn permissions(_dir: &Path) -> Check {
    Check::ok("permissions", "not checked on this system")
}

#[cfg(unix)]
fn space(dir: &Path) -> Check {
    let free = match rustix::fs::statvfs(dir) {
        Ok(volume) => volume.f_bavail.saturating_mul(volume.f_frsize),
        Err(error) => return Check::failure("space", &Failure::file(dir)(error.into())),
    };
    judge_space(free)
}

#[cfg(not(unix))]
fn space(_dir: &Path) -> Check {
    Check::ok("space", "not checked on this system")
}

fn judge_space(free: u64) -> Check {
    let detail = format!("{} free", format::size(free));
    let advice = "make room on this volume: a full one refuses messages (storage_full), it loses none";
    match free {
        ..NO_SPACE => Check::failed("space", Exit::File, detail, advice),
        NO_SPACE..LITTLE_SPACE => Check::warning("space", detail, advice),
        _ => Check::ok("space", detail),
    }
}

fn fsync(dir: &Path) -> Check {
    match disk::fsync_latency(dir, 100) {
        Ok(latencies) => {
            let summary = latencies.summary();
            let detail = format!("p50 {:.1} ms, p99 {:.1} ms", summary.p50_ms, summary.p99_ms);
            if summary.p99_ms <= SLOW_FSYNC_MS {
                Check::ok("fsync", detail)
            } else {
                Check::warning("fsync", detail, "each message waits for it: a faster disk helps")
            }
        }
        Err(error) => Check::failure("fsync", &Failure::file(dir)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::Status;
    use super::*;

    #[test]
    fn little_space_is_a_warning_and_none_is_a_failure() {
        assert_eq!(judge_space(10 << 30).status, Status::Ok);
        assert_eq!(judge_space(500 << 20).status, Status::Warning);
        assert_eq!(judge_space(1 << 20).status, Status::Failed(Exit::File));
    }

    #[test]
    fn a_message_without_sound_is_a_failure_and_a_left_over_file_a_warning() {
        let found = DoctorReport {
            without_object: (0..5).map(|n| format!("m{n}")).collect(),
            leftovers: vec!["x".into()],
            ..DoctorReport::default()
        };
        let checks = contents(&found);
        let statuses: Vec<Status> = checks.iter().map(|check| check.status).collect();
        let failed = Status::Failed(Exit::File);
        assert_eq!(statuses, [Status::Ok, failed, Status::Ok, Status::Warning]);
        assert!(
            checks[1].detail.ends_with("m0, m1, m2 and 2 more"),
            "{}",
            checks[1].detail
        );
        let repaired = DoctorReport {
            repaired: true,
            without_object: Vec::new(),
            ..found
        };
        assert!(contents(&repaired).iter().all(|check| check.status == Status::Ok));
    }

    #[cfg(unix)]
    #[test]
    fn files_that_others_can_read_are_named() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("signing.key");
        std::fs::write(&key, "k").unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(&key, 0o644);
        set(dir.path(), 0o755);
        let check = permissions(dir.path());
        assert_eq!(check.status, Status::Warning);
        assert!(check.detail.contains("signing.key"));
        set(&key, 0o600);
        assert_eq!(permissions(dir.path()).status, Status::Ok);
        set(&key, 0o644);
        set(dir.path(), 0o700);
        assert_eq!(permissions(dir.path()).status, Status::Ok);
    }
}
