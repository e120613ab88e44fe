//! Identifies clients: the one definition of what counts as one client, used by all budgets per client.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The prefix length of an IPv6 network that counts as one client, because one machine may use every address in it.
const IPV6_PREFIX: u32 = 64;

/// A client; all its requests share its budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Client {
    /// An IPv4 address, or the first of an IPv6 network of 64 bits.
    Address(IpAddr),
    /// Who has signed in, from wherever; a hash of the name is enough to tell users apart.
    User(u64),
}

impl Client {
    /// The client that a user is.
    #[must_use]
    pub fn user(name: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self::User(hasher.finish())
    }
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => masked_v6(address, IPV6_PREFIX).into(),
        })
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address @ IpAddr::V4(_)) => address.fmt(f),
            Self::Address(address @ IpAddr::V6(_)) => write!(f, "{address}/{IPV6_PREFIX}"),
            Self::User(user) => write!(f, "user {user:x}"),
        }
    }
}

/// Proxies that are trusted in what they say of clients and users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedProxies(Vec<Network>);

/// An address, or a network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

/// The text is not a list of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "expected addresses and networks such as 127.0.0.1, 172.16.0.0/12 or fd00::/8 with commas between, found {found:?}"
)]
pub struct InvalidNetwork {
    found: String,
}

impl TrustedProxies {
    /// Whether an address belongs to a trusted proxy.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address.to_canonical()))
    }

    /// The client of a connection: the peer, or if that is a trusted proxy, the nearest hop in `X-Forwarded-For` that is not one. The
    /// header's entries are in the order of the hops, the nearest last. Entries before one that is not an address are ignored, because
    /// the client may have made them up.
    #[must_use]
    pub fn client(&self, peer: IpAddr, forwarded_for: &str) -> Client {
        let mut hop = peer;
        for entry in forwarded_for.rsplit(',') {
            match parse_hop(entry.trim()) {
                Some(before) if self.contains(hop) => hop = before,
                _ => break,
            }
        }
        hop.into()
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for TrustedProxies {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        text.parse()
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => masked_v4(address, self.prefix) == network,
            (IpAddr::V6(network), IpAddr::V6(address)) => masked_v6(address, self.prefix) == network,
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let wrong = || InvalidNetwork { found: text.to_owned() };
        let (address, prefix) = text.split_once('/').map_or((text, None), |(at, prefix)| (at, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { Ipv4Addr::BITS } else { Ipv6Addr::BITS };
        let prefix = prefix.map_or(Some(bits), |prefix| prefix.parse().ok().filter(|prefix| *prefix <= bits));
        let prefix = prefix.ok_or_else(wrong)?;
        let address = match address {
            IpAddr::V4(address) => masked_v4(address, prefix).into(),
            IpAddr::V6(address) => masked_v6(address, prefix).into(),
        };
        Ok(Self { address, prefix })
    }
}

/// An entry of `X-Forwarded-For`: an address. Some proxies append a port, and put an IPv6 address in brackets.
fn parse_hop(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|entry| entry.split(']').next());
    let parsed = bare.unwrap_or(entry).parse().ok();
    parsed.or_else(|| entry.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

fn masked_v4(address: Ipv4Addr, prefix: u32) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(Ipv4Addr::BITS - prefix).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & mask)
}

fn masked_v6(address: Ipv6Addr, prefix: u32) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(Ipv6Addr::BITS - prefix).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &str, peer: &str, forwarded_for: &str) -> String {
        let proxies: TrustedProxies = proxies.parse().unwrap();
        proxies.client(peer.parse().unwrap(), forwarded_for).to_string()
    }

    #[test]
    fn without_trusted_proxies_the_peer_is_the_client_whatever_it_says() {
        assert_eq!(client("", "192.0.2.7", "203.0.113.9"), "192.0.2.7");
        assert_eq!(client("10.0.0.0/8", "192.0.2.7", "203.0.113.9"), "192.0.2.7");
    }

    #[test]
    fn the_client_is_the_last_hop_that_a_trusted_proxy_names() {
        let proxies = "10.0.0.0/8, ::1";
        for (forwarded_for, expected) in [
            ("203.0.113.9", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9, 10.2.2.2", "203.0.113.9"),
            ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
            ("203.0.113.9, unknown, 10.2.2.2", "10.2.2.2"),
            ("unknown", "10.1.1.1"),
            ("", "10.1.1.1"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::5]:4711", "2001:db8::/64"),
            ("2001:db8:0:0:1:2:3:4", "2001:db8::/64"),
        ] {
            assert_eq!(client(proxies, "10.1.1.1", forwarded_for), expected, "{forwarded_for}");
        }
        assert_eq!(client(proxies, "::1", "203.0.113.9"), "203.0.113.9");
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_an_ipv4_address_is_the_same_in_either_writing() {
        assert_eq!(client("", "2001:db8::1", ""), client("", "2001:db8::ffff:1", ""));
        assert_ne!(client("", "2001:db8::1", ""), client("", "2001:db8:0:1::1", ""));
        assert_eq!(client("", "::ffff:192.0.2.7", ""), "192.0.2.7");
        assert_eq!(client("192.0.2.7", "::ffff:192.0.2.7", "203.0.113.9"), "203.0.113.9");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["proxy", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::1/129", "10.0.0.0/8;::1"] {
            assert!(text.parse::<TrustedProxies>().is_err(), "{text}");
        }
        assert!("0.0.0.0/0, ::/0".parse::<TrustedProxies>().unwrap().contains([8, 8, 8, 8].into()));
    }
}
