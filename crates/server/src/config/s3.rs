//! Where the object store is, when it is not the data directory.

use std::fmt;
use std::str::FromStr;

use clap::{ArgAction, Args};
use reqwest::Url;

/// An object store that speaks S3. It is used when there is a bucket.
#[derive(Clone, Debug, Args)]
pub struct S3Config {
    /// Keep sounds in this bucket of an S3 store instead of the data directory. docs/storage.md has examples.
    #[arg(long, help_heading = "Object store (S3)", env = "VOXPOST_S3_BUCKET", value_parser = bucket)]
    pub(crate) s3_bucket: Option<String>,

    /// Begin every key with this, so that a bucket can be shared; one installation needs one of its own.
    #[arg(long, help_heading = "Object store (S3)", env = "VOXPOST_S3_PREFIX", default_value = "", value_parser = prefix)]
    pub(crate) s3_prefix: String,

    /// The address of the store, such as `https://s3.example.org`; AWS when neither this nor `AWS_ENDPOINT_URL` is given.
    #[arg(
        long,
        help_heading = "Object store (S3)",
        env = "VOXPOST_S3_ENDPOINT",
        value_name = "URL"
    )]
    pub(crate) s3_endpoint: Option<StoreUrl>,

    /// The address of the store as clients reach it, for signed links, where it is another one.
    #[arg(
        long,
        help_heading = "Object store (S3)",
        env = "VOXPOST_S3_PUBLIC_ENDPOINT",
        value_name = "URL"
    )]
    pub(crate) s3_public_endpoint: Option<StoreUrl>,

    /// The region, as the store calls itself; `AWS_REGION` when it is not given, else `us-east-1`.
    #[arg(long, help_heading = "Object store (S3)", env = "VOXPOST_S3_REGION")]
    pub(crate) s3_region: Option<String>,

    /// The access key. Without it `AWS_ACCESS_KEY_ID` and the like are taken, or the role of the machine.
    #[arg(
        long,
        help_heading = "Object store (S3)",
        env = "VOXPOST_S3_ACCESS_KEY",
        requires = "s3_secret_key"
    )]
    pub(crate) s3_access_key: Option<String>,

    /// The secret of the access key; better given in the environment, where other users of the machine cannot see it.
    #[arg(
        long,
        help_heading = "Object store (S3)",
        env = "VOXPOST_S3_SECRET_KEY",
        hide_env_values = true,
        requires = "s3_access_key"
    )]
    pub(crate) s3_secret_key: Option<Secret>,

    /// Whether the bucket stands in the path of an address (`https://host/bucket`) or before the host (`https://bucket.host`).
    #[arg(long, help_heading = "Object store (S3)", env = "VOXPOST_S3_PATH_STYLE", default_value_t = true, action = ArgAction::Set)]
    pub(crate) s3_path_style: bool,

    /// How long one request to the store may take, in milliseconds.
    #[arg(long, help_heading = "Object store (S3)", env = "VOXPOST_S3_TIMEOUT_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) s3_timeout_ms: u64,

    /// How long a request is repeated while the store fails, all attempts and pauses together, in milliseconds.
    #[arg(
        long,
        help_heading = "Object store (S3)",
        env = "VOXPOST_S3_RETRY_MS",
        default_value_t = 15_000
    )]
    pub(crate) s3_retry_ms: u64,

    /// How many requests to the store may be under way at once.
    #[arg(long, help_heading = "Object store (S3)", env = "VOXPOST_S3_CONCURRENCY", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) s3_concurrency: u32,

    /// How many requests to the store may wait for their turn; more are refused.
    #[arg(
        long,
        help_heading = "Object store (S3)",
        env = "VOXPOST_S3_QUEUE",
        default_value_t = 1024
    )]
    pub(crate) s3_queue: u32,

    /// Answer requests for sounds by a redirect to a link of the store that is good for a minute, so that listeners fetch them
    /// there.
    #[arg(long, help_heading = "Object store (S3)", env = "VOXPOST_S3_REDIRECT", default_value_t = false, action = ArgAction::Set)]
    pub(crate) s3_redirect: bool,
}

/// The address of a store: no path, no query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreUrl(pub(crate) Url);

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = text
            .parse()
            .map_err(|_| "give an address such as https://s3.example.org".to_owned())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && url.query().is_none()
            && url.username().is_empty()
            && url.has_host();
        if plain {
            Ok(Self(url))
        } else {
            Err("give scheme, host and port alone, such as https://s3.example.org".to_owned())
        }
    }
}

/// What must not be seen: it does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// As AWS allows them, and all others do.
fn bucket(text: &str) -> Result<String, String> {
    let fine = (3..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        && text.starts_with(|first: char| first.is_ascii_alphanumeric());
    fine.then(|| text.to_owned())
        .ok_or_else(|| "a bucket's name has 3 to 63 of a-z, 0-9, - and .".to_owned())
}

fn prefix(text: &str) -> Result<String, String> {
    let text = text.trim_matches('/');
    let fine = text.is_empty()
        || text.split('/').all(|part| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        });
    fine.then(|| text.to_owned()).ok_or_else(|| {
        "a prefix is made of names of a-z, A-Z, 0-9, -, _ and . with / between them".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret: Secret = "hunter2".parse().unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn addresses_buckets_and_prefixes_are_checked() {
        assert!("https://s3.example.org".parse::<StoreUrl>().is_ok());
        for wrong in [
            "s3.example.org",
            "ftp://a",
            "https://a/b",
            "https://a?b",
            "https://u@a",
        ] {
            assert!(wrong.parse::<StoreUrl>().is_err(), "{wrong}");
        }
        assert_eq!(prefix("/a/b-c/").unwrap(), "a/b-c");
        assert!(prefix("a//b").is_err() && prefix("../a").is_err() && prefix("a b").is_err());
        assert!(bucket("voxpost").is_ok() && bucket("Vox").is_err() && bucket("ab").is_err());
    }
}
