//! What needs no server.

use std::process::Stdio;

use voxpost_testkit::patiently;

use crate::exit;
use crate::shell::Shell;

#[tokio::test]
async fn every_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Shell::new()
            .run(&["completions", shell])
            .await
            .expect_code(exit::OK)
            .text();
        assert!(
            ["inbox", "doctor", "--reply-to"]
                .iter()
                .all(|word| script.contains(word.trim_start_matches('-'))),
            "{shell}"
        );
    }
    Shell::new()
        .run(&["completions", "tcsh"])
        .await
        .expect_code(exit::USAGE);
}

#[tokio::test]
async fn bash_accepts_its_script() {
    let script = Shell::new().run(&["completions", "bash"]).await.text();
    let check = format!("{script}\ncomplete -p voxpost");
    let output = std::process::Command::new("bash")
        .args(["--norc", "-c", &check])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let mut child = Shell::new()
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = patiently("it to end", child.wait_with_output()).await.unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), complaint.as_str()), (Some(exit::OK), ""));
}

#[tokio::test]
async fn the_help_tells_the_exit_codes_and_each_command_its_examples() {
    let shell = Shell::new();
    let help = shell.run(&["--help"]).await.expect_code(exit::OK).text();
    assert!(
        help.contains("Exit codes:") && help.contains("  6  the server cannot be reached"),
        "{help}"
    );
    for command in [
        "login",
        "send",
        "inbox",
        "get",
        "inspect",
        "doctor",
        "completions",
        "bench",
    ] {
        let help = shell.run(&["help", command]).await.expect_code(exit::OK).text();
        assert!(help.contains("Examples:"), "{command}");
    }
    shell.run(&[]).await.expect_code(exit::USAGE);
}
