//! HTTPS: with a certificate of the operator, or with one of our own that is made once and kept.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::config::{Config, TlsMode};
use crate::render::hex;

/// Where certificate and key are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// SHA-256 over the DER, in hex; of our own certificate only.
    pub(crate) fingerprint: Option<String>,
}

/// What the configuration asks for; None for plain HTTP.
pub(crate) fn certificate(config: &Config) -> io::Result<Option<Certificate>> {
    match (&config.tls_cert, &config.tls_key, config.tls) {
        (Some(cert), Some(key), _) => Ok(Some(Certificate {
            cert: cert.clone(),
            key: key.clone(),
            fingerprint: None,
        })),
        (_, _, Some(TlsMode::SelfSigned)) => self_signed(&config.data_dir).map(Some),
        _ => Ok(None),
    }
}

/// Makes certificate and key in the data directory (0600), or takes those that are there.
fn self_signed(data_dir: &Path) -> io::Result<Certificate> {
    let dir = data_dir.join("keys");
    let (cert, key) = (dir.join("tls.crt"), dir.join("tls.key"));
    if !cert.is_file() || !key.is_file() {
        fs::create_dir_all(&dir)?;
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.extend(lan_address().map(|address| address.to_string()));
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        write_private(&key, &made.signing_key.serialize_pem())?;
        write_private(&cert, &made.cert.pem())?;
    }
    let pem = fs::read_to_string(&cert)?;
    Ok(Certificate {
        fingerprint: Some(fingerprint(&pem)?),
        cert,
        key,
    })
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn fingerprint(pem: &str) -> io::Result<String> {
    let body: String = pem
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN CERTIFICATE"))
        .skip(1)
        .take_while(|line| !line.starts_with("-----END"))
        .collect();
    let der = STANDARD.decode(body.trim()).map_err(io::Error::other)?;
    Ok(hex(&Sha256::digest(der)))
}

/// Where other devices of the network find this machine when it listens everywhere, else where it listens.
pub(crate) fn urls(listening: SocketAddr) -> impl Iterator<Item = String> {
    let address = if listening.ip().is_unspecified() {
        lan_address()
    } else {
        Some(listening.ip())
    };
    let url = address.map(|ip| format!("https://{}", SocketAddr::new(ip, listening.port())));
    url.into_iter()
}

/// The address that a connection to elsewhere would come from. A UDP socket that is connected sends nothing.
fn lan_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = self_signed(dir.path()).unwrap();
        assert_eq!(self_signed(dir.path()).unwrap(), first);
        assert_eq!(first.fingerprint.as_ref().map(String::len), Some(64));
        #[cfg(unix)]
        for path in [&first.cert, &first.key] {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
