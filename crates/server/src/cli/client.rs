//! How every command that talks to a server reaches it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use slipway_api::approvals::v1::approval_service_client::ApprovalServiceClient;
use slipway_api::audit::v1::audit_service_client::AuditServiceClient;
use slipway_api::deployments::v1::deployment_service_client::DeploymentServiceClient;
use slipway_api::deployments::v1::template_service_client::TemplateServiceClient;
use slipway_api::ledger::v1::ledger_service_client::LedgerServiceClient;
use tonic::metadata::errors::InvalidMetadataValue;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::call_error::{CallError, root_cause};
use crate::config::{Config, Server};
use crate::secret::{Secret, SecretError, SecretReference};
use crate::wiring;

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the server is probed, and how long it may take to answer: without it, a stream to a machine that has
/// vanished waits for ever.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest answer taken: what an operator may let the server send at most.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// The environment variable that holds a token itself.
const TOKEN_VARIABLE: &str = "SLIPWAY_TOKEN";

/// Which server to talk to, and as whom. There is no flag for the token itself: the list of processes shows flags.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "The server, and who calls")]
pub(super) struct ClientArgs {
    /// The server to talk to [default: where a server of this configuration listens, `http://127.0.0.1:50051`]
    #[arg(long, env = "SLIPWAY_SERVER", value_name = "URL")]
    server: Option<String>,

    /// The file that holds the token [default: the variable `SLIPWAY_TOKEN`, else `admin.token` in the state directory]
    #[arg(long, env = "SLIPWAY_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The certificate authorities to trust instead of this machine's, in PEM
    #[arg(long, env = "SLIPWAY_CA_CERTIFICATE", value_name = "FILE")]
    ca_certificate: Option<PathBuf>,

    /// Send the token unencrypted to another machine too: only where the network is trusted
    #[arg(long)]
    allow_plaintext: bool,
}

/// A connection to a server, which is made again by itself when it breaks.
#[derive(Debug, Clone)]
pub(super) struct Client {
    channel: Channel,
    bearer: Bearer,
    server: String,
    /// Where the token was found, in words.
    token_from: String,
}

/// A channel that sends the token with every call.
pub(super) type Authenticated = InterceptedService<Channel, Bearer>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The server's address is no URL of ours.
    #[error(
        "`{url}` is no address of a server; write one like http://127.0.0.1:50051 or https://slipway.example"
    )]
    Url {
        /// What was given.
        url: String,
    },
    /// The token would cross a network in the clear.
    #[error(
        "`{url}` is another machine, and http:// would send the token unencrypted; use https://, or give \
         --allow-plaintext where the network is trusted"
    )]
    Plaintext {
        /// What was given.
        url: String,
    },
    /// No token was given, and there is none where a server leaves the first one.
    #[error(
        "there is no token: `{path}` can't be read; name the file that holds yours with --token-file, or put the token \
         into {TOKEN_VARIABLE} (a server's first start writes the administrator's into its state directory)"
    )]
    NoToken {
        /// Where a token was looked for.
        path: PathBuf,
    },
    /// The token that was named can't be had.
    #[error("the token can't be read")]
    Token(#[source] SecretError),
    /// The token has characters that no token has. It isn't repeated.
    #[error("the token in {from} has characters that can't be sent; was the right one named?")]
    TokenMalformed {
        /// Where the token was found.
        from: String,
    },
    /// The certificate authorities can't be read.
    #[error(
        "the certificate authorities in `{path}` can't be read; name a PEM file with --ca-certificate"
    )]
    CaCertificate {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Certificate authorities for a connection without certificates.
    #[error(
        "--ca-certificate says whom to trust over TLS, but `{url}` is not encrypted; write https://"
    )]
    CaWithoutTls {
        /// What was given.
        url: String,
    },
    /// A file of certificate authorities without any.
    #[error(
        "`{path}`, given with --ca-certificate, holds no certificate; it must be PEM, with a line \
         `-----BEGIN CERTIFICATE-----`"
    )]
    NoCaCertificate {
        /// The file.
        path: PathBuf,
    },
    /// TLS can't be set up.
    #[error("TLS to `{url}` can't be set up ({cause})")]
    Tls {
        /// The server.
        url: String,
        /// Why.
        cause: String,
    },
    /// Somebody answers who can't prove to be the server.
    #[error("the server at {url} can't prove who it is ({cause}); {advice}")]
    Untrusted {
        /// The server.
        url: String,
        /// What is wrong with its certificate.
        cause: String,
        /// What to do.
        advice: &'static str,
    },
    /// Nobody answers.
    #[error(
        "the server at {url} can't be reached ({cause}); is it running? start it with `slipway`"
    )]
    Unreachable {
        /// The server.
        url: String,
        /// What the network said.
        cause: String,
    },
}

