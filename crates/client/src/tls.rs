//! Whom the client trusts: the system's authorities, or one certificate by its fingerprint.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use sha2::{Digest, Sha256};

/// The SHA-256 digest of a server's certificate (DER), as `voxpost serve --tls self-signed` prints it.
///
/// Read from 64 hexadecimal digits of either case, with or without colons between the bytes and with or without
/// `sha256:` in front.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

/// The text is not a SHA-256 fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a certificate fingerprint is 64 hexadecimal digits, with or without colons")]
pub struct InvalidFingerprint;

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let text = text.trim();
        let digits = text
            .strip_prefix("sha256:")
            .or_else(|| text.strip_prefix("SHA256:"))
            .unwrap_or(text);
        let mut nibbles = digits.chars().filter(|&c| c != ':').map(|c| c.to_digit(16));
        let mut bytes = [0; 32];
        for byte in &mut bytes {
            let (Some(Some(high)), Some(Some(low))) = (nibbles.next(), nibbles.next()) else {
                return Err(InvalidFingerprint);
            };
            *byte = (high << 4 | low) as u8;
        }
        nibbles
            .next()
            .is_none()
            .then_some(Self(bytes))
            .ok_or(InvalidFingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Trust in the system's authorities, for servers with a certificate from one of them.
pub(crate) fn system_roots() -> Result<ClientConfig, rustls::Error> {
    Ok(builder()?.with_platform_verifier()?.with_no_client_auth())
}

/// Trust in exactly one certificate, whatever name and dates it carries.
pub(crate) fn pinned(fingerprint: Fingerprint) -> Result<ClientConfig, rustls::Error> {
    let verifier = Pinned {
        fingerprint,
        algorithms: ring::default_provider().signature_verification_algorithms,
    };
    Ok(builder()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// Trust in nobody, for plain `http://`: so that a machine without any authorities can still talk to its own server.
pub(crate) fn none() -> Result<ClientConfig, rustls::Error> {
    Ok(builder()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, rustls::Error> {
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}

/// Accepts one certificate. The handshake's signature is still checked, so that only the holder of its key gets through.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if Fingerprint::of(end_entity) == self.fingerprint {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_in_every_usual_way_of_writing_it() {
        let fingerprint = Fingerprint::of(b"certificate");
        let colons = fingerprint.to_string();
        let plain = colons.replace(':', "").to_lowercase();
        for text in [
            colons.clone(),
            plain.clone(),
            format!("sha256:{plain}"),
            format!(" SHA256:{colons}\n"),
        ] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
        }
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let plain = Fingerprint::of(b"x").to_string().replace(':', "");
        for text in [
            "",
            "AB:CD",
            &plain[1..],
            &format!("{plain}0"),
            &plain.replacen(|_| true, "g", 1),
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(InvalidFingerprint), "{text}");
        }
    }

    #[test]
    fn only_the_pinned_certificate_is_accepted() {
        let verifier = Pinned {
            fingerprint: Fingerprint::of(b"right"),
            algorithms: ring::default_provider().signature_verification_algorithms,
        };
        let verify = |der: &'static [u8]| {
            let name = ServerName::try_from("example.org").unwrap();
            verifier.verify_server_cert(&CertificateDer::from(der), &[], &name, &[], UnixTime::now())
        };
        assert!(verify(b"right").is_ok());
        assert!(verify(b"wrong").is_err());
    }
}
