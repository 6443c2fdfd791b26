//! `--jwt-issuer`: one issuer of tokens, as the operator writes it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use jsonwebtoken::Algorithm;
use reqwest::Url;

/// An issuer whose tokens (JWT, RFC 7519) are taken: `issuer=…,audience=…,algorithm=…` and where its keys are.
///
/// It names files and addresses only, never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JwtIssuer {
    /// Exactly the token's `iss`.
    pub(super) issuer: String,
    /// Must be the token's `aud`, or among them.
    pub(super) audience: String,
    pub(super) algorithm: Algorithm,
    pub(super) keys: KeysAt,
    /// The claim that a new person's username is made from.
    pub(super) username_claim: String,
    /// The claim that becomes a new person's display name.
    pub(super) name_claim: String,
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeysAt {
    /// A file with the shared secret of HS256.
    SecretFile(PathBuf),
    /// A file with a JWK Set (RFC 7517 §5).
    JwksFile(PathBuf),
    /// The address of one.
    JwksUrl(Url),
}

impl JwtIssuer {
    /// As it stands in the example of a configuration file, below `#[[jwt_issuer]]`.
    pub(crate) const EXAMPLE: &str = r#"# Exactly what the tokens say in `iss`, and what must be in their `aud`.
#issuer = "https://id.example"
#audience = "voxpost"
# HS256 with secret_file (32 bytes or more); EdDSA, ES256 or RS256 with jwks_file or jwks_url (https).
#algorithm = "RS256"
#jwks_url = "https://id.example/.well-known/jwks.json"
# The claims that a new person's username and display name are made from.
#username_claim = "preferred_username"
#name_claim = "name"
"#;
}

/// What `--jwt-issuer` takes.
const KEYS: &str =
    "issuer, audience, algorithm, secret_file, jwks_file, jwks_url, username_claim, name_claim";

impl FromStr for JwtIssuer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut given = Given::read(text)?;
        let issuer = given.need("issuer")?;
        let audience = given.need("audience")?;
        let algorithm = algorithm(&given.need("algorithm")?)?;
        let sources = (
            given.take("secret_file"),
            given.take("jwks_file"),
            given.take("jwks_url"),
        );
        let keys = match sources {
            (Some(file), None, None) => KeysAt::SecretFile(file.into()),
            (None, Some(file), None) => KeysAt::JwksFile(file.into()),
            (None, None, Some(url)) => KeysAt::JwksUrl(jwks_url(&url)?),
            _ => return Err("give exactly one of secret_file, jwks_file and jwks_url".into()),
        };
        match (&keys, algorithm) {
            (KeysAt::SecretFile(_), Algorithm::HS256) => {}
            (KeysAt::SecretFile(_), _) => {
                return Err("secret_file goes with algorithm=HS256; give jwks_file or jwks_url".into());
            }
            (_, Algorithm::HS256) => {
                return Err("algorithm=HS256 takes its secret from secret_file, never from a JWK Set".into());
            }
            _ => {}
        }
        let claim = |name: Option<String>, default: &str| name.unwrap_or_else(|| default.to_owned());
        let setting = Self {
            issuer,
            audience,
            algorithm,
            keys,
            username_claim: claim(given.take("username_claim"), "preferred_username"),
            name_claim: claim(given.take("name_claim"), "name"),
        };
        match given.0.first() {
            None => Ok(setting),
            Some((key, _)) => Err(format!("“{key}” is not known here; there are: {KEYS}")),
        }
    }
}

/// The pairs that were not taken yet.
struct Given(Vec<(String, String)>);

