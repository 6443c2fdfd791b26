//! Whose word on where a request comes from is believed.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// A network in which reverse proxies are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrustedProxy(IpNet);

impl FromStr for TrustedProxy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network
            .map(Self)
            .map_err(|_| "give an address such as 10.0.0.7 or a network such as 10.0.0.0/8")
    }
}

/// Where a request comes from: `peer`, unless that is a trusted proxy; then the last address in `X-Forwarded-For` that is
/// not one. What stands before that address was written by whoever sent the request.
pub(crate) fn client_address(trusted: &[TrustedProxy], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|TrustedProxy(net)| net.contains(&address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for hop in hops {
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            return client;
        };
        client = address.to_canonical();
        if !is_trusted(client) {
            return client;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<_> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        client_address(&trusted, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn nobodys_header_is_believed_by_default() {
        assert_eq!(address(&[], "192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(
            address(&["10.0.0.0/8"], "192.0.2.1", &["198.51.100.7"]),
            "192.0.2.1"
        );
    }

    #[test]
    fn the_last_address_that_no_trusted_proxy_has_is_the_client() {
        let trusted = ["10.0.0.0/8", "192.0.2.9"];
        assert_eq!(address(&trusted, "10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            address(&trusted, "10.0.0.1", &["1.1.1.1, 198.51.100.7 , 10.2.3.4"]),
            "198.51.100.7"
        );
        assert_eq!(
            address(
                &trusted,
                "::ffff:10.0.0.1",
                &["1.1.1.1", "198.51.100.7,192.0.2.9"]
            ),
            "198.51.100.7"
        );
        assert_eq!(address(&["fd00::/8"], "fd00::1", &["2001:db8::5"]), "2001:db8::5");
    }

    #[test]
    fn a_header_that_cannot_be_read_is_believed_only_up_to_there() {
        assert_eq!(address(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(
            address(&["10.0.0.0/8"], "10.0.0.1", &["198.51.100.7, nonsense, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert!("10.0.0.0/99".parse::<TrustedProxy>().is_err());
    }
}
