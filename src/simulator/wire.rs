//! Connections that can be broken in the middle of a call.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::clock;

/// The handle that a call has to its own connection.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    cut: Arc<AtomicBool>,
    pub(super) peer: SocketAddr,
    /// Cancelled when the server goes down.
    pub(super) down: CancellationToken,
}

impl Wire {
    /// Breaks the connection before another byte is written: the client sees a reset, no status.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, Wires>> for Wire {
    fn connect_info(stream: IncomingStream<'_, Wires>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A listener whose connections can be cut.
pub(super) struct Wires {
    pub(super) listener: TcpListener,
    pub(super) down: CancellationToken,
}

impl Wires {
    fn wire(&self, peer: SocketAddr) -> Wire {
        Wire { cut: Arc::new(AtomicBool::new(false)), peer, down: self.down.clone() }
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
                    return (Breakable { stream, cut: Arc::clone(&wire.cut) }, wire);
                }
                // Out of file descriptors, or the client left already: both pass.
                Err(_) => clock::pause(Duration::from_millis(10)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Wire> {
        Ok(self.wire(self.listener.local_addr()?))
    }
}

/// A TCP stream that refuses to write once it is cut.
pub(super) struct Breakable {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl Breakable {
    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) {
            // Without lingering, closing sends a reset instead of an orderly end.
            self.stream.set_zero_linger()?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Breakable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Breakable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