impl Given {
    fn read(text: &str) -> Result<Self, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split(',') {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(format!(
                    "“{}” is no KEY=VALUE; write KEY=VALUE,KEY=VALUE",
                    pair.trim()
                ));
            };
            let (key, value) = (key.trim(), value.trim());
            if value.is_empty() {
                return Err(format!("{key} is empty"));
            }
            if pairs.iter().any(|(earlier, _)| earlier == key) {
                return Err(format!("{key} is given twice"));
            }
            pairs.push((key.to_owned(), value.to_owned()));
        }
        Ok(Self(pairs))
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    fn need(&mut self, key: &str) -> Result<String, String> {
        self.take(key).ok_or_else(|| format!("{key} is missing"))
    }
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    match name {
        "HS256" => Ok(Algorithm::HS256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        "ES256" => Ok(Algorithm::ES256),
        "RS256" => Ok(Algorithm::RS256),
        _ => Err(format!(
            "algorithm={name}: take one of HS256, EdDSA, ES256, RS256"
        )),
    }
}

/// Whoever can change the answer of this address can be anybody here: so TLS, except within this machine.
fn jwks_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("jwks_url is no address: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("jwks_url must hold no name or password: a JWK Set is public".into());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err("jwks_url must be https://, or http:// on a loopback address".into()),
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_read_in_any_order_with_its_defaults() {
        let text = "audience=voxpost, issuer=https://id.example/ ,algorithm=EdDSA,jwks_url=https://id.example/keys?a=b";
        let setting: JwtIssuer = text.parse().unwrap();
        assert_eq!(setting.issuer, "https://id.example/");
        assert_eq!(setting.algorithm, Algorithm::EdDSA);
        let url = Url::parse("https://id.example/keys?a=b").unwrap();
        assert_eq!(setting.keys, KeysAt::JwksUrl(url));
        assert_eq!(
            (setting.username_claim.as_str(), setting.name_claim.as_str()),
            ("preferred_username", "name")
        );
        let text =
            "issuer=a,audience=v,algorithm=HS256,secret_file=/run/s,username_claim=nick,name_claim=full";
        let setting: JwtIssuer = text.parse().unwrap();
        assert_eq!(setting.keys, KeysAt::SecretFile("/run/s".into()));
        assert_eq!(
            (setting.username_claim, setting.name_claim),
            ("nick".into(), "full".into())
        );
    }

    #[test]
    fn a_setting_that_cannot_be_meant_is_refused_with_the_word_to_change() {
        let base = "issuer=a,audience=v";
        for (rest, word) in [
            ("", "algorithm"),
            (",algorithm=none,jwks_file=k", "HS256"),
            (",algorithm=hs256,secret_file=s", "HS256"),
            (",algorithm=RS512,jwks_file=k", "RS256"),
            (",algorithm=RS256", "exactly one"),
            (",algorithm=RS256,jwks_file=k,jwks_url=https://a/k", "exactly one"),
            (",algorithm=RS256,secret_file=s", "HS256"),
            (",algorithm=HS256,jwks_file=k", "secret_file"),
            (",algorithm=HS256,jwks_url=https://a/k", "secret_file"),
            (",algorithm=RS256,jwks_url=http://id.example/k", "https"),
            (",algorithm=RS256,jwks_url=ftp://127.0.0.1/k", "https"),
            (",algorithm=RS256,jwks_url=keys.json", "address"),
            (",algorithm=RS256,jwks_url=https://me:pw@id.example/k", "password"),
            (",algorithm=RS256,jwks_file=k,audience=w", "twice"),
            (",algorithm=RS256,jwks_file=k,leeway=9", "leeway"),
            (",algorithm=RS256,jwks_file=", "jwks_file"),
            (",algorithm=RS256,jwks_file=k,", "KEY=VALUE"),
        ] {
            let refused = format!("{base}{rest}").parse::<JwtIssuer>().unwrap_err();
            assert!(refused.contains(word), "{rest}: {refused}");
        }
        for text in ["", "issuer=a", "audience=v,algorithm=RS256,jwks_file=k"] {
            assert!(text.parse::<JwtIssuer>().is_err(), "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for good in [
            "http://127.0.0.1:9/k",
            "http://[::1]:9/k",
            "http://localhost/k",
            "https://id.example/k",
        ] {
            assert!(jwks_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://127.0.0.1.evil.example/k",
            "http://localhost.evil.example/k",
            "http://10.0.0.1/k",
        ] {
            assert!(jwks_url(bad).is_err(), "{bad}");
        }
    }
}
