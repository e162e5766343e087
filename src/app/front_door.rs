//! The listener that everybody comes in by, with deadlines and limits: connections cost memory and
//! descriptors, and strangers have them before anybody asks who they are.
//!
//! A connection on which nothing is under way has a deadline, and is the first to go where another
//! one needs its place. So nobody can fill the house by standing in the door: whoever comes gets in,
//! and people, agents and probes need no more than a moment. Some places are kept for those who do
//! not stay long, and some descriptors for manager and store.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody as _},
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use axum_server::{
    Handle, Server,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};

use self::connection::{Connection, VisitBody};
pub(super) use self::listener::{DoorListener, Peer};
use crate::{broker::ConnectionCounts, clock::Clock, domain::actor::sign_in::Source};

mod connection;
pub(crate) mod descriptors;
mod listener;

/// Where requests wait for something to happen. A quarter of all places is kept from them.
const WAITING_PATHS: [&str; 2] = ["/mcp", "/events"];
/// A refusal is logged this often, and `/readyz` speaks of it for as long.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// Requests of one connection that HTTP/2 carries at once.
const STREAMS_MAX: u32 = 64;
/// What one connection of HTTP/1 keeps in memory of a header, in bytes.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// How many connections there may be, and how long each may take.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// The most connections. Fewer where this process may not open as many files.
    pub connections_max: usize,
    /// The most of one address, or of one network of 64 bits.
    pub per_address_max: usize,
    /// From the connection to the end of the first header, and from the first byte of a later
    /// header to its end.
    pub header: Duration,
    /// From the end of the header to that of the body.
    pub body: Duration,
    /// From an answer to the next request.
    pub idle: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 2048,
            per_address_max: 1024,
            header: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_mins(1),
        }
    }
}

/// Who is in. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct FrontDoor(Arc<DoorParts>);

#[derive(Debug)]
struct DoorParts {
    clock: Clock,
    limits: ConnectionLimits,
    counts: Arc<ConnectionCounts>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    number: u64,
    connections: BTreeMap<u64, Arc<Connection>>,
}

impl FrontDoor {
    pub(super) fn new(
        clock: Clock,
        limits: ConnectionLimits,
        counts: Arc<ConnectionCounts>,
    ) -> Self {
        Self(Arc::new(DoorParts { clock, limits, counts, open: Mutex::default() }))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection in. Where its address or the house is full, the one that has waited
    /// longest goes; none where all are at work.
    fn admit(&self, source: &Source) -> Option<Arc<Connection>> {
        let DoorParts { clock, limits, counts, .. } = &*self.0;
        let mut open = self.open();
        let own = |one: &&Arc<Connection>| one.source == *source;
        let mut room = true;
        if open.connections.values().filter(own).count() >= limits.per_address_max {
            room = open.make_room(Some(source), counts);
        }
        if room && open.connections.len() >= limits.connections_max {
            room = open.make_room(None, counts);
        }
        if !room {
            drop(open);
            self.refused("all places are taken");
            return None;
        }
        open.number += 1;
        let number = open.number;
        let connection = Arc::new(Connection::new(number, source.clone(), *limits, clock.now()));
        open.connections.insert(number, Arc::clone(&connection));
        counts.set_open(open.connections.len());
        Some(connection)
    }

    fn left(&self, connection: &Connection) {
        let mut open = self.open();
        open.connections.remove(&connection.number);
        self.0.counts.set_open(open.connections.len());
    }

    /// Says that somebody did not get in, once a minute at most.
    fn refused(&self, why: &str) {
        if self.0.counts.refused(self.0.clock.now(), SAID_EVERY) {
            tracing::warn!(why, "connections are refused");
        }
    }

    /// Whether only the places are left that are kept from requests that wait.
    fn crowded(&self) -> bool {
        let open = self.open();
        let busy = open.connections.values().filter(|one| one.is_busy()).count();
        busy >= self.0.limits.connections_max.div_ceil(4) * 3
    }
}

impl Open {
    /// Ends the connection that has waited longest: of this source, or of the one that has most.
    fn make_room(&mut self, source: Option<&Source>, counts: &ConnectionCounts) -> bool {
        let waiting = || self.connections.values().filter(|one| !one.is_busy());
        let mut numbers = BTreeMap::<&Source, usize>::new();
        waiting().for_each(|one| *numbers.entry(&one.source).or_default() += 1);
        let most = || numbers.into_iter().max_by_key(|(_, number)| *number).map(|(one, _)| one);
        let Some(source) = source.or_else(most) else { return false };
        let own = waiting().filter(|one| one.source == *source);
        let Some(oldest) = own.min_by_key(|one| one.since()) else { return false };
        let number = oldest.number;
        oldest.close();
        counts.made_room();
        self.connections.remove(&number);
        true
    }
}

/// Watches how far a request has come, and tells the doors who is at the other end.
pub(super) async fn watch(
    State(door): State<FrontDoor>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(ConnectInfo(peer.address));
    let Some(connection) = peer.connection else { return next.run(request).await };
    if WAITING_PATHS.contains(&request.uri().path()) && door.crowded() {
        door.refused("too many requests wait");
        return no_room();
    }
    let visit = Connection::begin(&connection, &door.0.clock);
    let request = request.map(|body| {
        if body.is_end_stream() {
            visit.arrived();
            return body;
        }
        Body::new(VisitBody::of_request(body, Arc::clone(&visit)))
    });
    next.run(request).await.map(|body| Body::new(VisitBody::of_answer(body, visit)))
}

fn no_room() -> Response {
    const SOON: HeaderValue = HeaderValue::from_static("5");
    let words = "Countersign has no room for more requests that wait. Try again in a moment.\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, SOON)], words).into_response()
}

/// What the listener says where it cannot take a connection; the server waits and tries again.
fn cannot_accept(door: &FrontDoor, error: io::Error) -> io::Error {
    door.refused(&error.to_string());
    error
}

/// Serves until the handle stops it.
pub(super) async fn serve(
    listener: io::Result<DoorListener>,
    tls: Option<RustlsConfig>,
    handle: Handle<Peer>,
    router: axum::Router,
) {
    let service = router.into_make_service_with_connect_info::<Peer>();
    let served = match listener {
        Err(error) => Err(error),
        Ok(listener) => {
            let mut server = Server::from_listener(listener).handle(handle);
            server.http_builder().http1().max_buf_size(HEADER_BYTES_MAX);
            server.http_builder().http2().max_concurrent_streams(STREAMS_MAX);
            match tls {
                None => server.serve(service).await,
                Some(tls) => server.acceptor(RustlsAcceptor::new(tls)).serve(service).await,
            }
        }
    };
    if let Err(error) = served {
        tracing::error!(%error, "the listener failed");
    }
}

/// Raises the limit of open files, and leaves enough of them to manager and store.
pub(super) fn within_descriptors(mut limits: ConnectionLimits) -> ConnectionLimits {
    let files = descriptors::raise();
    limits.connections_max = limits.connections_max.min(descriptors::for_connections(files));
    limits.per_address_max = limits.per_address_max.min(limits.connections_max);
    let (connections, per_address) = (limits.connections_max, limits.per_address_max);
    tracing::info!(files, connections, per_address, "limits of connections");
    limits
}
