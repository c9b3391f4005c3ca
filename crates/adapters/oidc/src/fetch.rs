//! Asking for a key set.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::options::{KeySource, Options, OptionsError};

/// The most bytes of a key set.
const MAX_BYTES: usize = 256 * 1024;
/// How long a connection is kept for the next time.
const KEPT: Duration = Duration::from_secs(10);

/// Asks over HTTP.
type Client = legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Where a key set is, and how it is asked for.
pub(crate) enum Source {
    Url { url: String, http: Box<Client> },
    File(PathBuf),
}

impl Source {
    pub(crate) fn new(options: &Options) -> Result<Self, OptionsError> {
        Ok(match &options.keys {
            KeySource::File(path) => Self::File(path.clone()),
            KeySource::Url(url) => Self::Url {
                url: url.clone(),
                http: Box::new(
                    legacy::Client::builder(TokioExecutor::new())
                        .pool_idle_timeout(KEPT)
                        .pool_timer(TokioTimer::new())
                        .build(connector()?),
                ),
            },
        })
    }

    /// The document, or why it can't be had. Redirects are not followed: who may say which keys are good is configured.
    pub(crate) async fn fetch(&self, limit: Duration) -> Result<Vec<u8>, String> {
        let fetching = async {
            match self {
                Self::File(path) => read(path).await,
                Self::Url { url, http } => get(http, url).await,
            }
        };
        let fetched = timeout(limit, fetching).await;
        fetched.unwrap_or_else(|_| Err(format!("there was no answer within {limit:?}")))
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("`{}` can't be read: {error}", path.display());
    let file = tokio::fs::File::open(path).await.map_err(cannot)?;
    let mut document = Vec::new();
    let most = MAX_BYTES as u64 + 1;
    file.take(most)
        .read_to_end(&mut document)
        .await
        .map_err(cannot)?;
    if document.len() > MAX_BYTES {
        return Err(format!(
            "`{}` has more than {MAX_BYTES} bytes",
            path.display()
        ));
    }
    Ok(document)
}

async fn get(client: &Client, url: &str) -> Result<Vec<u8>, String> {
    let request = Request::get(url)
        .header(header::ACCEPT, "application/json")
        .body(Empty::new())
        .map_err(|error| whole(&error))?;
    let response = client.request(request).await;
    let (head, body) = response.map_err(|error| whole(&error))?.into_parts();
    if head.status.is_redirection() {
        return Err(format!(
            "{url} answered {}, and redirects are not followed; configure the address where the keys are",
            head.status
        ));
    }
    if head.status != http::StatusCode::OK {
        return Err(format!("{url} answered {}", head.status));
    }
    let body = Limited::new(body, MAX_BYTES).collect().await;
    let body = body.map_err(|error| format!("{url}: {}", whole(error.as_ref())))?;
    Ok(body.to_bytes().into())
}

/// Trusts the certificates of this machine, or Mozilla's where it has none.
fn connector() -> Result<HttpsConnector<HttpConnector>, OptionsError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let of_this_machine =
        HttpsConnectorBuilder::new().with_provider_and_native_roots(Arc::clone(&provider));
    let with_roots = match of_this_machine {
        Ok(with_roots) => with_roots,
        Err(_) => HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| OptionsError::Tls(error.to_string()))?,
    };
    Ok(with_roots
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp))
}

/// The error with its causes.
fn whole(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
