//! Posts.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use slipway_notifications::{ANSWER_KEPT, Outcome};
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;
use url::{Host, Url};

use crate::places::{Forbidden, Places};

const USER_AGENT: &str = concat!("Slipway/", env!("CARGO_PKG_VERSION"));

/// Posts to where it is allowed.
pub struct Poster {
    places: Arc<Places>,
    encrypted: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    plain: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    timeout: Duration,
}

/// There is no way to encrypt.
#[derive(Debug, thiserror::Error)]
#[error("TLS can't be set up: {0}")]
pub struct HttpError(String);

/// An address that may be called, as far as that can be told before its name is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    url: Url,
    encrypted: bool,
}

impl Poster {
    /// Posts to these places, and gives up after `timeout`.
    pub fn new(places: Places, timeout: Duration) -> Result<Self, HttpError> {
        let places = Arc::new(places);
        let client = |encrypted| {
            let resolver = Resolver {
                places: Arc::clone(&places),
                encrypted,
            };
            let mut tcp = HttpConnector::new_with_resolver(resolver);
            tcp.set_nodelay(true);
            tcp.set_connect_timeout(Some(timeout));
            tcp.enforce_http(false);
            let connector = connector(tcp, encrypted)?;
            // A connection is for one message: what a name resolves to is looked at each time.
            let client = Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build(connector);
            Ok(client)
        };
        Ok(Self {
            encrypted: client(true)?,
            plain: client(false)?,
            places,
            timeout,
        })
    }

    /// Passes where the address may be called, as far as that can be told without asking anybody. No error repeats it.
    pub fn target(&self, url: &str) -> Result<HttpTarget, String> {
        let url = Url::parse(url).map_err(|error| format!("the address is no URL: {error}"))?;
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("the address is neither https nor http".to_owned()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the address holds a user's name or password".to_owned());
        }
        let checked = match url.host() {
            Some(Host::Domain(name)) => self.places.check_name(name, encrypted),
            // The connector asks no resolver about these.
            Some(Host::Ipv4(address)) => self.places.check("", IpAddr::V4(address), encrypted),
            Some(Host::Ipv6(address)) => self.places.check("", IpAddr::V6(address), encrypted),
            None => return Err("the address has no host".to_owned()),
        };
        checked.map_err(|forbidden| forbidden.to_string())?;
        Ok(HttpTarget { url, encrypted })
    }

    /// Posts JSON. Any answer from 200 to 299 says that it was taken, whatever becomes of the rest of the answer.
    pub async fn post(
        &self,
        target: &HttpTarget,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Outcome {
        let deadline = Instant::now() + self.timeout;
        let mut request = Request::post(target.url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, USER_AGENT);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = match request.body(Full::new(Bytes::from(body))) {
            Ok(request) => request,
            Err(error) => return Outcome::problem(error.to_string()),
        };
        let client = if target.encrypted {
            &self.encrypted
        } else {
            &self.plain
        };
        match timeout_at(deadline, client.request(request)).await {
            Ok(Ok(response)) => answered(response, deadline).await,
            Ok(Err(error)) => Outcome::problem(whole(&error)),
            Err(_) => Outcome::problem(format!("there was no answer within {:?}", self.timeout)),
        }
    }
}

async fn answered<B>(response: Response<B>, deadline: Instant) -> Outcome
where
    B: http_body_util::BodyExt<Data = Bytes> + Unpin,
{
    let (head, mut body) = response.into_parts();
    let mut answer = Vec::new();
    while answer.len() < ANSWER_KEPT
        && let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await
    {
        if let Ok(data) = frame.into_data() {
            answer.extend_from_slice(&data);
        }
    }
    let status = head.status;
    Outcome {
        taken: status.is_success(),
        hopeless: status == StatusCode::GONE,
        status: Some(status.as_u16()),
        problem: problem(status),
        answer: String::from_utf8_lossy(&answer).into_owned(),
        retry_after: retry_after(&head.headers),
    }
}

fn problem(status: StatusCode) -> String {
    if status.is_success() {
        String::new()
    } else if status.is_redirection() {
        format!(
            "the answer was {status}: the address leads to another one, which is not followed; give the other one"
        )
    } else if status == StatusCode::GONE {
        format!("the answer was {status}: the receiver wants nothing any more")
    } else {
        format!("the answer was {status}")
    }
}

/// In seconds; a date is left aside.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// Resolves names to what may be called. What it answers is what is connected to: nobody resolves the name once more.
#[derive(Clone)]
struct Resolver {
    places: Arc<Places>,
    encrypted: bool,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (places, encrypted) = (Arc::clone(&self.places), self.encrypted);
        Box::pin(async move {
            let name = name.as_str();
            let found = lookup_host((name, 0)).await?;
            let allowed = among(&places, name, found, encrypted);
            Ok(allowed.map_err(io::Error::other)?.into_iter())
        })
    }
}

