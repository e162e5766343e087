//! Messages to a syslog server: RFC 5424, over UDP (RFC 5426), TCP (RFC 6587, counted) or TLS (RFC
//! 5425). A batch has a connection of its own, and counts once the server has read it to its end and
//! closed: syslog has no other answer. A datagram has none at all.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest},
    net::{TcpStream, UdpSocket, lookup_host},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{Delivered, line};
use crate::{
    connector::{
        http::{error::ConnectorError, secret::Tls, transport::reason},
        notify::smtp::{Trust, connect, secure},
    },
    domain::audit::{AuditEntry, EventKind},
    text::visible::visible_json,
};

/// Facility 13, log audit; severity 5, notice (RFC 5424, 6.2.1).
const PRIORITY: u8 = 13 * 8 + 5;
/// The largest datagram, in bytes: what rsyslog reads unless it is told otherwise.
pub const DATAGRAM_BYTES_MAX: usize = 8192;

/// How long the word may be on its way that a server had closed too early.
const REFUSAL_MAX: Duration = Duration::from_millis(100);

/// How messages get to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogTransport {
    /// Datagrams: nobody knows whether they arrive, and everybody on the way reads them.
    Udp,
    /// A connection, which everybody on the way reads.
    Tcp,
    /// A connection over TLS.
    Tls(Tls),
}

/// A syslog server and who sends to it.
#[derive(Debug, Clone)]
pub struct SyslogSettings {
    /// The part of the configuration that names it.
    pub section: String,
    /// A name, or an address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How messages get there.
    pub transport: SyslogTransport,
    /// What messages name as their origin: the host of Countersign.
    pub origin: String,
    /// How long the server may take.
    pub deadline: Duration,
}