impl ClientArgs {
    /// Connects, so that an absent server is told before any work is done.
    pub(super) async fn connect(&self, config: &Config) -> Result<Client, ConnectError> {
        let url = match &self.server {
            Some(url) => url.clone(),
            None => own_address(config),
        };
        let endpoint = self.endpoint(&url, config)?;
        let token = self.token(config, TOKEN_VARIABLE)?;
        let token_from = self.token_from(config, TOKEN_VARIABLE);
        let bearer = Bearer::new(&token).map_err(|_| ConnectError::TokenMalformed {
            from: token_from.clone(),
        })?;
        let channel = endpoint.connect().await.map_err(|error| {
            let (url, cause) = (url.clone(), root_cause(&error));
            if cause.contains("certificate") {
                let advice = untrusted(&cause, self.ca_certificate.is_some());
                ConnectError::Untrusted { url, cause, advice }
            } else {
                ConnectError::Unreachable { url, cause }
            }
        })?;
        Ok(Client {
            channel,
            bearer,
            server: url,
            token_from,
        })
    }

    fn endpoint(&self, url: &str, config: &Config) -> Result<Endpoint, ConnectError> {
        let malformed = || ConnectError::Url {
            url: url.to_owned(),
        };
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_| malformed())?;
        let host = endpoint.uri().host().ok_or_else(malformed)?;
        let endpoint = match endpoint.uri().scheme_str() {
            Some("http") => {
                if !is_loopback(host) && !self.allow_plaintext && !config.server.allow_plaintext {
                    return Err(ConnectError::Plaintext {
                        url: url.to_owned(),
                    });
                }
                if self.ca_certificate.is_some() {
                    return Err(ConnectError::CaWithoutTls {
                        url: url.to_owned(),
                    });
                }
                endpoint
            }
            Some("https") => {
                let tls = self.trust()?;
                endpoint
                    .tls_config(tls)
                    .map_err(|error| ConnectError::Tls {
                        url: url.to_owned(),
                        cause: root_cause(&error),
                    })?
            }
            _ => return Err(malformed()),
        };
        Ok(endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT))
    }

    /// Whom to trust: the authorities named, else this machine's.
    fn trust(&self) -> Result<ClientTlsConfig, ConnectError> {
        let Some(path) = &self.ca_certificate else {
            return Ok(ClientTlsConfig::new().with_native_roots());
        };
        let pem = std::fs::read(path).map_err(|source| ConnectError::CaCertificate {
            path: path.clone(),
            source,
        })?;
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(ConnectError::NoCaCertificate { path: path.clone() });
        }
        Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
    }

    /// The token: of the file named, else of the environment's `variable`, else of the server that has its state here.
    fn token(&self, config: &Config, variable: &str) -> Result<Secret, ConnectError> {
        let reference = self.token_reference(config, variable);
        match (reference.resolve(), reference) {
            (Ok(token), _) => Ok(token),
            (Err(_), SecretReference::File(path)) if self.token_file.is_none() => {
                Err(ConnectError::NoToken { path })
            }
            (Err(error), _) => Err(ConnectError::Token(error)),
        }
    }

    fn token_reference(&self, config: &Config, variable: &str) -> SecretReference {
        match &self.token_file {
            Some(path) => SecretReference::File(path.clone()),
            None if std::env::var_os(variable).is_some() => {
                SecretReference::Environment(variable.to_owned())
            }
            None => SecretReference::File(wiring::token_file(config)),
        }
    }

    fn token_from(&self, config: &Config, variable: &str) -> String {
        match self.token_reference(config, variable) {
            SecretReference::Environment(name) => format!("the variable {name}"),
            SecretReference::File(path) => format!("`{}`", path.display()),
        }
    }
}

