//! A server that remembers what it hears and says what it is told to.

use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// Which connection it came on, counted from 1.
    pub(crate) connection: usize,
    /// Method and target: `PUT /active-response?…`.
    pub(crate) line: String,
    /// All header lines, in lower case.
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// Says something for a request: the whole answer; hangs up after one that is shorter than it says.
type Script = dyn Fn(&Heard) -> String + Send + Sync;

#[derive(Debug)]
pub(crate) struct Tap {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    task: JoinHandle<()>,
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tap {
    pub(crate) async fn start(script: impl Fn(&Heard) -> String + Send + Sync + 'static) -> Self {
        Self::listen(None, script).await
    }

    pub(crate) async fn start_tls(
        config: Arc<ServerConfig>,
        script: impl Fn(&Heard) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(TlsAcceptor::from(config)), script).await
    }

    async fn listen(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Heard) -> String + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (notes, script): (_, Arc<Script>) = (Arc::clone(&heard), Arc::new(script));
        let task = tokio::spawn(async move {
            for connection in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (notes, script, tls) = (Arc::clone(&notes), Arc::clone(&script), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => converse(stream, connection, &notes, &*script).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return None };
                            converse(stream, connection, &notes, &*script).await
                        }
                    }
                });
            }
        });
        Self { port, heard, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn tls_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// What it heard whose line starts so.
    pub(crate) fn heard(&self, start: &str) -> Vec<Heard> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|heard| heard.line.starts_with(start)).cloned().collect()
    }
}

/// Listens and answers until one side hangs up.
async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    notes: &Mutex<Vec<Heard>>,
    script: &Script,
) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
            // No HTTP: hang up as a web server does, instead of waiting for the end of a line.
            if !head.is_ascii() || head[0].is_ascii_control() {
                return stream.write_all(say(400, "").as_bytes()).await.ok();
            }
        }
        let head = String::from_utf8(head).ok()?;
        let (line, headers) = head.split_once("\r\n")?;
        let headers = headers.to_lowercase();
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await.ok()?;
        let line = line.trim_end_matches(" HTTP/1.1").to_owned();
        let body = String::from_utf8(body).ok()?;
        let heard = Heard { connection, line, headers, body };
        notes.lock().unwrap().push(heard.clone());
        let answer = script(&heard);
        stream.write_all(answer.as_bytes()).await.ok()?;
        if is_cut(&answer) {
            return None;
        }
    }
}

/// Whether an answer has no end, or less of a body than it says.
fn is_cut(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return true };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| body.len() < length.parse().unwrap())
}

/// An answer of this status and body.
pub(crate) fn say(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Because\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// The same in the form in which the manager refuses.
pub(crate) fn refuse(status: u16, body: &str) -> String {
    let form = "application/problem+json; charset=utf-8";
    say(status, body).replacen(
        "content-length",
        &format!("content-type: {form}\r\ncontent-length"),
        1,
    )
}

/// The answer to a login.
pub(crate) fn token(text: &str) -> String {
    say(200, &format!(r#"{{"data": {{"token": "{text}"}}, "error": 0}}"#))
}

/// A script for a manager that signs anybody in and answers everything else so.
pub(crate) fn always(status: u16, body: &str) -> impl Fn(&Heard) -> String + Send + Sync + 'static {
    after_login(say(status, body))
}

/// The same with an answer of any form.
pub(crate) fn after_login(answer: String) -> impl Fn(&Heard) -> String + Send + Sync + 'static {
    move |heard| {
        let login = heard.line.ends_with("/security/user/authenticate");
        if login { token("any") } else { answer.clone() }
    }
}
