//! The configuration file: TOML whose keys are the flags of `voxpost serve` with underscores.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use toml::{Table, Value};

use super::Config;

/// Larger than any configuration, so what is larger is something else.
const MAX_BYTES: u64 = 1 << 20;

/// Flags that stand for no setting.
const NO_SETTINGS: [&str; 2] = ["config", "example_config"];

/// What is wrong with a configuration file, and where.
#[derive(Debug, thiserror::Error)]
#[error("the configuration file {} cannot be used: {reason}", path.display())]
pub struct ConfigFileError {
    path: PathBuf,
    reason: String,
}

impl Config {
    /// What the file says as further arguments of `voxpost serve`: all but what the flags or the environment, already
    /// read into `given`, say otherwise. Relative paths in it are relative to the working directory, as in flags.
    ///
    /// # Errors
    /// When the file cannot be read, is no TOML, or says something that no flag takes.
    pub fn arguments_of_file(path: &Path, given: &ArgMatches) -> Result<Vec<OsString>, ConfigFileError> {
        let failed = |reason| ConfigFileError {
            path: path.to_owned(),
            reason,
        };
        let text = read(path).map_err(failed)?;
        let settings = settings(&text).map_err(failed)?;
        check_alone(&settings).map_err(failed)?;
        let left_open = |id: &str| {
            !matches!(
                given.value_source(id),
                Some(ValueSource::CommandLine | ValueSource::EnvVariable)
            )
        };
        Ok(settings
            .into_iter()
            .filter(|setting| left_open(&setting.id))
            .flat_map(Setting::into_arguments)
            .collect())
    }
}

/// Every flag that is a setting, in the order of the help.
pub(super) fn flags() -> Vec<Arg> {
    let command = Config::augment_args(Command::new("serve"));
    let settings = command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some() && !NO_SETTINGS.contains(&arg.get_id().as_str()));
    settings.cloned().collect()
}

/// Whether the flag may be given several times.
pub(super) fn is_list(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Append)
}

struct Setting {
    id: String,
    flag: String,
    values: Vec<String>,
}

impl Setting {
    fn into_arguments(self) -> impl Iterator<Item = OsString> {
        let flag = self.flag;
        self.values
            .into_iter()
            .map(move |value| format!("--{flag}={value}").into())
    }
}

