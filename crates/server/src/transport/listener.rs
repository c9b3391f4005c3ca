//! Accepted connections: bounded in number, without Nagle's delay, and closed where nobody speaks.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::metrics::{Counted, Metrics};
use crate::shutdown::Shutdown;

/// How many bytes a client sends at least before it is heard: the preface of HTTP/2, which no TLS greeting falls short
/// of either.
const GREETING_BYTES: usize = 24;
/// How long they may take. Keepalive begins only afterwards.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The gRPC listener.
pub(super) struct Listener {
    /// Where connections arrive.
    pub(super) socket: TcpListener,
    /// One permit for each open connection.
    pub(super) places: Arc<Semaphore>,
    /// Where connections are counted.
    pub(super) metrics: Arc<Metrics>,
    /// When it begins, connections on which nobody has spoken yet are closed.
    pub(super) shutdown: Shutdown,
}

impl Listener {
    /// Accepts connections while there are places, and closes further ones at once: a client told so soon tries another
    /// replica. The stream never ends and never fails; dropping it closes the listener.
    pub(super) fn connections(self) -> impl Stream<Item = io::Result<Connection>> {
        stream::unfold(self, async |listener| {
            Some((Ok(listener.accept().await), listener))
        })
    }

    async fn accept(&self) -> Connection {
        loop {
            let socket = match self.socket.accept().await {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::warn!(%error, "a connection can't be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = self.places.clone().try_acquire_owned() else {
                self.metrics.connections_refused.inc();
                continue;
            };
            // Without it, an answer of several packets waits about 40 ms for a delayed acknowledgement.
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "the peer is gone already");
                continue;
            }
            let draining = self.shutdown.draining();
            return Connection {
                socket,
                greeting: Some(Greeting {
                    bytes: 0,
                    over: Box::pin(async move {
                        tokio::select! {
                            () = tokio::time::sleep(GREETING_TIMEOUT) => {}
                            () = draining => {}
                        }
                    }),
                }),
                _place: place,
                _counted: Counted::new(&self.metrics.connections),
            };
        }
    }
}

/// An accepted connection, which holds its place until it is closed.
pub(super) struct Connection {
    socket: TcpStream,
    /// Set until the client has been heard.
    greeting: Option<Greeting>,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

/// A connection whose client hasn't said enough yet.
struct Greeting {
    /// How many bytes have arrived.
    bytes: usize,
    /// Ready when no more are waited for.
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.socket.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        let Some(greeting) = &mut self.greeting else {
            return read;
        };
        if read.is_ready() {
            greeting.bytes += buffer.filled().len() - before;
            if greeting.bytes >= GREETING_BYTES {
                self.greeting = None;
            }
            return read;
        }
        ready!(greeting.over.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn listener() -> (Listener, SocketAddr) {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let listener = Listener {
            socket,
            places: Arc::new(Semaphore::new(1)),
            metrics: Arc::new(Metrics::new()),
            shutdown: Shutdown::default(),
        };
        (listener, address)
    }

    #[tokio::test]
    async fn accepted_connections_are_bounded_and_send_without_delay() {
        let (listener, address) = listener().await;
        let _first = TcpStream::connect(address).await.unwrap();
        let accepted = listener.accept().await;
        assert!(accepted.socket.nodelay().unwrap());
        assert_eq!(listener.metrics.connections.get(), 1);

        let mut second = TcpStream::connect(address).await.unwrap();
        let mut byte = [0];
        tokio::select! {
            _ = listener.accept() => panic!("there is no place for a second connection"),
            read = second.read(&mut byte) => assert_eq!(read.unwrap(), 0, "the second connection is closed"),
        }
        assert_eq!(listener.metrics.connections_refused.get(), 1);

        drop(accepted);
        let _third = TcpStream::connect(address).await.unwrap();
        listener.accept().await;
    }

    #[tokio::test]
    async fn a_client_has_to_speak_soon() {
        let (listener, address) = listener().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut accepted = listener.accept().await;
        client.write_all(b"PRI").await.unwrap();
        accepted.read_exact(&mut [0; 3]).await.unwrap();

        tokio::time::pause();
        let error = accepted.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_drain_closes_connections_on_which_nobody_has_spoken() {
        let (listener, address) = listener().await;
        let _client = TcpStream::connect(address).await.unwrap();
        let mut accepted = listener.accept().await;
        listener.shutdown.begin();
        let error = accepted.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_has_spoken_may_be_silent() {
        let (listener, address) = listener().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut accepted = listener.accept().await;
        client.write_all(&[0; GREETING_BYTES]).await.unwrap();
        accepted.read_exact(&mut [0; GREETING_BYTES]).await.unwrap();

        tokio::time::pause();
        let mut byte = [0];
        let read = tokio::time::timeout(GREETING_TIMEOUT * 10, accepted.read(&mut byte)).await;
        assert!(read.is_err(), "{read:?}");
    }
}