impl Client {
    /// The ledger.
    pub(super) fn ledger(&self) -> LedgerServiceClient<Authenticated> {
        LedgerServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
            .max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// The audit trail.
    pub(super) fn audit(&self) -> AuditServiceClient<Authenticated> {
        AuditServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
            .max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Deployments.
    pub(super) fn deployments(&self) -> DeploymentServiceClient<Authenticated> {
        DeploymentServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
            .max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Templates for releases.
    pub(super) fn templates(&self) -> TemplateServiceClient<Authenticated> {
        TemplateServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
            .max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// What people are asked about deployments.
    pub(super) fn approvals(&self) -> ApprovalServiceClient<Authenticated> {
        ApprovalServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
            .max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// A status in words, with the server it came from.
    pub(super) fn failed(&self, status: Status) -> CallError {
        CallError::new(&self.server, &self.token_from, status)
    }
}

/// The header that says who calls.
#[derive(Debug, Clone)]
pub(super) struct Bearer(MetadataValue<Ascii>);

impl Bearer {
    fn new(token: &Secret) -> Result<Self, InvalidMetadataValue> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.expose()).parse()?;
        // Keeps it out of `Debug` and out of header compression's memory.
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// What to do about a certificate that is not trusted for this cause.
fn untrusted(cause: &str, authorities_named: bool) -> &'static str {
    if cause.contains("CaUsedAsEndEntity") {
        "this certificate is a CA's own; make the server's with basicConstraints=CA:FALSE, as the README shows"
    } else if cause.contains("NotValidForName") || cause.contains("not valid for name") {
        "call the server by a name that its certificate bears"
    } else if authorities_named {
        "the file given with --ca-certificate has to hold the authority that issued the server's certificate"
    } else {
        "name the file of the authorities that vouch for it with --ca-certificate"
    }
}

/// Where a server of this configuration is reached from this machine.
fn own_address(config: &Config) -> String {
    let address = Server::reachable(config.server.listen);
    let scheme = match config.server.tls {
        Some(_) => "https",
        None => "http",
    };
    format!("{scheme}://{address}")
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNSET: &str = "SLIPWAY_NO_SUCH_VARIABLE";

    fn endpoint(url: &str, args: &ClientArgs) -> Result<Endpoint, ConnectError> {
        args.endpoint(url, &Config::default())
    }

    #[test]
    fn the_default_is_where_this_configuration_listens() {
        let mut config = Config::default();
        assert_eq!(own_address(&config), "http://127.0.0.1:50051");
        config.server.listen = "0.0.0.0:7000".parse().unwrap();
        assert_eq!(own_address(&config), "http://127.0.0.1:7000");
        config.server.listen = "[::]:7000".parse().unwrap();
        assert_eq!(own_address(&config), "http://[::1]:7000");
    }

    #[test]
    fn a_token_leaves_the_machine_encrypted_only() {
        let args = ClientArgs::default();
        for fine in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"] {
            assert!(endpoint(fine, &args).is_ok(), "{fine}");
        }
        let refused = endpoint("http://slipway.example", &args).unwrap_err();
        assert!(refused.to_string().contains("--allow-plaintext"));
        let trusting = ClientArgs {
            allow_plaintext: true,
            ..ClientArgs::default()
        };
        assert!(endpoint("http://slipway.example", &trusting).is_ok());
    }

    #[test]
    fn the_advice_fits_the_certificate() {
        let ca = "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))";
        assert!(untrusted(ca, true).contains("CA:FALSE"));
        let unknown = "invalid peer certificate: UnknownIssuer";
        assert!(untrusted(unknown, false).contains("with --ca-certificate"));
        assert!(untrusted(unknown, true).contains("given with --ca-certificate"));
    }

    #[test]
    fn a_file_without_certificates_is_refused_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "no certificate").unwrap();
        let args = ClientArgs {
            ca_certificate: Some(file.path().to_owned()),
            ..ClientArgs::default()
        };
        let refused = endpoint("https://localhost:1", &args).unwrap_err();
        let path = file.path().display().to_string();
        assert!(refused.to_string().contains(&path), "{refused}");
    }

    #[test]
    fn what_is_no_address_is_told() {
        for bad in ["", "slipway", "127.0.0.1:50051", "ftp://a", "http://"] {
            assert!(
                matches!(
                    endpoint(bad, &ClientArgs::default()),
                    Err(ConnectError::Url { .. })
                ),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_token_comes_from_the_file_named_or_the_state_directory() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.state.dir = directory.path().to_owned();
        let args = ClientArgs::default();
        let absent = args.token(&config, UNSET).unwrap_err();
        assert!(absent.to_string().contains("--token-file"), "{absent}");

        std::fs::write(directory.path().join("admin.token"), "first\n").unwrap();
        assert_eq!(args.token(&config, UNSET).unwrap().expose(), "first");

        let named = directory.path().join("mine");
        std::fs::write(&named, "second\n").unwrap();
        let args = ClientArgs {
            token_file: Some(named),
            ..ClientArgs::default()
        };
        assert_eq!(args.token(&config, UNSET).unwrap().expose(), "second");
        let bearer = Bearer::new(&args.token(&config, UNSET).unwrap()).unwrap();
        assert!(!format!("{bearer:?}").contains("second"), "{bearer:?}");
    }
}
