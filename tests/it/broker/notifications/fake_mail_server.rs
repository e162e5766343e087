//! A mail server that remembers what it was told and refuses what it is told to refuse.

use std::sync::{Arc, Mutex};

use countersign::connector::{Channel, MailSettings, Tls};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// How it speaks.
#[derive(Clone)]
pub(super) enum Speaks {
    Plain,
    StartTls(Arc<ServerConfig>),
    Implicit(Arc<ServerConfig>),
}

/// A mail as it came.
#[derive(Debug, Clone, Default)]
pub(super) struct Mail {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) text: String,
}

pub(super) struct MailServer {
    pub(super) port: u16,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    mails: Vec<Mail>,
    /// Every line beside the mails, and whether it came over TLS.
    lines: Vec<(bool, String)>,
    /// Receivers that are refused.
    refused: Vec<String>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailServer {
    pub(super) async fn start(speaks: Speaks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let notes = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, speaks.clone(), Arc::clone(&notes)));
            }
        });
        Self { port, seen, task }
    }

    pub(super) fn mails(&self) -> Vec<Mail> {
        self.seen.lock().unwrap().mails.clone()
    }

    /// To whom mails came, in the order of the alphabet.
    pub(super) fn receivers(&self) -> Vec<String> {
        let mut all: Vec<_> = self.mails().into_iter().map(|mail| mail.to).collect();
        all.sort();
        all
    }

    pub(super) fn forget(&self) {
        self.seen.lock().unwrap().mails.clear();
    }

    pub(super) fn lines(&self) -> Vec<(bool, String)> {
        self.seen.lock().unwrap().lines.clone()
    }

    pub(super) fn refuse(&self, to: &str) {
        self.seen.lock().unwrap().refused.push(to.to_owned());
    }

    pub(super) fn settings(&self, tls: Tls) -> MailSettings {
        MailSettings {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            implicit: false,
            tls,
            login: None,
            from: "countersign@example.org".to_owned(),
            deadline: std::time::Duration::from_secs(5),
        }
    }

    pub(super) fn channel(&self) -> Channel {
        Channel::mail(self.settings(Tls::Plain)).unwrap()
    }
}

async fn serve(stream: TcpStream, speaks: Speaks, seen: Arc<Mutex<Seen>>) -> Option<()> {
    match speaks {
        Speaks::Plain => converse(stream, (false, false), &seen).await.map(drop),
        Speaks::Implicit(config) => {
            let stream = TlsAcceptor::from(config).accept(stream).await.ok()?;
            converse(stream, (true, false), &seen).await.map(drop)
        }
        Speaks::StartTls(config) => {
            let stream = converse(stream, (false, true), &seen).await?;
            let stream = TlsAcceptor::from(config).accept(stream).await.ok()?;
            speak(&mut BufReader::new(stream), (true, false), &seen).await.map(drop)
        }
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    how: (bool, bool),
    seen: &Mutex<Seen>,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example ready\r\n").await.ok()?;
    speak(&mut stream, how, seen).await?;
    Some(stream.into_inner())
}

/// Answers until `STARTTLS`; nothing once the other side is gone.
async fn speak(
    stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>,
    (private, starttls): (bool, bool),
    seen: &Mutex<Seen>,
) -> Option<()> {
    let mut mail = Mail::default();
    loop {
        let line = line(stream).await?;
        seen.lock().unwrap().lines.push((private, line.clone()));
        let within = || line.split_once('<').unwrap().1.trim_end_matches('>').to_owned();
        let answer = match line.split(' ').next().unwrap() {
            "EHLO" if starttls => "250-mail.example\r\n250 STARTTLS",
            "EHLO" => "250-mail.example\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN",
            "STARTTLS" => {
                stream.write_all(b"220 go on\r\n").await.ok()?;
                return Some(());
            }
            "AUTH" if line.ends_with("AHVzZXIAcGFzcw==") => "235 welcome",
            "AUTH" => "535 no",
            "MAIL" => {
                mail.from = within();
                "250 ok"
            }
            "RCPT" => {
                mail.to = within();
                let refused = seen.lock().unwrap().refused.contains(&mail.to);
                if refused { "550 nobody of that name" } else { "250 ok" }
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                mail.text = text(stream).await?;
                seen.lock().unwrap().mails.push(mail.clone());
                "250 taken"
            }
            "QUIT" => "221 bye",
            other => panic!("{other}"),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}

async fn line(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    assert!(line.ends_with("\r\n"), "{line:?}");
    Some(line.trim_end().to_owned())
}

async fn text(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = line(stream).await?;
        if line == "." {
            return Some(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
}
