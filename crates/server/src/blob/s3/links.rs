//! Links for people without keys: to fetch a sound from the store itself, to put an upload into it.

use voxpost_audio::Rendition;

use super::presign::Request;
use super::{BlobError, S3};
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

    async fn sign(&self, request: &Request<'_>) -> Result<String, BlobError> {
        let signed = self.0.presigner.sign(request, clock::now()).await;
        signed.map_err(|_| BlobError::Away {
            reason: "there are no keys to sign links with".to_owned(),
            retry_after: 5,
        })
    }
}