impl SyslogSettings {
    fn transport_name(&self) -> &'static str {
        match self.transport {
            SyslogTransport::Udp => "udp",
            SyslogTransport::Tcp => "tcp",
            SyslogTransport::Tls(_) => "tls",
        }
    }

    pub(super) fn place(&self) -> String {
        format!("syslog over {} to {}:{}", self.transport_name(), self.host, self.port)
    }

    fn system(&self) -> String {
        format!("the syslog server {}:{}", self.host, self.port)
    }

    pub(super) async fn deliver(&self, entries: &[AuditEntry]) -> Delivered {
        let done = match &self.transport {
            SyslogTransport::Udp => return self.cast(entries).await,
            SyslogTransport::Tcp => self.stream(entries).await,
            SyslogTransport::Tls(tls) => self.stream_secure(tls, entries).await,
        };
        Delivered::all_or_none(entries.len(), done.map_err(|error| error.to_string()))
    }

    pub(super) async fn examine(&self) -> Result<String, String> {
        let done = match &self.transport {
            SyslogTransport::Udp => self.socket().await.map(drop),
            SyslogTransport::Tcp => self.connected().await.map(drop),
            SyslogTransport::Tls(tls) => self.secured(tls).await.map(drop),
        };
        done.map_err(|error| error.to_string())?;
        Ok(match self.transport {
            SyslogTransport::Udp => format!("{} has an address; UDP tells no more", self.system()),
            SyslogTransport::Tcp | SyslogTransport::Tls(_) => {
                format!("{} is there", self.system())
            }
        })
    }

    /// A datagram for each entry.
    async fn cast(&self, entries: &[AuditEntry]) -> Delivered {
        let mut done = Delivered::default();
        let socket = match self.socket().await {
            Ok(socket) => socket,
            Err(error) => return Delivered { problem: Some(error.to_string()), ..done },
        };
        for entry in entries {
            let mut message = self.message(entry, &line(entry));
            let short = message.len() > DATAGRAM_BYTES_MAX;
            if short {
                let what = visible_json(&entry.to_short_json(message.len()));
                message = self.message(entry, &what);
            }
            if let Err(error) = self.in_time(socket.send(message.as_bytes())).await {
                // It is about an earlier one, too.
                let problem = Some(error.to_string());
                return Delivered { problem, ..Delivered::default() };
            }
            done.entries += 1;
            done.shortened += u64::from(short);
        }
        // A machine that is near says at once that nobody listens.
        match socket.take_error() {
            Ok(None) => done,
            Ok(Some(error)) | Err(error) => {
                let problem = Some(self.unreachable(&reason(&error)).to_string());
                Delivered { problem, ..Delivered::default() }
            }
        }
    }

    async fn socket(&self) -> Result<UdpSocket, ConnectorError> {
        let place = (self.host.as_str(), self.port);
        let address = self.in_time(lookup_host(place)).await?.next();
        let address = address.ok_or_else(|| self.unreachable("its name has no address"))?;
        let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = self.in_time(UdpSocket::bind(own)).await?;
        self.in_time(socket.connect(address)).await?;
        Ok(socket)
    }

    async fn connected(&self) -> Result<TcpStream, ConnectorError> {
        connect((&self.host, self.port), &self.system(), self.deadline).await
    }

    async fn secured(&self, tls: &Tls) -> Result<TlsStream<TcpStream>, ConnectorError> {
        let trust = Trust { tls, section: &self.section };
        let tcp = self.connected().await?;
        secure(tcp, (&self.host, trust), &self.system(), self.deadline).await
    }

    async fn stream(&self, entries: &[AuditEntry]) -> Result<(), ConnectorError> {
        self.send((self.connected().await?, |stream| stream), entries).await
    }

    async fn stream_secure(&self, tls: &Tls, entries: &[AuditEntry]) -> Result<(), ConnectorError> {
        self.send((self.secured(tls).await?, |stream| stream.get_ref().0), entries).await
    }

    /// Sends all, says that no more follows, and waits until the server has read that.
    async fn send<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        (mut stream, tcp): (S, fn(&S) -> &TcpStream),
        entries: &[AuditEntry],
    ) -> Result<(), ConnectorError> {
        let messages = entries.iter().map(|entry| self.message(entry, &line(entry)));
        let frames: Vec<_> = messages.map(|text| format!("{} {text}", text.len())).collect();
        self.in_time(async {
            stream.write_all(frames.concat().as_bytes()).await?;
            stream.shutdown().await
        })
        .await?;
        let read = async {
            // What it says is nothing that syslog knows.
            while stream.read(&mut [0; 512]).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        match timeout(self.deadline, read).await {
            Ok(Ok(())) => {}
            // It hung up without a farewell of TLS, after it had ours.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Ok(Err(error)) => return Err(self.unreachable(&reason(&error))),
            Err(_elapsed) => {
                return Err(self.unreachable(
                    "it does not close the connection, so nobody knows whether it has read \
                     everything",
                ));
            }
        }
        // One that had closed before it got everything says so when that arrives.
        let tcp = tcp(&stream);
        let refused = timeout(REFUSAL_MAX, tcp.ready(Interest::ERROR)).await;
        match tcp.take_error() {
            Ok(None) if refused.is_err() => Ok(()),
            Ok(Some(error)) | Err(error) => Err(self.unreachable(&reason(&error))),
            Ok(None) => Err(self.unreachable("it closed the connection too early")),
        }
    }

    /// One message of RFC 5424: its text is JSON in one line.
    fn message(&self, entry: &AuditEntry, json: &str) -> String {
        let time = entry.time().map(|time| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
        let time = time.unwrap_or_else(|_impossible| "-".to_owned());
        let kind = EventKind::parse(&entry.kind).map_or("-", EventKind::name);
        let (origin, process) = (&self.origin, std::process::id());
        format!("<{PRIORITY}>1 {time} {origin} countersign {process} {kind} - {json}")
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = io::Result<T>>,
    ) -> Result<T, ConnectorError> {
        match timeout(self.deadline, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.unreachable(&reason(&error))),
            Err(_elapsed) => Err(self.unreachable("no answer in time")),
        }
    }

    fn unreachable(&self, why: &str) -> ConnectorError {
        ConnectorError::Unreachable { system: self.system(), why: why.to_owned() }
    }
}