fn read(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_BYTES {
        return Err(format!("it has {size} bytes, which no configuration has"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

fn settings(text: &str) -> Result<Vec<Setting>, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let flags = flags();
    table
        .into_iter()
        .map(|(key, value)| {
            let flag = flags
                .iter()
                .find(|flag| flag.get_id().as_str() == key)
                .ok_or_else(|| unknown(&key, &flags))?;
            let values = match value {
                Value::Array(values) if is_list(flag) => {
                    values.iter().map(|value| scalar(&key, value)).collect()
                }
                Value::Table(_) if is_list(flag) => {
                    return Err(format!("`{key}` is a list: write [[{key}]] instead of [{key}]"));
                }
                value => scalar(&key, &value).map(|value| vec![value]),
            }?;
            Ok(Setting {
                id: key,
                flag: flag.get_long().unwrap_or_default().to_owned(),
                values,
            })
        })
        .collect()
}

fn unknown(key: &str, flags: &[Arg]) -> String {
    let known: Vec<_> = flags.iter().map(|flag| flag.get_id().as_str()).collect();
    if known.contains(&key.replace('-', "_").as_str()) {
        return format!(
            "`{key}` is written with underscores here: {}",
            key.replace('-', "_")
        );
    }
    format!("it has no setting `{key}`; there are: {}", known.join(", "))
}

/// As it would stand behind the flag. A table is `key=value,key=value`, the form of flags that take several things.
fn scalar(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::Table(table) => {
            let pairs: Result<Vec<_>, String> = table
                .iter()
                .map(|(name, value)| match value {
                    Value::String(text) if !text.contains([',', ';']) => Ok(format!("{name}={text}")),
                    _ => Err(format!(
                        "`{key}.{name}` must be text without commas and semicolons"
                    )),
                })
                .collect();
            pairs.map(|pairs| pairs.join(","))
        }
        other => Err(format!("`{key}` cannot be of the kind {}", other.type_str())),
    }
}

/// Reads the settings as if they were all that is given, so that what is wrong with one is told as the file's.
fn check_alone(settings: &[Setting]) -> Result<(), String> {
    let command = Config::augment_args(Command::new("serve").no_binary_name(true).disable_help_flag(true))
        .mut_args(|arg| arg.env(Resettable::Reset));
    let arguments = settings.iter().flat_map(|setting| {
        setting
            .values
            .iter()
            .map(|value| format!("--{}={value}", setting.flag))
    });
    command
        .try_get_matches_from(arguments)
        .map(|_| ())
        .map_err(|error| {
            let text = error.to_string();
            let lines = text.trim_start_matches("error: ").lines();
            lines
                .take_while(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    fn config(file: &str, line: &[&str]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("voxpost.toml");
        std::fs::write(&path, file).unwrap();
        let command = || Config::augment_args(Command::new("serve").no_binary_name(true));
        let mut arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        let given = command().get_matches_from(&arguments);
        let more = Config::arguments_of_file(&path, &given).map_err(|error| error.to_string())?;
        arguments.extend(more);
        let matches = command()
            .try_get_matches_from(arguments)
            .map_err(|error| error.to_string())?;
        Ok(Config::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn the_file_wins_over_the_default_and_a_flag_over_the_file() {
        let file = "listen = '127.0.0.1:9000'\nrate_requests = 7\nsign_up = 'closed'\nmax_duration_ms = 60_000\n\
                    trusted_proxy = ['10.0.0.0/8', '192.0.2.1']\n";
        let config = config(file, &["--rate-requests", "8", "--data-dir=elsewhere"]).unwrap();
        assert_eq!(config.listen.port(), 9000);
        assert_eq!(config.rate_requests, 8);
        assert_eq!(config.sign_up.as_str(), "closed");
        assert_eq!(config.max_duration_ms, 60_000);
        assert_eq!(config.trusted_proxy.len(), 2);
        assert_eq!(config.data_dir, Path::new("elsewhere"));
        assert_eq!(config.rate_messages, 10);
    }

    #[test]
    fn tables_are_the_settings_that_take_several_things() {
        let issuer = |name: &str| {
            format!(
                "[[jwt_issuer]]\nissuer = '{name}'\naudience = 'voxpost'\nalgorithm = 'HS256'\nsecret_file = '/run/{name}'\n"
            )
        };
        let config = config(&(issuer("https://a.example/?b=c") + &issuer("d")), &[]).unwrap();
        let given =
            |name: &str| format!("issuer={name},audience=voxpost,algorithm=HS256,secret_file=/run/{name}");
        let expected = [given("https://a.example/?b=c"), given("d")];
        assert_eq!(config.jwt_issuer, expected.map(|text| text.parse().unwrap()));
    }

    #[test]
    fn a_list_in_the_file_is_replaced_not_joined_by_the_flag() {
        let config = config(
            "trusted_proxy = ['10.0.0.0/8', '192.0.2.1']",
            &["--trusted-proxy=::1"],
        )
        .unwrap();
        assert_eq!(config.trusted_proxy, ["::1".parse().unwrap()]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file_and_key() {
        for (file, named) in [
            ("listen = ", "voxpost.toml"),
            ("lisen = '127.0.0.1:1'", "no setting `lisen`"),
            ("data-dir = 'x'", "data_dir"),
            ("listen = 'everywhere'", "--listen"),
            ("rate_requests = -1", "--rate-requests"),
            ("rate_requests = 1.5", "`rate_requests`"),
            ("listen = ['127.0.0.1:1']", "`listen`"),
            ("tls_cert = 'a.pem'", "--tls-key"),
            ("config = 'other.toml'", "no setting `config`"),
            ("[trusted_proxy]\na = 'b'", "[[trusted_proxy]]"),
            ("[[jwt_issuer]]\naudience = 'a'", "issuer is missing"),
            ("[[jwt_issuer]]\nissuer = 'a,b'", "`jwt_issuer.issuer`"),
        ] {
            let error = config(file, &[]).unwrap_err();
            assert!(error.contains(named), "{file}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let given = Config::augment_args(Command::new("serve")).get_matches_from(["serve"]);
        let error = Config::arguments_of_file(Path::new("/nowhere/voxpost.toml"), &given).unwrap_err();
        assert!(error.to_string().contains("/nowhere/voxpost.toml"));
    }
}
