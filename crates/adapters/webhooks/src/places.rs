//! Which addresses may be called.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

/// What the operator allows beside the public internet.
#[derive(Debug, Clone, Default)]
pub struct Places(Vec<AllowedPlace>);

/// A host by its name, wherever it lies, or a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedPlace {
    /// A host by its name.
    Host(String),
    /// A network, or one address.
    Network(IpNet),
}

/// A text that is neither a host nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a host nor a network; write `hooks.internal`, `10.1.2.3` or `10.0.0.0/8`, without scheme and port"
)]
pub struct NoPlace(String);

/// An address that may not be called. The text does not tell what a name resolves to, which could be a secret of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It is not a public one.
    #[error(
        "the address lies on this machine, in a private network or in another one that is not public, which the server's \
         setting notifications.allow_private does not allow"
    )]
    Private,
    /// It is a public one, and the message would cross the internet in the clear.
    #[error(
        "the address is plain http: use https, which only places named in the server's setting \
         notifications.allow_private may do without"
    )]
    Plaintext,
}

impl Places {
    /// The public internet, and these.
    pub const fn new(allowed: Vec<AllowedPlace>) -> Self {
        Self(allowed)
    }

    /// Passes where this address may be called, which the name resolves to.
    pub fn check(&self, name: &str, address: IpAddr, encrypted: bool) -> Result<(), Forbidden> {
        let address = address.to_canonical();
        let named = self.0.iter().any(|place| match place {
            AllowedPlace::Host(host) => *host == plain(name),
            AllowedPlace::Network(network) => network.contains(&address),
        });
        verdict(named, is_public(address), encrypted)
    }

    /// Passes where this name may be called, as far as that can be told before it is resolved.
    pub(crate) fn check_name(&self, name: &str, encrypted: bool) -> Result<(), Forbidden> {
        let (mut hosts, mut networks) = (false, false);
        for place in &self.0 {
            match place {
                AllowedPlace::Host(host) => hosts |= *host == plain(name),
                AllowedPlace::Network(_) => networks = true,
            }
        }
        let local = matches!(plain(name).rsplit('.').next(), Some("localhost"));
        verdict(hosts || networks, !local, encrypted)
    }
}

const fn verdict(named: bool, public: bool, encrypted: bool) -> Result<(), Forbidden> {
    match (named, public, encrypted) {
        (true, _, _) | (_, true, true) => Ok(()),
        (false, false, _) => Err(Forbidden::Private),
        (false, true, false) => Err(Forbidden::Plaintext),
    }
}

/// Names are compared without case, and with or without their last dot.
fn plain(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase()
}

/// Whether anybody on the internet could be meant.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// What IANA's registry of special-purpose addresses lists is not public.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, this machine, and what is for multicast or reserved.
        (0 | 10 | 127 | 224.., _, _)
        // Shared by carriers; private; link-local, where clouds tell about their machines.
        | (100, 64..=127, _)
        | (172, 16..=31, _)
        | (169, 254, _)
        | (192, 168, _)
        // Protocols, documentation, relays, benchmarks.
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => true,
        _ => false,
    };
    !special
}

/// Only what is given out as global unicast, but for the parts of it that lead elsewhere.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let all = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (all[0], all[1]) {
        // A translator's address holds another one.
        (0x64, 0xff9b) => all[2..6] == [0; 4] && inner(all[6], all[7]),
        // So does a tunnel's, 6to4.
        (0x2002, _) => inner(all[1], all[2]),
        // Teredo and protocols; documentation.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff) => false,
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

impl FromStr for AllowedPlace {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        let in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let names_host =
            text.bytes().all(in_name) && text.bytes().any(|byte| byte.is_ascii_alphabetic());
        if names_host {
            Ok(Self::Host(plain(text)))
        } else {
            Err(NoPlace(text.chars().take(64).collect()))
        }
    }
}

impl fmt::Display for AllowedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Network(network) => network.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(allowed: &[&str]) -> Places {
        Places::new(
            allowed
                .iter()
                .map(|place| place.parse().expect("a place"))
                .collect(),
        )
    }

    fn checked(
        places: &Places,
        name: &str,
        address: &str,
        encrypted: bool,
    ) -> Result<(), Forbidden> {
        places.check(name, address.parse().expect(address), encrypted)
    }

    #[test]
    fn only_public_addresses_are_called() {
        let places = Places::default();
        for address in [
            "0.0.0.0",
            "127.0.0.1",
            "127.8.8.8",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:db8::1",
            "100::1",
            "3fff::1",
        ] {
            let refused = checked(&places, "h", address, true);
            assert_eq!(refused, Err(Forbidden::Private), "{address}");
        }
        for address in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1",
            "2a00::1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(checked(&places, "h", address, true), Ok(()), "{address}");
            let refused = checked(&places, "h", address, false);
            assert_eq!(refused, Err(Forbidden::Plaintext), "{address}");
        }
    }

    #[test]
    fn the_operator_allows_hosts_and_networks() {
        let places = places(&["Hooks.internal", "10.1.0.0/16", "::1", "127.0.0.1"]);
        for (name, address, allowed) in [
            ("hooks.INTERNAL.", "192.168.0.1", true),
            ("hooks.internal.evil", "192.168.0.1", false),
            ("x", "10.1.255.1", true),
            ("x", "10.2.0.1", false),
            ("x", "::1", true),
            ("x", "127.0.0.1", true),
            ("x", "::ffff:127.0.0.1", true),
            ("x", "127.0.0.2", false),
        ] {
            for encrypted in [false, true] {
                let checked = checked(&places, name, address, encrypted);
                assert_eq!(checked.is_ok(), allowed, "{name} {address}");
            }
        }
    }

    #[test]
    fn a_name_is_refused_before_it_is_resolved_where_that_is_certain() {
        let none = Places::default();
        assert_eq!(none.check_name("localhost", true), Err(Forbidden::Private));
        assert_eq!(
            none.check_name("a.localhost.", true),
            Err(Forbidden::Private)
        );
        assert_eq!(none.check_name("hooks.example", true), Ok(()));
        assert_eq!(
            none.check_name("hooks.example", false),
            Err(Forbidden::Plaintext)
        );
        let some = places(&["localhost"]);
        assert_eq!(some.check_name("LOCALHOST", false), Ok(()));
        assert_eq!(
            some.check_name("hooks.example", false),
            Err(Forbidden::Plaintext)
        );
        // It may lie in that network.
        assert_eq!(
            places(&["10.0.0.0/8"]).check_name("hooks.example", false),
            Ok(())
        );
    }

    #[test]
    fn places_are_written_without_scheme_and_port() {
        for bad in [
            "",
            "https://h",
            "h:80",
            "10.0.0.0/33",
            "*.internal",
            "1234",
            "h/8",
        ] {
            assert!(bad.parse::<AllowedPlace>().is_err(), "{bad}");
        }
        let place: AllowedPlace = "10.1.2.3/8".parse().expect("a network");
        assert_eq!(place.to_string(), "10.0.0.0/8");
    }
}
