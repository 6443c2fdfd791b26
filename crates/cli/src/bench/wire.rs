//! HTTP/1.1 with the least effort on this side: the generator shares its processors with the server, so a request is one
//! buffer that was made beforehand, and of an answer only what is needed is looked at.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use voxpost_client::Uuid;

const BOUNDARY: &str = "voxpost-bench-4f1c8a";
/// An id is written over these, and has as many letters.
const ID: &str = "00000000-0000-0000-0000-000000000000";
/// An answer is never longer, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// A keep-alive connection.
pub(super) struct Wire {
    stream: TcpStream,
    answer: Vec<u8>,
    body_at: usize,
}

impl Wire {
    pub(super) async fn connect(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Vec::with_capacity(4096),
            body_at: 0,
        })
    }

    /// Sends a request and reads the answer; gives the status.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.send(request, &[]).await
    }

    /// The same with a body that is somewhere else in memory.
    pub(super) async fn send(&mut self, head: &[u8], body: &[u8]) -> io::Result<u16> {
        self.stream.write_all(head).await?;
        self.stream.write_all(body).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = Head::parse(&self.answer)?
                && self.answer.len() >= head.body_at + head.length
            {
                self.body_at = head.body_at;
                return Ok(head.status);
            }
            if self.answer.len() > MAX_ANSWER {
                return Err(invalid("the answer is too long"));
            }
        }
    }

    /// A header of the last answer.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let head = std::str::from_utf8(&self.answer[..self.body_at]).ok()?;
        let mut lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value.trim().to_owned())
    }

    /// The body of the last answer.
    pub(super) fn body(&self) -> &[u8] {
        &self.answer[self.body_at..]
    }
}

#[derive(Debug, PartialEq)]
struct Head {
    status: u16,
    length: usize,
    body_at: usize,
}

impl Head {
    /// `None` while the head is not whole.
    fn parse(answer: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&answer[..end]).map_err(|_| invalid("the head is no text"))?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| invalid("there is no status"))?;
        let length = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())
                .flatten()
        });
        let length = length.or((status == 204).then_some(0));
        let length = length.ok_or_else(|| invalid("there is no Content-Length"))?;
        Ok(Some(Self {
            status,
            length,
            body_at: end + 4,
        }))
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// A whole multipart request into which only the `client_id` is written anew each time.
pub(super) struct Template {
    request: Vec<u8>,
    id_at: usize,
}

impl Template {
    pub(super) fn new(authority: &str, token: &str, conversation: Uuid, sound: &[u8]) -> Self {
        let before = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\n{ID}\r\n\
             --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"voice\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let after = format!("\r\n--{BOUNDARY}--\r\n");
        let length = before.len() + sound.len() + after.len();
        let head = format!(
            "POST /v1/conversations/{conversation}/messages HTTP/1.1\r\nHost: {authority}\r\n\
             Authorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let id_at = head.len() + before.find(ID).unwrap_or(0);
        let request = [head.as_bytes(), before.as_bytes(), sound, after.as_bytes()].concat();
        Self { request, id_at }
    }

    /// The request with this `client_id`.
    pub(super) fn stamped(&mut self, id: Uuid) -> &[u8] {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = id.hyphenated().encode_lower(&mut text);
        self.request[self.id_at..self.id_at + ID.len()].copy_from_slice(text.as_bytes());
        &self.request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_announces_its_true_length_and_carries_the_id_once() {
        let mut template = Template::new("127.0.0.1:1", "t", Uuid::nil(), b"sound");
        let id = Uuid::from_u128(0x0192_f0c1_0000_7000_8000_0000_0000_0042);
        let request = String::from_utf8(template.stamped(id).to_vec()).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let length = format!("Content-Length: {}", body.len());
        assert!(head.contains(&length), "{head}");
        assert_eq!(body.matches(&id.to_string()).count(), 1);
        assert!(body.contains("\r\n\r\nsound\r\n--"));
    }

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let whole = b"HTTP/1.1 201 Created\r\nx: y\r\ncontent-length: 2\r\n\r\n{}";
        for cut in 0..whole.len() - 2 {
            assert_eq!(Head::parse(&whole[..cut]).unwrap(), None);
        }
        let head = Head::parse(whole).unwrap();
        assert_eq!(
            head,
            Some(Head {
                status: 201,
                length: 2,
                body_at: whole.len() - 2
            })
        );
        assert_eq!(
            Head::parse(b"HTTP/1.1 204 No Content\r\n\r\n")
                .unwrap()
                .unwrap()
                .length,
            0
        );
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Head::parse(b"nonsense\r\n\r\n").is_err());
    }
}