/// Those of the addresses that may be called; at least one, or why not.
fn among(
    places: &Places,
    name: &str,
    found: impl Iterator<Item = SocketAddr>,
    encrypted: bool,
) -> Result<Vec<SocketAddr>, Forbidden> {
    let mut refused = None;
    let mut allowed = Vec::new();
    for address in found {
        match places.check(name, address.ip(), encrypted) {
            Ok(()) => allowed.push(address),
            Err(forbidden) => refused = Some(forbidden),
        }
    }
    match refused {
        Some(forbidden) if allowed.is_empty() => Err(forbidden),
        _ => Ok(allowed),
    }
}

/// Trusts the certificates of this machine, or Mozilla's where it has none.
fn connector(
    tcp: HttpConnector<Resolver>,
    encrypted: bool,
) -> Result<HttpsConnector<HttpConnector<Resolver>>, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let of_this_machine =
        HttpsConnectorBuilder::new().with_provider_and_native_roots(Arc::clone(&provider));
    let with_roots = match of_this_machine {
        Ok(with_roots) => with_roots,
        Err(_) => HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| HttpError(error.to_string()))?,
    };
    let with_schemes = if encrypted {
        with_roots.https_only()
    } else {
        with_roots.https_or_http()
    };
    Ok(with_schemes.enable_http1().wrap_connector(tcp))
}

/// The error with its causes, each of which adds something.
fn whole(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poster(allowed: &[&str]) -> Poster {
        let allowed = allowed.iter().map(|place| place.parse().expect("a place"));
        Poster::new(Places::new(allowed.collect()), Duration::from_secs(5)).expect("a poster")
    }

    #[test]
    fn addresses_are_refused_however_they_are_spelled() {
        let poster = poster(&[]);
        for url in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://localhost/",
            "https://LOCALHOST./",
            "http://hooks.example/",
            "http://1.1.1.1/",
            "https://me:hunter2@hooks.example/",
            "ftp://hooks.example/",
        ] {
            let error = poster.target(url).expect_err(url);
            assert!(!error.contains("hunter2"), "{error}");
        }
        for url in ["https://hooks.example/", "https://1.1.1.1:8443/x?y"] {
            assert!(poster.target(url).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_counts_as_what_it_resolves_to() {
        // Allowed by its looks, because a network is; but it does not lie in that one.
        let poster = poster(&["10.0.0.0/8"]);
        for url in ["https://localhost:1/", "http://localhost:1/"] {
            let target = poster.target(url).expect("perhaps");
            let outcome = poster.post(&target, &[], "{}".to_owned()).await;
            assert!(!outcome.taken && outcome.status.is_none());
            let told = &outcome.problem;
            assert!(told.contains("notifications.allow_private"), "{told}");
            assert!(
                !told.contains("127.0.0.1") && !told.contains("::1"),
                "{told}"
            );
        }
    }

    #[test]
    fn of_several_addresses_the_allowed_ones_are_called() {
        let address = |text: &str| SocketAddr::new(text.parse().expect("an address"), 0);
        let (public, private) = (address("1.1.1.1"), address("10.0.0.1"));
        let places = Places::default();
        let both = among(&places, "h", [private, public].into_iter(), true);
        assert_eq!(both, Ok(vec![public]));
        let one = among(&places, "h", [private].into_iter(), true);
        assert_eq!(one, Err(Forbidden::Private));
    }
}
