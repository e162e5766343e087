//! The socket, and connections whose reading and writing ends when they are over.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::extract::connect_info::Connected;
use axum_server::{AddrListener, Address};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use super::{FrontDoor, cannot_accept, connection::Connection};
use crate::domain::actor::sign_in::Source;

/// Who is at the other end.
#[derive(Debug, Clone)]
pub(in crate::app) struct Peer {
    pub(super) address: SocketAddr,
    /// None of the socket itself.
    pub(super) connection: Option<Arc<Connection>>,
}

impl Address for Peer {
    type Stream = DoorStream;
    type Listener = DoorListener;
}

impl Connected<Self> for Peer {
    fn connect_info(peer: Self) -> Self {
        peer
    }
}

/// The socket.
#[derive(Debug)]
pub(in crate::app) struct DoorListener {
    socket: TcpListener,
    door: FrontDoor,
}

impl DoorListener {
    pub(in crate::app) fn new(socket: std::net::TcpListener, door: FrontDoor) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::from_std(socket)?, door })
    }
}

impl AddrListener<DoorStream, Peer> for DoorListener {
    async fn bind_to(_peer: Peer) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn accept_stream(&self) -> io::Result<(DoorStream, Peer)> {
        loop {
            let accepted = self.socket.accept().await;
            let (stream, address) = accepted.map_err(|error| cannot_accept(&self.door, error))?;
            let Some(connection) = self.door.admit(&Source::of(address.ip())) else { continue };
            let peer = Peer { address, connection: Some(Arc::clone(&connection)) };
            return Ok((DoorStream::new(stream, connection, self.door.clone()), peer));
        }
    }

    fn get_local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { address: self.socket.local_addr()?, connection: None })
    }
}

/// A connection of the socket. Once it is over, reading and writing fail, so that whoever serves it
/// lets it go.
pub(in crate::app) struct DoorStream {
    stream: TcpStream,
    connection: Arc<Connection>,
    door: FrontDoor,
    over: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
}

impl fmt::Debug for DoorStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorStream").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl DoorStream {
    fn new(stream: TcpStream, connection: Arc<Connection>, door: FrontDoor) -> Self {
        let over = Arc::clone(&connection).over(door.0.clock.clone());
        Self { stream, connection, door, over: Some(Box::pin(over)) }
    }

    /// Fails once the connection is over.
    fn stays(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let over = match &mut self.over {
            Some(over) => over.as_mut().poll(cx),
            None => return Err(io::ErrorKind::TimedOut.into()),
        };
        let Poll::Ready(late) = over else { return Ok(()) };
        self.over = None;
        if late {
            self.door.0.counts.timed_out();
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for DoorStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stays(cx)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.connection.heard(self.door.0.clock.now());
        }
        read
    }
}

impl AsyncWrite for DoorStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stays(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stays(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

impl Drop for DoorStream {
    fn drop(&mut self) {
        self.door.left(&self.connection);
    }
}
