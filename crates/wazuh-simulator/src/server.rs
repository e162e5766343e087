//! The HTTP server in front of a simulated manager.

pub(crate) mod edit;
pub(crate) mod routes;
pub(crate) mod wire;

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::wire::{Wire, Wires};
use crate::Simulator;

impl Simulator {
    /// Starts a server on this address. Port 0 takes a free port.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<Server> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let down = CancellationToken::new();
        let app = routes::all(self.clone()).into_make_service_with_connect_info::<Wire>();
        let ended = down.clone().cancelled_owned();
        let wires = Wires { listener, down: down.clone() };
        let serving = axum::serve(wires, app).with_graceful_shutdown(ended);
        let task = tokio::spawn(async move { serving.await });
        Ok(Server { address, task, down: down.drop_guard() })
    }
}

/// A running server; it stops when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
    down: DropGuard,
}

impl Server {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and drops the connections of running calls, like a manager that crashes. While the
    /// socket lives nobody answers on the port, and no other program takes it.
    pub async fn stop(self) -> io::Result<TcpSocket> {
        drop(self.down);
        // Our own token ends the server, so there is no result to report.
        self.task.await.ok();
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Connections that were dropped a moment ago do not keep the address.
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        Ok(socket)
    }
}
