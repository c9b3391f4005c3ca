//! What a starting server prints for people: where it listens, and what to do next.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::config::{Config, Server};
use crate::wiring;

/// Where the server listens, where the administrator's token lies, and three calls that work as they are printed.
pub fn welcome(config: &Config, address: SocketAddr) -> String {
    let token_file = wiring::token_file(config);
    let mut text = format!("\nSlipway listens on {address}.\n");
    if !token_file.exists() {
        text.push_str("Make a token for an administrator with `slipway token`.\n\n");
        return text;
    }
    let token_file = token_file.strip_prefix("./").unwrap_or(&token_file);
    let reachable = Server::reachable(address);
    let (trust, target) = match &config.server.tls {
        None => ("-plaintext".to_owned(), reachable.to_string()),
        Some(tls) => {
            let trust = format!("-cacert {}", tls.certificate_file.display());
            // Certificates name hosts more often than addresses.
            let host = match reachable.ip() {
                ip if ip.is_loopback() => "localhost".to_owned(),
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            };
            (trust, format!("{host}:{}", reachable.port()))
        }
    };
    let call = format!(
        "grpcurl {trust} -H \"authorization: Bearer $(cat {})\" \\\n  -d",
        token_file.display()
    );
    let _ = write!(
        text,
        "The administrator's token lies in {}. Three calls to paste:

{call} '{{\"project\": \"default\", \"report\": {{\"application\": \"cart\", \"version\": \"1.0.0\", \
         \"environment\": \"staging\"}}, \"create_missing\": {{\"applications\": true, \"versions\": true, \
         \"environments\": true}}}}' \\
  {target} slipway.ledger.v1.LedgerService/RecordDeployment

{call} '{{\"project\": \"default\", \"application\": \"cart\", \"environment\": \"staging\"}}' \\
  {target} slipway.ledger.v1.LedgerService/GetCurrentState

{call} '{{\"project\": \"default\"}}' \\
  {target} slipway.ledger.v1.LedgerService/ListDeploymentRecords

",
        token_file.display()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_name_the_address_and_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.state.dir = folder.path().to_owned();
        let address = "127.0.0.1:50051".parse().unwrap();
        assert!(welcome(&config, address).contains("slipway token"));

        wiring::write_private(&wiring::token_file(&config), "x").unwrap();
        let text = welcome(&config, address);
        assert_eq!(
            text.matches("\ngrpcurl -plaintext -H ").count(),
            3,
            "{text}"
        );
        assert_eq!(
            text.matches("127.0.0.1:50051 slipway.ledger.v1.").count(),
            3,
            "{text}"
        );
        assert!(text.contains("admin.token)"), "{text}");
    }

    #[test]
    fn the_calls_can_be_made_over_tls_and_from_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.state.dir = folder.path().to_owned();
        wiring::write_private(&wiring::token_file(&config), "x").unwrap();
        let everywhere = "0.0.0.0:50051".parse().unwrap();
        let text = welcome(&config, everywhere);
        assert!(text.contains("  127.0.0.1:50051 slipway.ledger"), "{text}");

        config.server.tls = Some(crate::config::Tls {
            certificate_file: "tls.crt".into(),
            key_file: "tls.key".into(),
            client_ca_file: None,
        });
        let text = welcome(&config, everywhere);
        assert_eq!(text.matches("\ngrpcurl -cacert tls.crt -H ").count(), 3);
        assert!(text.contains("  localhost:50051 slipway.ledger"), "{text}");
    }
}
