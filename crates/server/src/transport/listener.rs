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
use tokio::time::Sleep;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::metrics::{Counted, Metrics};

/// How long a new connection may stay silent. Keepalive begins only once HTTP/2 is spoken.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections while `places` has room, and closes further ones at once: a client told so soon tries another
/// replica. The stream never ends and never fails; dropping it closes the listener.
pub(super) fn connections(
    listener: TcpListener,
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
) -> impl Stream<Item = io::Result<Connection>> {
    stream::unfold(
        (listener, places, metrics),
        async |(listener, places, metrics)| {
            loop {
                let socket = match listener.accept().await {
                    Ok((socket, _)) => socket,
                    Err(error) => {
                        tracing::warn!(%error, "a connection can't be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let Ok(place) = places.clone().try_acquire_owned() else {
                    metrics.connections_refused.inc();
                    continue;
                };
                // Without it, an answer of several packets waits about 40 ms for a delayed acknowledgement.
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(%error, "the peer is gone already");
                    continue;
                }
                let connection = Connection {
                    socket,
                    silent: Some(Box::pin(tokio::time::sleep(FIRST_BYTE_TIMEOUT))),
                    _place: place,
                    _counted: Counted::new(&metrics.connections),
                };
                return Some((Ok(connection), (listener, places, metrics)));
            }
        },
    )
}

/// An accepted connection, which holds its place until it is closed.
pub(super) struct Connection {
    socket: TcpStream,
    /// Runs until the first byte has arrived.
    silent: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
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
        if let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(cx, buffer) {
            self.silent = None;
            return Poll::Ready(read);
        }
        let Some(silent) = &mut self.silent else {
            return Poll::Pending;
        };
        ready!(silent.as_mut().poll(cx));
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
    use std::pin::pin;

    use futures_util::StreamExt;
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn accepted_connections_are_bounded_and_send_without_delay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new());
        let mut connections = pin!(connections(
            listener,
            Arc::new(Semaphore::new(1)),
            metrics.clone()
        ));

        let _first = TcpStream::connect(address).await.unwrap();
        let accepted = connections.next().await.unwrap().unwrap();
        assert!(accepted.socket.nodelay().unwrap());
        assert_eq!(metrics.connections.get(), 1);

        let mut second = TcpStream::connect(address).await.unwrap();
        let mut byte = [0];
        tokio::select! {
            _ = connections.next() => panic!("there is no place for a second connection"),
            read = second.read(&mut byte) => assert_eq!(read.unwrap(), 0, "the second connection is closed"),
        }
        assert_eq!(metrics.connections_refused.get(), 1);

        drop(accepted);
        let _third = TcpStream::connect(address).await.unwrap();
        assert!(connections.next().await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_connection_on_which_nobody_speaks_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let mut connections = pin!(connections(
            listener,
            Arc::new(Semaphore::new(1)),
            Arc::new(Metrics::new())
        ));
        let mut accepted = connections.next().await.unwrap().unwrap();

        tokio::time::pause();
        let error = accepted.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
