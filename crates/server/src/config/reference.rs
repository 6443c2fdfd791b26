//! What people read about the settings, made from the flags themselves: docs/configuration.md and the example file.

use std::fmt::Write;

use clap::Arg;

use super::Config;
use super::file::{flags, is_list};
use crate::auth::JwtIssuer;

/// How the flags that take several things at once (`key=value,key=value`) name what they take.
const TABLE: &str = "KEY=VALUE,…";

const EXAMPLE_HEAD: &str = "\
# Settings of `voxpost serve`; start it with `--config FILE` or VOXPOST_CONFIG_FILE=FILE.
# A flag wins over the environment, the environment over this file. Lines such as `#listen = …` show the defaults.
# `voxpost serve --example-config` prints this file.
";

impl Config {
    /// A configuration file with every key and its default, all commented out.
    #[must_use]
    pub fn example_file() -> String {
        let mut text = EXAMPLE_HEAD.to_owned();
        // Tables end a TOML document's plain keys, so they come last.
        let (tables, plain): (Vec<_>, Vec<_>) = flags().into_iter().partition(is_table);
        let mut heading = String::new();
        for flag in plain.iter().chain(&tables) {
            let own = flag.get_help_heading().unwrap_or_default();
            if own != heading {
                own.clone_into(&mut heading);
                let _ = write!(text, "\n## {heading}\n");
            }
            let _ = write!(text, "\n{}{}", comment(&help(flag)), example(flag));
        }
        text
    }
}

fn example(flag: &Arg) -> String {
    let key = flag.get_id().as_str();
    if is_table(flag) {
        return format!("#[[{key}]]\n{}", example_of_table(key));
    }
    let value = match default(flag) {
        Some(value) if value.parse::<u64>().is_ok() => value,
        Some(value) => format!("{value:?}"),
        None if is_list(flag) => "[]".to_owned(),
        None => format!("{:?}", choices(flag).first().cloned().unwrap_or_default()),
    };
    format!("#{key} = {value}\n")
}

/// The keys of a table, with values that show what they are.
fn example_of_table(key: &str) -> &'static str {
    match key {
        "jwt_issuer" => JwtIssuer::EXAMPLE,
        _ => "",
    }
}

fn comment(text: &str) -> String {
    text.lines().fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "# {line}");
        all
    })
}

/// What the help says, and the choices where there are some.
fn help(flag: &Arg) -> String {
    let text = flag.get_help().map(ToString::to_string).unwrap_or_default();
    let choices = choices(flag);
    let dot = if text.ends_with('.') { "" } else { "." };
    if choices.is_empty() {
        format!("{text}{dot}")
    } else {
        format!("{text}{dot} One of: {}.", choices.join(", "))
    }
}

fn choices(flag: &Arg) -> Vec<String> {
    let choices = flag.get_possible_values().into_iter();
    choices.map(|choice| choice.get_name().to_owned()).collect()
}

fn default(flag: &Arg) -> Option<String> {
    let values = flag.get_default_values();
    values.first().map(|value| value.to_string_lossy().into_owned())
}

fn is_table(flag: &Arg) -> bool {
    let names = flag.get_value_names().unwrap_or_default();
    names.iter().any(|name| name.as_str() == TABLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const REFERENCE_HEAD: &str = "\
# Configuration

`voxpost serve` needs no settings. Those that there are can be given as flags, in the environment, or in a TOML file
(`--config FILE`). A flag wins over the environment, the environment over the file, the file over the default.
[voxpost.example.toml](voxpost.example.toml) is a file with every key and its default; `voxpost serve --example-config` prints it.
Paths are relative to the working directory, in the file too.

<!-- Made from the flags by `UPDATE_DOCS=1 cargo test -p voxpost-server reference`; a test fails when it is stale. -->
";

    fn reference() -> String {
        let mut text = REFERENCE_HEAD.to_owned();
        let mut heading = String::new();
        for flag in flags() {
            let own = flag.get_help_heading().unwrap_or_default();
            if own != heading {
                own.clone_into(&mut heading);
                let _ = write!(
                    text,
                    "\n## {heading}\n\n| Key, flag, environment | Default | Meaning |\n| --- | --- | --- |\n"
                );
            }
            let names = [
                flag.get_id().as_str().to_owned(),
                format!("--{}", flag.get_long().unwrap_or_default()),
                flag.get_env().unwrap_or_default().to_string_lossy().into_owned(),
            ];
            let names = names.map(|name| format!("`{name}`")).join("<br>");
            let default = default(&flag).map_or("none".to_owned(), |value| format!("`{value}`"));
            let _ = writeln!(
                text,
                "| {names} | {default} | {} |",
                help(&flag).replace('|', "\\|")
            );
        }
        text
    }

    /// Compares a document with what it is made from, or writes it.
    fn check(name: &str, text: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs")
            .join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == text,
            "docs/{name} is stale: UPDATE_DOCS=1 cargo test -p voxpost-server reference"
        );
    }

    #[test]
    fn the_reference_and_the_example_in_docs_say_what_the_flags_say() {
        check("configuration.md", &reference());
        check("voxpost.example.toml", &Config::example_file());
    }

    #[test]
    fn the_example_is_a_configuration_of_defaults_and_then_of_tables() {
        let uncommented: String = Config::example_file()
            .lines()
            .filter_map(|line| line.strip_prefix('#'))
            .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase() || first == '['))
            .map(|line| format!("{line}\n"))
            .collect();
        let table: toml::Table = uncommented.parse().unwrap();
        let known = flags();
        assert!(table.len() > 15);
        assert!(
            table
                .keys()
                .all(|key| known.iter().any(|flag| flag.get_id() == key.as_str()))
        );
        for flag in known.iter().filter(|flag| is_table(flag)) {
            let tables = &table[flag.get_id().as_str()];
            let keys = tables[0].as_table().unwrap();
            let pairs: Vec<_> = keys
                .iter()
                .map(|(key, value)| format!("{key}={}", value.as_str().unwrap()))
                .collect();
            let line = [
                "serve".to_owned(),
                format!("--{}={}", flag.get_long().unwrap(), pairs.join(",")),
            ];
            let command = <Config as clap::Args>::augment_args(clap::Command::new("serve"));
            command.try_get_matches_from(line).unwrap();
        }
    }

    #[test]
    fn every_setting_can_be_given_in_the_environment_and_is_explained() {
        for flag in flags() {
            let key = flag.get_id().as_str();
            let expected = format!("VOXPOST_{}", key.to_uppercase());
            assert_eq!(flag.get_env().unwrap_or_default(), expected.as_str(), "{key}");
            assert!(flag.get_help().is_some(), "{key}");
        }
    }
}
