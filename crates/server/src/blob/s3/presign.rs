//! Links that let somebody without keys do one thing with one object: AWS Signature Version 4 in the query
//! ("Authenticating Requests: Using Query Parameters" of the S3 API).
//!
//! The library signs links too, but not the header `content-length`, which is what keeps an upload to its size.

use std::fmt::Write;

use hmac::{Hmac, Mac};
use object_store::aws::{AwsCredential, AwsCredentialProvider};
use reqwest::Url;
use sha2::{Digest, Sha256};
use voxpost_proto::Timestamp;

use crate::render;

/// What a link lets its holder do.
pub(super) struct Request<'a> {
    pub(super) method: &'static str,
    /// As the store has it.
    pub(super) path: &'a str,
    /// Headers that the holder must send just so, besides `host`; names in lower case.
    pub(super) headers: &'a [(&'static str, String)],
    /// Further parameters.
    pub(super) query: &'a [(&'static str, String)],
    pub(super) expires_s: u32,
}

/// Signs links with the keys of the store.
#[derive(Debug)]
pub(super) struct Presigner {
    base: Url,
    region: String,
    credentials: AwsCredentialProvider,
}

impl Presigner {
    /// `base` is the address below which the keys of the bucket are.
    pub(super) fn new(base: Url, region: String, credentials: AwsCredentialProvider) -> Self {
        Self {
            base,
            region,
            credentials,
        }
    }

    /// Where the links lead to: `https://host:port`.
    pub(super) fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// The link. The role of the machine may have to be asked for keys first.
    pub(super) async fn sign(&self, request: &Request<'_>, now: Timestamp) -> object_store::Result<String> {
        let credential = self.credentials.get_credential().await?;
        Ok(sign(&self.base, &self.region, &credential, request, now))
    }
}

fn sign(
    base: &Url,
    region: &str,
    credential: &AwsCredential,
    request: &Request<'_>,
    now: Timestamp,
) -> String {
    let time = basic(now);
    let scope = format!("{}/{region}/s3/aws4_request", &time[..8]);
    let host = match base.port() {
        Some(port) => format!("{}:{port}", base.host_str().unwrap_or_default()),
        None => base.host_str().unwrap_or_default().to_owned(),
    };
    let mut headers = vec![("host", host)];
    headers.extend(request.headers.iter().cloned());
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let mut query = vec![
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
        ("X-Amz-Credential", format!("{}/{scope}", credential.key_id)),
        ("X-Amz-Date", time.clone()),
        ("X-Amz-Expires", request.expires_s.to_string()),
        ("X-Amz-SignedHeaders", names.join(";")),
    ];
    query.extend(
        credential
            .token
            .iter()
            .map(|token| ("X-Amz-Security-Token", token.clone())),
    );
    query.extend(request.query.iter().cloned());
    query.sort();
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false)))
        .collect();
    let query = query.join("&");
    let path = format!("{}{}", base.path(), encode(request.path, true));
    let mut canonical = format!("{}\n{path}\n{query}\n", request.method);
    for (name, value) in &headers {
        let _ = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _ = write!(canonical, "\n{}\nUNSIGNED-PAYLOAD", names.join(";"));
    let hash = render::hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
    let mut key = mac(format!("AWS4{}", credential.secret_key).as_bytes(), &time[..8]);
    for part in [region, "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = render::hex(&mac(&key, &to_sign));
    let origin = base.origin().ascii_serialization();
    format!("{origin}{path}?{query}&X-Amz-Signature={signature}")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// `20130524T000000Z`: ISO 8601 in its basic form, without parts of a second.
fn basic(now: Timestamp) -> String {
    let text = now.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{digits}Z")
}

/// As SigV4 wants it: all but unreserved characters, in a path the slashes too.
fn encode(text: &str, path: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (path && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the S3 API's documentation, "Authenticating Requests: Using Query Parameters".
    #[test]
    fn the_documented_example_gets_its_documented_signature() {
        let credential = AwsCredential {
            key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let base: Url = "https://examplebucket.s3.amazonaws.com/".parse().unwrap();
        let request = Request {
            method: "GET",
            path: "test.txt",
            headers: &[],
            query: &[],
            expires_s: 86_400,
        };
        // 2013-05-24T00:00:00Z
        let now = Timestamp::from_millis(1_369_353_600_000);
        let url = sign(&base, "us-east-1", &credential, &request, now);
        let expected = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(url.ends_with(&format!("&X-Amz-Signature={expected}")), "{url}");
        assert!(url.starts_with("https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm="));
    }

    #[test]
    fn what_is_signed_is_in_order_and_encoded() {
        let credential = AwsCredential {
            key_id: "K".to_owned(),
            secret_key: "S".to_owned(),
            token: Some("a+b/c=".to_owned()),
        };
        let base: Url = "http://127.0.0.1:9000/voice/".parse().unwrap();
        let request = Request {
            method: "PUT",
            path: "a b/ü",
            headers: &[
                ("content-type", "audio/ogg".to_owned()),
                ("content-length", "5".to_owned()),
            ],
            query: &[("response-content-type", "audio/ogg; codecs=opus".to_owned())],
            expires_s: 60,
        };
        let url = sign(&base, "garage", &credential, &request, Timestamp::from_millis(0));
        assert!(
            url.starts_with("http://127.0.0.1:9000/voice/a%20b/%C3%BC?"),
            "{url}"
        );
        assert!(
            url.contains("X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost&"),
            "{url}"
        );
        assert!(url.contains("X-Amz-Security-Token=a%2Bb%2Fc%3D&"), "{url}");
        assert!(
            url.contains("&response-content-type=audio%2Fogg%3B%20codecs%3Dopus&"),
            "{url}"
        );
    }
}
