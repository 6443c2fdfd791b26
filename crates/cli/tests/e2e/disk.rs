//! A disk that is full or cannot be written: refusals that say so, nothing half-written, and recovery without a restart.

use std::path::{Path, PathBuf};
use std::process::Command;

use voxpost_proto::ErrorCode;
use voxpost_testkit::{Answer, Clip, Person, Server, Stopped, Voice, eventually, fresh_id};

use crate::files;
use crate::options;

/// A file system that can be filled: a small tmpfs where mounting is allowed, else a limit on the size of every file that
/// the server writes. Both make writes fail in the middle.
enum SmallDisk {
    Tmpfs(tempfile::TempDir),
    FileLimit(tempfile::TempDir),
}

/// In the units of `ulimit -f`, KiB: room for the database, not for much sound.
const FILE_LIMIT_KIB: u64 = 512;

impl SmallDisk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(dir.path())
            .output();
        if mount.is_ok_and(|done| done.status.success()) {
            println!("a full disk is a tmpfs here");
            Self::Tmpfs(dir)
        } else {
            println!("a full disk is a limit on the size of files here");
            Self::FileLimit(dir)
        }
    }

    fn data_dir(&self) -> PathBuf {
        match self {
            Self::Tmpfs(dir) | Self::FileLimit(dir) => dir.path().join("data"),
        }
    }

    async fn start(&self) -> Server {
        // SIGXFSZ would kill the process; ignored, writes fail with EFBIG.
        options().under("trap '' XFSZ").start_in(&self.data_dir()).await
    }

    fn fill(&self, server: &Server) {
        match self {
            Self::Tmpfs(dir) => {
                use std::io::Write;
                let mut filler = std::fs::File::create(dir.path().join("filler")).expect("a file");
                let mut size = 1 << 20;
                while size > 0 {
                    if filler.write_all(&vec![0; size]).is_err() {
                        size /= 2;
                    }
                }
            }
            Self::FileLimit(_) => limit_files(server, &(FILE_LIMIT_KIB * 1024).to_string()),
        }
    }

    fn make_room(&self, server: &Server) {
        match self {
            Self::Tmpfs(dir) => std::fs::remove_file(dir.path().join("filler")).expect("the filler is there"),
            Self::FileLimit(_) => limit_files(server, "unlimited"),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Self::Tmpfs(dir) = self {
            let _ = Command::new("umount").arg("-l").arg(dir.path()).status();
        }
    }
}

fn limit_files(server: &Server, soft: &str) {
    let pid = server.pid().to_string();
    let done = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={soft}:")])
        .status();
    assert!(done.expect("prlimit is there").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_keeps_what_it_has_and_recovers_by_itself() {
    let disk = SmallDisk::new();
    let server = disk.start().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let kept = ana.say(conversation, &Clip::webm(1.0, 440)).await;
    // Bigger than what is left in any case: a minute of WAV.
    let big = Clip::from_lavfi(
        "sine=frequency=300:sample_rate=16000:duration=60",
        &["-c:a", "pcm_s16le", "-f", "wav"],
    );
    let files_before = sound_files(&server);

    disk.fill(&server);
    let voice = Voice::of(&big);
    for _ in 0..3 {
        refused(&ana.send(conversation, &voice).await);
    }
    // What is there can still be heard and listed.
    ben.audio(kept.id).await.expect(200);
    assert_eq!(ben.messages(conversation).await.len(), 1);
    ana.get("/healthz").await.expect(200);

    disk.make_room(&server);
    eventually("nothing half-written to be left", || async {
        (sound_files(&server) == files_before).then_some(())
    })
    .await;
    // The same request as before, on the same process.
    ana.send(conversation, &voice).await.expect(201);
    let messages = ana.messages(conversation).await;
    assert_eq!(
        messages.iter().map(|m| m.seq).collect::<Vec<_>>(),
        [Some(1), Some(2)]
    );
    assert!(!server.log().contains("panicked"), "{}", server.log());
    intact(server.stop().await, &ben, conversation, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_refuses_and_recovers_by_itself() {
    // Root may write anywhere, so the server runs as somebody who may not.
    let dir = tempfile::tempdir().expect("a temporary folder");
    let data = dir.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout == b"0\n");
    let server = if root {
        let binary = dir.path().join("voxpost");
        std::fs::copy(env!("CARGO_BIN_EXE_voxpost"), &binary).expect("room for the binary");
        run(&["chmod", "755"], dir.path());
        run(&["chown", "65534:65534"], &data);
        let lower = "exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$0\" \"$@\"";
        voxpost_testkit::ServerOptions::new(&binary)
            .under(lower)
            .start_in(&data)
            .await
    } else {
        options().start_in(&data).await
    };
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let clip = Clip::webm(1.0, 440);
    let kept = ana.say(conversation, &clip).await;

    let folders = folders(&data);
    for folder in &folders {
        run(&["chmod", "555"], folder);
    }
    let voice = Voice {
        client_id: Some(fresh_id()),
        ..Voice::of(&Clip::webm(1.0, 660))
    };
    refused(&ana.send(conversation, &voice).await);
    ben.audio(kept.id).await.expect(200);
    assert_eq!(ben.messages(conversation).await.len(), 1);

    for folder in &folders {
        run(&["chmod", "755"], folder);
    }
    ana.send(conversation, &voice).await.expect(201);
    assert_eq!(ben.messages(conversation).await.len(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_is_a_file_is_told_at_once() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let data = dir.path().join("data");
    std::fs::write(&data, "not a folder").expect("a file");
    let Err(log) = options().try_start_in(&data).await else {
        panic!("it started on a file")
    };
    assert!(
        log.contains("--data-dir") && log.contains("data"),
        "the message names the flag to change: {log}"
    );
    assert!(!log.contains("panicked"), "{log}");
}

#[track_caller]
fn refused(answer: &Answer) {
    match answer.status {
        507 => drop(answer.problem(ErrorCode::StorageFull)),
        503 => drop(answer.problem(ErrorCode::Unavailable)),
        status => panic!("{status}: {}", answer.text()),
    }
}

/// Everything is there after a restart with room, too.
async fn intact(stopped: Stopped, ben: &Person, conversation: uuid::Uuid, messages: usize) {
    let server = stopped.start().await;
    let ben = ben.at(server.base());
    let list = ben.messages(conversation).await;
    assert_eq!(list.len(), messages);
    for message in list {
        let audio = ben.audio(message.id).await.expect(200);
        assert!(audio.body.starts_with(b"OggS"));
    }
    server.stop().await;
}

/// Files that are neither the database nor keys.
fn sound_files(server: &Server) -> usize {
    files(server.data_dir())
        .iter()
        .filter(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.starts_with(b"OggS")
                || bytes.starts_with(b"RIFF")
                || bytes.starts_with(&[0x1a, 0x45, 0xdf, 0xa3])
        })
        .count()
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![dir.to_owned()];
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            all.extend(folders(&entry.path()));
        }
    }
    all
}

fn run(command: &[&str], path: &Path) {
    let done = Command::new(command[0]).args(&command[1..]).arg(path).status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "{command:?} {}",
        path.display()
    );
}
