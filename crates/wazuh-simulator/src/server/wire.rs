//! Connections that a fault can cut or abuse in the middle of a call.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::clock;

/// A call's handle to its own connection.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    ending: Arc<OnceLock<Ending>>,
    pub(crate) peer: SocketAddr,
    /// Cancelled when the server goes down.
    pub(crate) down: CancellationToken,
}

impl Wire {
    /// Ends the connection in this way before hyper writes another byte.
    pub(crate) fn end(&self, ending: Ending) {
        self.ending.get_or_init(|| ending);
    }
}

/// How a connection ends without a regular answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// At once: the client sees a reset, no status.
    Cut,
    /// With endless spaces, as fast as the client reads them.
    Flood,
    /// With endless spaces, one now and then.
    Drip,
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                      transfer-encoding: chunked\r\n\r\n";
/// 64 KiB in one chunk.
const FLOOD: [&[u8]; 3] = [b"10000\r\n", &[b' '; 65_536], b"\r\n"];
const DRIP: &[u8] = b"1\r\n \r\n";
const DRIP_PAUSE: Duration = Duration::from_millis(50);

impl Ending {
    /// Continues until the client disconnects or the server goes down.
    async fn run(self, stream: TcpStream, down: CancellationToken) {
        let ends = down.run_until_cancelled(self.write(stream)).await;
        tracing::debug!(ending = ?self, ?ends, "connection ended");
    }

    async fn write(self, mut stream: TcpStream) -> io::Result<()> {
        match self {
            Self::Cut => Ok(()),
            Self::Flood => {
                stream.write_all(HEAD).await?;
                loop {
                    for bytes in FLOOD {
                        stream.write_all(bytes).await?;
                    }
                }
            }
            Self::Drip => {
                stream.write_all(HEAD).await?;
                loop {
                    stream.write_all(DRIP).await?;
                    clock::pause(DRIP_PAUSE).await;
                }
            }
        }
    }
}

impl Connected<IncomingStream<'_, Wires>> for Wire {
    fn connect_info(stream: IncomingStream<'_, Wires>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A listener whose connections can be cut.
pub(crate) struct Wires {
    pub(crate) listener: TcpListener,
    pub(crate) down: CancellationToken,
}

impl Wires {
    fn wire(&self, peer: SocketAddr) -> Wire {
        Wire { ending: Arc::new(OnceLock::new()), peer, down: self.down.clone() }
    }
}

impl Listener for Wires {
    type Io = Breakable;
    type Addr = Wire;

    async fn accept(&mut self) -> (Breakable, Wire) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let wire = self.wire(peer);
                    return (Breakable { stream: Some(stream), wire: wire.clone() }, wire);
                }
                // Out of file descriptors, or the client has already left: both are temporary.
                Err(_) => clock::pause(Duration::from_millis(10)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Wire> {
        Ok(self.wire(self.listener.local_addr()?))
    }
}

/// A TCP stream that is taken from hyper when its call ends without a regular answer.
pub(crate) struct Breakable {
    /// `None` once it is taken away.
    stream: Option<TcpStream>,
    wire: Wire,
}

impl Breakable {
    /// The stream to write to. Once the connection is to end, hyper sees a broken connection.
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if let Some(ending) = self.wire.ending.get()
            && let Some(stream) = self.stream.take()
        {
            // With zero linger, closing sends a reset instead of an orderly end.
            stream.set_zero_linger()?;
            tokio::spawn(ending.run(stream, self.wire.down.clone()));
        }
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Breakable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.stream.as_mut() {
            Some(stream) => Pin::new(stream).poll_read(context, buffer),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl AsyncWrite for Breakable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}
