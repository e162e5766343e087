//! A syslog server over TCP or TLS that keeps what it reads.

use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// How it treats a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manners {
    /// Reads to the end and closes, as syslog servers do.
    Close,
    /// Reads to the end and keeps the connection.
    Stay,
    /// Hangs up at once.
    HangUp,
}

pub(super) struct SyslogServer {
    pub(super) port: u16,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    manners: Arc<Mutex<Manners>>,
    task: JoinHandle<()>,
}

impl Drop for SyslogServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SyslogServer {
    pub(super) async fn start(manners: Manners, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let manners = Arc::new(Mutex::new(manners));
        let (notes, now) = (Arc::clone(&heard), Arc::clone(&manners));
        let tls = tls.map(TlsAcceptor::from);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (notes, manners, tls) = (Arc::clone(&notes), *now.lock().unwrap(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => listen(stream, manners, &notes).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                listen(stream, manners, &notes).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, heard, manners, task }
    }

    pub(super) fn behave(&self, manners: Manners) {
        *self.manners.lock().unwrap() = manners;
    }

    /// The messages of all connections, by the octets that each counts.
    pub(super) fn messages(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().flat_map(|bytes| frames(bytes)).collect()
    }

    pub(super) fn connections(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

async fn listen(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    manners: Manners,
    notes: &Mutex<Vec<Vec<u8>>>,
) {
    if manners == Manners::HangUp {
        return;
    }
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes).await;
    if read.is_err() || bytes.is_empty() {
        return;
    }
    notes.lock().unwrap().push(bytes);
    if manners == Manners::Stay {
        std::future::pending::<()>().await;
    }
    let _closed = stream.shutdown().await.is_ok();
}

/// Splits `MSG-LEN SP SYSLOG-MSG` (RFC 6587, 3.4.1), and takes nothing else.
fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let blank = bytes.iter().position(|byte| *byte == b' ').unwrap();
        let (digits, rest) = bytes.split_at(blank);
        assert!(digits.iter().all(u8::is_ascii_digit) && digits[0] != b'0', "{digits:?}");
        let length: usize = str::from_utf8(digits).unwrap().parse().unwrap();
        let (frame, rest) = rest[1..].split_at(length);
        frames.push(String::from_utf8(frame.to_vec()).unwrap());
        bytes = rest;
    }
    frames
}
