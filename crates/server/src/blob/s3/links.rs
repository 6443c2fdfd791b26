//! Links for people without keys: to fetch a sound from the store itself, to put an upload into it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use voxpost_audio::Rendition;

use super::presign::Request;
use super::{BlobError, S3};
use crate::blob::{Announced, Link, PUT_WITHIN_S};
use crate::clock;

/// Seconds. Who may hear a sound is looked at before the link is given; afterwards the store asks nobody.
const FETCH_WITHIN_S: u32 = 60;

impl S3 {
    pub(in crate::blob) fn redirects(&self) -> bool {
        self.0.redirect
    }

    pub(in crate::blob) fn origin_of_links(&self) -> String {
        self.0.presigner.origin()
    }

    pub(in crate::blob) async fn redirect(&self, key: &str, name: &str) -> Result<Option<String>, BlobError> {
        if !self.0.redirect {
            return Ok(None);
        }
        let format = name
            .rsplit_once('.')
            .and_then(|(_, format)| Rendition::by_name(format));
        let media_type = format.map_or("application/octet-stream", |format| format.media_type());
        let path = self.path(key);
        let request = Request {
            method: "GET",
            path: path.as_ref(),
            headers: &[],
            query: &[
                ("response-content-type", media_type.to_owned()),
                (
                    "response-content-disposition",
                    format!("inline; filename=\"{name}\""),
                ),
                ("response-cache-control", "private, max-age=60".to_owned()),
            ],
            expires_s: FETCH_WITHIN_S,
        };
        self.sign(&request).await.map(Some)
    }

    /// Size, type and hash are among the signed headers, so that a store that looks at them takes nothing else. What arrives
    /// is looked at all the same.
    pub(in crate::blob) async fn upload_link(&self, key: &str, what: &Announced) -> Result<Link, BlobError> {
        let path = self.path(key);
        let headers = vec![
            ("content-length", what.size_bytes.to_string()),
            ("content-type", what.media_type.clone()),
            ("x-amz-checksum-sha256", BASE64.encode(what.sha256)),
        ];
        let request = Request {
            method: "PUT",
            path: path.as_ref(),
            headers: &headers,
            query: &[],
            expires_s: PUT_WITHIN_S,
        };
        let url = self.sign(&request).await?;
        Ok(Link { url, headers })
    }

    async fn sign(&self, request: &Request<'_>) -> Result<String, BlobError> {
        let signed = self.0.presigner.sign(request, clock::now()).await;
        signed.map_err(|_| BlobError::Away {
            reason: "there are no keys to sign links with".to_owned(),
            retry_after: 5,
        })
    }
}
