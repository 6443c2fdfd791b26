//! Which sites' pages may use the server.

use std::str::FromStr;

/// A site as browsers name it in `Origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AllowedOrigin {
    /// Every site. Tokens are never sent by browsers on their own, so this lets no page act for a person whom it does not
    /// have the token of.
    Any,
    /// This one: scheme, host and, unless it is the scheme's own, the port.
    Site(String),
}

impl FromStr for AllowedOrigin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "give a scheme and a host, such as https://app.example or http://localhost:3000, or *";
        if text == "*" {
            return Ok(Self::Any);
        }
        let (scheme, authority) = text.split_once("://").ok_or(FORM)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if !matches!(scheme, "http" | "https") || authority.is_empty() || !authority.chars().all(plain) {
            return Err(FORM);
        }
        Ok(Self::Site(text.to_ascii_lowercase()))
    }
}

impl AllowedOrigin {
    /// Whether this is what a browser sent.
    pub(crate) fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Site(site) => site.eq_ignore_ascii_case(origin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_more() {
        let site = "https://App.example:8443".parse::<AllowedOrigin>().unwrap();
        assert!(site.matches("https://app.example:8443"));
        assert!(!site.matches("https://app.example"));
        assert!(!site.matches("http://app.example:8443"));
        for wrong in [
            "",
            "app.example",
            "https://",
            "https://a/b",
            "ftp://a",
            "https://a b",
            "null",
        ] {
            assert!(wrong.parse::<AllowedOrigin>().is_err(), "{wrong}");
        }
        assert!("*".parse::<AllowedOrigin>().unwrap().matches("null"));
    }
}
