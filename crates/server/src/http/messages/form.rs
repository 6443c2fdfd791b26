//! The multipart form of a message: text fields first, then the sound, streamed into a spool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use uuid::Uuid;
use voxpost_proto::ErrorCode;

use crate::error::{ApiError, ApiResult};
use crate::ingest::{Spooler, Upload};

/// What text fields, part headers and boundaries may take beside the sound.
pub(super) const OVERHEAD: u64 = 64 << 10;

const MAX_ID_BYTES: usize = 64;
const MAX_WAVEFORM_BYTES: usize = 4096;
const MAX_CAPTION_BYTES: usize = 8192;
const MAX_CAPTION_CHARS: usize = 2000;
const MAX_WAVEFORM_POINTS: usize = 256;
const MAX_WAVEFORM_VALUE: u16 = 1024;

/// The fields beside the sound.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) client_id: Option<Uuid>,
    pub(super) reply_to: Option<Uuid>,
    pub(super) caption: Option<String>,
    /// What the sender says that it looks like, as JSON.
    pub(super) waveform: Option<String>,
}

/// A body that is read part by part.
pub(super) struct Form {
    multipart: multer::Multipart<'static>,
    meter: Arc<Meter>,
    max_audio_bytes: u64,
}

/// What both ends of the parser know of each other.
#[derive(Default)]
struct Meter {
    /// Bytes that came out as fields.
    taken: AtomicU64,
    /// Nobody wants the rest; the bound on the whole is lifted.
    draining: AtomicBool,
}

impl Form {
    /// `content_type` names the boundary.
    pub(super) fn new(content_type: &str, body: Body, max_audio_bytes: u64) -> ApiResult<Self> {
        let boundary = multer::parse_boundary(content_type).map_err(|_| not_multipart())?;
        let meter = Arc::new(Meter::default());
        let body = bounded(body, meter.clone(), max_audio_bytes + OVERHEAD);
        Ok(Self {
            multipart: multer::Multipart::new(body, boundary),
            meter,
            max_audio_bytes,
        })
    }

    /// Reads the whole form. `expected` is about how large the sound will be.
    pub(super) async fn read(&mut self, spooler: &Spooler, expected: usize) -> ApiResult<(Fields, Upload)> {
        let mut fields = Fields::default();
        let mut sound = None;
        while let Some(mut field) = self
            .multipart
            .next_field()
            .await
            .map_err(|error| broken(&error))?
        {
            let name = field.name().unwrap_or_default().to_owned();
            if name == "audio" {
                if sound.is_some() {
                    return Err(ApiError::invalid("There are two `audio` fields. Send one."));
                }
                let mut spool = spooler.spool(expected);
                while let Some(chunk) = next(&mut field, &self.meter).await? {
                    if spool.len() + chunk.len() as u64 > self.max_audio_bytes {
                        return Err(too_large(self.max_audio_bytes));
                    }
                    spool.write(&chunk).await?;
                }
                sound = Some(spool.finish().await?);
                continue;
            }
            let limit = match name.as_str() {
                "client_id" | "reply_to" => MAX_ID_BYTES,
                "caption" => MAX_CAPTION_BYTES,
                "waveform" => MAX_WAVEFORM_BYTES,
                // Fields of later versions are passed over.
                _ => {
                    while next(&mut field, &self.meter).await?.is_some() {}
                    continue;
                }
            };
            if sound.is_some() {
                return Err(ApiError::invalid(format!(
                    "`{name}` comes after `audio`. Send the text fields first."
                )));
            }
            let mut text = Vec::new();
            while let Some(chunk) = next(&mut field, &self.meter).await? {
                if text.len() + chunk.len() > limit {
                    return Err(ApiError::invalid(format!(
                        "`{name}` may have {limit} bytes at most."
                    )));
                }
                text.extend_from_slice(&chunk);
            }
            let text =
                String::from_utf8(text).map_err(|_| ApiError::invalid(format!("`{name}` must be UTF-8.")))?;
            fields.set(&name, &text)?;
        }
        match sound {
            Some(sound) => Ok((fields, sound)),
            None => Err(ApiError::invalid("The field `audio` with the sound is missing.")),
        }
    }

    /// Reads on and throws away, so that a client that only listens after sending hears the answer.
    pub(super) async fn drain(mut self) {
        self.meter.draining.store(true, Ordering::Relaxed);
        while let Ok(Some(mut field)) = self.multipart.next_field().await {
            while let Ok(Some(_)) = next(&mut field, &self.meter).await {}
        }
    }
}

impl Fields {
    fn set(&mut self, name: &str, text: &str) -> ApiResult<()> {
        let again = match name {
            "client_id" => self.client_id.replace(uuid(name, text)?).is_some(),
            "reply_to" if text.is_empty() => false,
            "reply_to" => self.reply_to.replace(uuid(name, text)?).is_some(),
            "caption" => {
                let before = self.caption.take();
                self.caption = caption(text)?;
                before.is_some()
            }
            _ if text.is_empty() => false,
            _ => self.waveform.replace(waveform(text)?).is_some(),
        };
        if again {
            return Err(ApiError::invalid(format!(
                "There are two `{name}` fields. Send one."
            )));
        }
        Ok(())
    }
}

