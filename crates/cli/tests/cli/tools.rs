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

/// What a shell offers for `voxpost in`, by its own machinery with our script.
async fn offered(shell: &str, arguments: &[&str], ask: &str) -> String {
    let home = Shell::new();
    let script = home
        .run(&["completions", shell])
        .await
        .expect_code(exit::OK)
        .text();
    home.write("script", script.as_bytes());
    let mut command = home.program(shell);
    let ran = command.args(arguments).args(["-c", ask]).output();
    let output = match patiently("the shell", ran).await {
        Err(error) => panic!("{shell} (scripts/setup.sh test installs it): {error}"),
        Ok(output) => output,
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{shell}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn each_shell_completes_with_its_script() {
    let bash = "source ./script; COMP_WORDS=(voxpost in); COMP_CWORD=1; _voxpost voxpost in voxpost; \
                echo \"${COMPREPLY[@]}\"; complete -p voxpost";
    let zsh = "autoload -U compinit && compinit -u -D; source ./script; whence -w _voxpost_commands; \
               _describe() { print -l -- \"${(@P)4}\" }; _voxpost_commands; print -- $_comps[voxpost]";
    let fish = "source ./script; complete --do-complete 'voxpost in'";
    for (shell, arguments, ask) in [
        ("bash", &["--norc"][..], bash),
        ("zsh", &["-f"], zsh),
        ("fish", &["--no-config"], fish),
    ] {
        let offered = offered(shell, arguments, ask).await;
        for command in ["inbox", "inspect", "invite"] {
            assert!(offered.contains(command), "{shell}: {offered}");
        }
    }
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
