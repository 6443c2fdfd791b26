//! Tokens of other issuers: which are taken, and whom they stand for.
//!
//! A token chooses its issuer by `iss`, which proves nothing yet; from there on only what the operator configured for that
//! issuer counts: one algorithm, its keys, one audience. What the token's header says about keys (`jku`, `jwk`, `x5u`, `x5c`)
//! is never looked at.

mod claims;
mod keys;
mod remote;
mod ring;
mod setting;

use std::path::Path;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use voxpost_proto::Timestamp;

use claims::Claims;
use keys::KeySet;
use remote::{NoKeys, Remote};
use setting::KeysAt;

pub(crate) use setting::JwtIssuer;

/// The largest key file; a JWK Set of some keys has a few KiB.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The configured issuers.
pub(crate) struct Issuers(Vec<Issuer>);

struct Issuer {
    setting: JwtIssuer,
    keys: Keys,
}

enum Keys {
    Fixed(KeySet),
    Remote(Remote),
}

/// Whom a good token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) expires_at: Timestamp,
    /// What the issuer calls them; a wish, no more.
    pub(crate) username: Option<String>,
    pub(crate) name: Option<String>,
}

/// Why a token stands for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is no good; the text completes "The token is not taken: …".
    Wrong(&'static str),
    /// Nobody can tell: the issuer's keys are out of reach.
    NoKeys,
}

impl Issuers {
    /// Reads the key files, begins to fetch the keys that are elsewhere. The error names the issuer and says what to change.
    pub(crate) fn open(settings: &[JwtIssuer]) -> Result<Self, String> {
        ring::install();
        let mut issuers: Vec<Issuer> = Vec::new();
        for setting in settings {
            let name = &setting.issuer;
            if issuers.iter().any(|other| other.setting.issuer == *name) {
                return Err(format!("{name}: this issuer is configured twice"));
            }
            let keys = Keys::open(setting).map_err(|error| format!("{name}: {error}"))?;
            issuers.push(Issuer {
                setting: setting.clone(),
                keys,
            });
        }
        Ok(Self(issuers))
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whom a token stands for at `now`.
    pub(crate) async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, Refused> {
        #[derive(Deserialize)]
        struct Claimed {
            iss: String,
        }
        let claimed: Claimed = dangerous::insecure_decode_claims(token)
            .map_err(|_| Refused::Wrong("it is no JWT with an issuer (`iss`)"))?;
        let issuer = self
            .0
            .iter()
            .find(|issuer| issuer.setting.issuer == claimed.iss)
            .ok_or(Refused::Wrong("its issuer is not configured here"))?;
        issuer.verify(token, now).await
    }
}

impl Issuer {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, Refused> {
        let setting = &self.setting;
        let header =
            decode_header(token).map_err(|_| Refused::Wrong("its header or algorithm is unknown"))?;
        if header.alg != setting.algorithm {
            return Err(Refused::Wrong("its algorithm is not the configured one"));
        }
        // RFC 7515 §4.1.11: whoever does not understand what is critical must refuse; none of it is understood here.
        if header.crit.is_some() {
            return Err(Refused::Wrong("its header has critical extensions"));
        }
        let key = match self.keys.key(header.kid.as_deref()).await {
            Ok(Some(key)) => key,
            Ok(None) => return Err(Refused::Wrong("its key (`kid`) is unknown")),
            Err(NoKeys) => return Err(Refused::NoKeys),
        };
        let claims = read(token, &key, setting.algorithm)?;
        claims
            .check(&setting.issuer, &setting.audience, now)
            .map_err(Refused::Wrong)?;
        let text = |name: &str| claims.text(name).map(str::to_owned);
        Ok(Identity {
            issuer: setting.issuer.clone(),
            subject: claims.subject().to_owned(),
            expires_at: claims.expires_at(),
            username: text(&setting.username_claim),
            name: text(&setting.name_claim),
        })
    }
}

/// The claims of a token whose signature is good.
fn read(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Claims, Refused> {
    use jsonwebtoken::errors::ErrorKind;
    let mut only_signature = Validation::new(algorithm);
    only_signature.required_spec_claims.clear();
    // Ours takes the time as an argument, and every claim as required.
    only_signature.validate_exp = false;
    only_signature.validate_aud = false;
    match decode::<Claims>(token, key, &only_signature) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(Refused::Wrong(match error.kind() {
            ErrorKind::Json(_) => "it lacks `iss`, `sub`, `aud` or `exp`, or one is not as it should be",
            _ => "its signature is wrong",
        })),
    }
}

impl Keys {
    fn open(setting: &JwtIssuer) -> Result<Self, String> {
        match &setting.keys {
            KeysAt::SecretFile(path) => from_file(path, KeySet::secret).map(Self::Fixed),
            KeysAt::JwksFile(path) => {
                from_file(path, |document| KeySet::public(document, setting.algorithm)).map(Self::Fixed)
            }
            KeysAt::JwksUrl(url) => Remote::start(&setting.issuer, url, setting.algorithm).map(Self::Remote),
        }
    }

    async fn key(&self, kid: Option<&str>) -> Result<Option<DecodingKey>, NoKeys> {
        match self {
            Self::Fixed(keys) => Ok(keys.get(kid).cloned()),
            Self::Remote(remote) => remote.key(kid).await,
        }
    }
}

fn from_file(path: &Path, parse: impl Fn(&[u8]) -> Result<KeySet, String>) -> Result<KeySet, String> {
    use std::io::Read;
    let mut content = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut content))
        .map_err(|error| error.to_string())
        .and_then(|_| parse(&content))
        .map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
