//! Programs of others that judge files.

use std::path::Path;
use std::process::{Command, Output};

/// What a program that must succeed says.
pub(crate) fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// What a program says that must succeed without a warning.
pub(crate) fn quiet(program: &str, args: &[&str]) -> Output {
    let output = run(program, args);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{program} {args:?}");
    output
}

/// Size and hash of every packet, as ffmpeg reads them.
pub(crate) fn packets(path: &Path) -> Vec<String> {
    let args = [
        "-v",
        "error",
        "-i",
        path.to_str().unwrap(),
        "-map",
        "0:a",
        "-c",
        "copy",
        "-f",
        "framemd5",
        "-",
    ];
    let text = String::from_utf8(run("ffmpeg", &args).stdout).unwrap();
    let packets: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<_> = line.split(',').map(str::trim).collect();
            format!("{} {}", fields[4], fields[5])
        })
        .collect();
    assert!(!packets.is_empty());
    packets
}
