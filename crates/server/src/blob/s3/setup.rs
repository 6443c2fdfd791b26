//! From the settings to a client of the store.

use std::sync::Arc;
use std::time::Duration;

use object_store::RetryConfig;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use reqwest::Url;

use super::super::guard::Limits;
use super::http::Connector;
use super::presign::Presigner;
use crate::config::S3Config;

const DEFAULT_REGION: &str = "us-east-1";

pub(super) fn limits(config: &S3Config) -> Limits {
    Limits {
        timeout: Duration::from_millis(config.s3_timeout_ms),
        retry: Duration::from_millis(config.s3_retry_ms),
        concurrency: config.s3_concurrency as usize,
        queue: config.s3_queue as usize,
    }
}

/// The client and what signs links. What our own settings leave open comes from `AWS_…` in the environment; without keys
/// there the library asks for the role of the machine.
pub(super) fn connect(config: &S3Config, bucket: &str) -> Result<(AmazonS3, Presigner), String> {
    let told = |error: object_store::Error| error.to_string();
    let mut builder = AmazonS3Builder::from_env();
    let from_environment = |key: AmazonS3ConfigKey| builder.get_config_value(&key);
    let region = config
        .s3_region
        .clone()
        .or_else(|| from_environment(AmazonS3ConfigKey::Region))
        .or_else(|| from_environment(AmazonS3ConfigKey::DefaultRegion))
        .unwrap_or_else(|| DEFAULT_REGION.to_owned());
    let endpoint = match &config.s3_endpoint {
        Some(url) => url.0.clone(),
        None => {
            let text = std::env::var("AWS_ENDPOINT_URL_S3")
                .or_else(|_| std::env::var("AWS_ENDPOINT_URL"))
                .unwrap_or_else(|_| format!("https://s3.{region}.amazonaws.com"));
            text.parse().map_err(|_| "AWS_ENDPOINT_URL is no address")?
        }
    };
    let base = base(&endpoint, bucket, config.s3_path_style)?;
    // The library puts the bucket into the path by itself, and not before the host.
    let library = if config.s3_path_style {
        endpoint.as_str().trim_end_matches('/').to_owned()
    } else {
        base.as_str().trim_end_matches('/').to_owned()
    };
    builder = builder
        .with_bucket_name(bucket)
        .with_region(&region)
        // The environment may name another one under this key, which would win.
        .with_config(AmazonS3ConfigKey::S3Endpoint, library)
        .with_virtual_hosted_style_request(!config.s3_path_style)
        .with_allow_http(endpoint.scheme() == "http")
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        })
        // Deleting many by one request is not known to every store.
        .with_disable_bulk_delete(true)
        .with_http_connector(Connector::new(&endpoint)?);
    if let (Some(key), Some(secret)) = (&config.s3_access_key, &config.s3_secret_key) {
        builder = builder
            .with_access_key_id(key)
            .with_secret_access_key(secret.reveal());
    }
    let store = builder.build().map_err(told)?;
    let public = match &config.s3_public_endpoint {
        Some(url) => self::base(&url.0, bucket, config.s3_path_style)?,
        None => base,
    };
    let credentials = Arc::clone(store.credentials());
    Ok((store, Presigner::new(public, region, credentials)))
}

/// The address below which the keys of the bucket are; ends in `/`.
fn base(endpoint: &Url, bucket: &str, path_style: bool) -> Result<Url, String> {
    let mut url = endpoint.clone();
    if path_style {
        url.set_path(&format!("{bucket}/"));
    } else {
        let host = url.host_str().unwrap_or_default();
        let host = format!("{bucket}.{host}");
        url.set_host(Some(&host))
            .map_err(|error| format!("{host} is no host: {error}"))?;
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_stands_in_the_path_or_before_the_host() {
        let endpoint: Url = "https://s3.example.org:9000".parse().unwrap();
        let in_path = base(&endpoint, "voice", true).unwrap();
        assert_eq!(in_path.as_str(), "https://s3.example.org:9000/voice/");
        let before = base(&endpoint, "voice", false).unwrap();
        assert_eq!(before.as_str(), "https://voice.s3.example.org:9000/");
    }
}