pub(super) fn uuid(name: &str, text: &str) -> ApiResult<Uuid> {
    Uuid::try_parse(text.trim()).map_err(|_| ApiError::invalid(format!("`{name}` must be a UUID.")))
}

/// Trimmed; no words are none. Line breaks are all that is taken of control characters.
pub(crate) fn caption(text: &str) -> ApiResult<Option<String>> {
    let text = text.trim();
    if text.chars().count() > MAX_CAPTION_CHARS {
        return Err(ApiError::invalid(format!(
            "`caption` may have {MAX_CAPTION_CHARS} characters at most."
        )));
    }
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t' && c != '\r')
    {
        return Err(ApiError::invalid("`caption` may not have control characters."));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn waveform(text: &str) -> ApiResult<String> {
    let points: Vec<u16> = serde_json::from_str(text)
        .ok()
        .filter(|points: &Vec<u16>| {
            (1..=MAX_WAVEFORM_POINTS).contains(&points.len()) && points.iter().all(|p| *p <= MAX_WAVEFORM_VALUE)
        })
        .ok_or_else(|| {
            ApiError::invalid(format!(
                "`waveform` must be a JSON array of 1 to {MAX_WAVEFORM_POINTS} integers from 0 to {MAX_WAVEFORM_VALUE}."
            ))
        })?;
    serde_json::to_string(&points).map_err(ApiError::internal)
}

/// The next piece of a field. A body that brings nothing any more ends with an error, as every body does here.
async fn next(field: &mut multer::Field<'static>, meter: &Meter) -> ApiResult<Option<Bytes>> {
    let chunk = field.chunk().await.map_err(|error| broken(&error))?;
    if let Some(chunk) = &chunk {
        meter.taken.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    Ok(chunk)
}

/// A body that ends with an error when it is too long, or when much of it went into anything but fields: the parser would
/// hold headers without end in memory.
fn bounded(
    body: Body,
    meter: Arc<Meter>,
    limit: u64,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static {
    let mut body = body.into_data_stream();
    let (mut read, mut pause) = (0_u64, false);
    stream::poll_fn(move |context| {
        // The parser reads as long as something is there, before it gives anything out: a pause after each piece keeps what it
        // holds to one piece.
        if std::mem::take(&mut pause) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(chunk) = ready!(body.poll_next_unpin(context)) else {
            return Poll::Ready(None);
        };
        let Ok(chunk) = chunk else {
            return Poll::Ready(Some(Err(BodyError::Cut)));
        };
        pause = true;
        let unread = read - meter.taken.load(Ordering::Relaxed).min(read);
        read += chunk.len() as u64;
        // What is passed over unread comes out as no field, so it does not count there either.
        let draining = meter.draining.load(Ordering::Relaxed);
        if read > limit && !draining {
            return Poll::Ready(Some(Err(BodyError::TooLarge(limit - OVERHEAD))));
        }
        if unread > OVERHEAD && !draining {
            return Poll::Ready(Some(Err(BodyError::NoFields)));
        }
        Poll::Ready(Some(Ok(chunk)))
    })
}

#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("the connection ended in the middle")]
    Cut,
    #[error("the body is too large")]
    TooLarge(u64),
    #[error("too much beside the fields")]
    NoFields,
}

fn broken(error: &multer::Error) -> ApiError {
    if let multer::Error::StreamReadFailed(cause) = error
        && let Some(BodyError::TooLarge(limit)) = cause.downcast_ref()
    {
        return too_large(*limit);
    }
    ApiError::invalid(format!("The multipart body cannot be read: {error}."))
}

pub(super) fn too_large(max_audio_bytes: u64) -> ApiError {
    ApiError::new(
        ErrorCode::AudioTooLarge,
        format!("A file may have {max_audio_bytes} bytes at most (max_multipart_bytes)."),
    )
}

fn not_multipart() -> ApiError {
    ApiError::invalid(
        "Send `multipart/form-data` with the sound in the field `audio`, or JSON with `upload_id`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part that is refused near its beginning, in pieces as they come from a network; and how many of them were read.
    fn long_part() -> (Body, Arc<AtomicU64>) {
        let read = Arc::new(AtomicU64::new(0));
        let count = read.clone();
        let head = "--b\r\nContent-Disposition: form-data; name=\"reply_to\"\r\n\r\n".to_owned();
        let pieces = std::iter::once(head)
            .chain(std::iter::repeat_n("x".repeat(16 << 10), 200))
            .chain(["\r\n--b--\r\n".to_owned()])
            .inspect(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
        let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, std::convert::Infallible>)));
        (body, read)
    }

    #[tokio::test]
    async fn what_was_refused_in_its_middle_is_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let spooler = Spooler::new(dir.path().to_owned());
        let (body, read) = long_part();
        let mut form = Form::new("multipart/form-data; boundary=b", body, 1 << 20).unwrap();
        let error = form.read(&spooler, 0).await.err().unwrap();
        assert!(error.problem().detail.contains("reply_to"));
        assert!(read.load(Ordering::Relaxed) < 10);
        form.drain().await;
        assert_eq!(read.load(Ordering::Relaxed), 202);
    }
}
