//! `[server]`: where the server listens, and how.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// The `[server]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address of the gRPC listener. Default: `127.0.0.1:50051`.
    pub listen: SocketAddr,
    /// The address of `/metrics`, `/healthz` and `/readyz`, plain HTTP; `"off"` for none. Default: `127.0.0.1:9464`.
    #[serde(deserialize_with = "address_or_off")]
    pub metrics_listen: Option<SocketAddr>,
    /// The certificate of the gRPC listener; without it the listener speaks plaintext.
    pub tls: Option<Tls>,
    /// Permits plaintext off loopback: `listen` without `tls`, or `metrics_listen`. Default: false.
    pub allow_plaintext: bool,
    /// Who may list the services by reflection.
    pub reflection: Reflection,
    /// How long a stopping server waits for requests in flight. Default: 20 s; at most 10 min.
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
}

/// `[server.tls]`: PEM files, read once at start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, followed by those of its intermediate authorities.
    pub certificate_file: PathBuf,
    /// The certificate's private key: PKCS #8, PKCS #1 or SEC 1.
    pub key_file: PathBuf,
    /// The authorities whose client certificates are taken. A client without one may still bring a token. Default: none.
    pub client_ca_file: Option<PathBuf>,
}

/// The setting `reflection`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reflection {
    /// Open where the server listens on loopback only, to authenticated callers elsewhere.
    #[default]
    Loopback,
    /// Open to everyone.
    Always,
    /// Not served.
    Never,
}

/// Who may use reflection, once the listener's address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReflectionAccess {
    /// Everyone who can connect.
    Open,
    /// Callers whom the server knows.
    Authenticated,
    /// Nobody: the service isn't there.
    Off,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50051)),
            metrics_listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))),
            tls: None,
            allow_plaintext: false,
            reflection: Reflection::default(),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

impl Server {
    /// Who may use reflection on this listener.
    pub fn reflection_access(&self) -> ReflectionAccess {
        match self.reflection {
            Reflection::Never => ReflectionAccess::Off,
            Reflection::Always => ReflectionAccess::Open,
            Reflection::Loopback if self.listen.ip().is_loopback() => ReflectionAccess::Open,
            Reflection::Loopback => ReflectionAccess::Authenticated,
        }
    }

    /// How clients on this machine reach a listener at `address`: where it listens on all addresses, by loopback.
    pub fn reachable(mut address: SocketAddr) -> SocketAddr {
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        address
    }

    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if !self.listen.ip().is_loopback() && self.tls.is_none() && !self.allow_plaintext {
            problems.push(format!(
                "server.listen = \"{}\" is reachable from other machines and would speak plaintext; give \
                 [server.tls] certificate_file and key_file, or set server.allow_plaintext = true where something \
                 in front of this server encrypts",
                self.listen
            ));
        }
        if let Some(address) = self.metrics_listen
            && !address.ip().is_loopback()
            && !self.allow_plaintext
        {
            problems.push(format!(
                "server.metrics_listen = \"{address}\" is reachable from other machines and speaks plain HTTP; \
                 listen on loopback, or set server.allow_plaintext = true where the network is trusted"
            ));
        }
        super::limits::check_duration(
            "server.drain_timeout",
            self.drain_timeout,
            Duration::ZERO..=Duration::from_mins(10),
            problems,
        );
    }
}

fn address_or_off<'de, D: Deserializer<'de>>(input: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(input)?;
    if text == "off" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| serde::de::Error::custom(format!("`{text}` is no address, nor `off`")))
}
