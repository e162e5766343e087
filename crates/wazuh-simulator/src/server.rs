//! A simulated manager that listens.

pub(crate) mod routes;
pub(crate) mod wire;

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::wire::{Wire, Wires};
use crate::Simulator;

impl Simulator {
    /// Starts to answer on this address; port 0 takes a free one.
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

/// A listening simulator; it stops when dropped.
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

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and breaks the connections of running calls, like a manager that dies.
    pub async fn stop(self) {
        drop(self.down);
        // Serving ends by our own token: neither a failure nor a result is left to report.
        self.task.await.ok();
    }
}
