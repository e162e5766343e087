//! A message as a mail over SMTP (RFC 5321): one receiver, plain text, words of our own.
//!
//! As little of the protocol as that needs. It stands here and not in a crate so that a mail
//! server proves itself as all others do, by `ca_file` or `pin_sha256`.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::BufReader,
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    Message, format,
    smtp::{self, Trust},
};
use crate::{
    connector::http::{
        client::{BaseUrl, first_chars},
        error::ConnectorError,
        secret::{CurrentSecret, Secret, Tls},
        transport::reason,
    },
    text::notification,
};

/// The section of the configuration.
const SECTION: &str = "notify.mail";
/// A mail takes about ten replies; together they may take this many times the deadline.
const PATIENCE: u32 = 3;
/// How long a reply may be, in bytes.
const REPLY_BYTES_MAX: u64 = 64 * 1024;

/// How mail is sent.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The mail server: a name, or an address without brackets.
    pub host: String,
    /// The port that it listens on: often 587, or 465 with `implicit`.
    pub port: u16,
    /// TLS from the first byte, rather than after `STARTTLS`. Without [`Tls::Plain`] one of the two
    /// is insisted on.
    pub implicit: bool,
    /// How the server proves itself.
    pub tls: Tls,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// The sender's address.
    pub from: String,
    /// How long the connection, or an answer, may take.
    pub deadline: Duration,
}

/// Whether a text can stand as a mail address in a command and a header: ASCII, one `@`, nothing
/// that ends or quotes anything.
pub fn is_mail_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let parts = text.split_once('@');
    text.len() <= 254
        && parts.is_some_and(|(local, domain)| {
            let dotted = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
            !local.is_empty()
                && !domain.is_empty()
                && local.chars().all(plain)
                && domain.chars().all(dotted)
        })
}

pub(super) struct MailChannel {
    settings: MailSettings,
    /// The user, and the password as it was last read.
    login: Option<(String, CurrentSecret)>,
    system: String,
}

impl MailChannel {
    pub(super) fn new(settings: MailSettings) -> Result<Self, ConnectorError> {
        let MailSettings { host, port, tls, .. } = &settings;
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let scheme = if *tls == Tls::Plain { "http" } else { "https" };
        // The same rule as for every other system: without TLS only on this machine.
        BaseUrl::read(&format!("{scheme}://{bracketed}:{port}"), tls, SECTION).map_err(
            |_wrong| {
                let allowed = "tls = \"none\" is for this machine only; otherwise a host, tls, and \
                           ca_file or pin_sha256";
                ConnectorError::settings(format!("{SECTION}.host"), host, allowed)
            },
        )?;
        if !is_mail_address(&settings.from) {
            let key = format!("{SECTION}.from");
            return Err(ConnectorError::settings(key, &settings.from, "it is a mail address"));
        }
        if settings.tls != Tls::Plain {
            crate::connector::http::tls::client_config(&settings.tls, SECTION)?;
        }
        let system = format!("the mail server {host}:{port}");
        let login = settings.login.clone();
        let login = login.map(|(user, password)| (user, CurrentSecret::new(password)));
        Ok(Self { settings, login, system })
    }

    pub(super) fn place(&self) -> String {
        format!("mail by {}", self.settings.host)
    }

    pub(super) async fn deliver(&self, message: &Message) -> Result<(), ConnectorError> {
        let to = message.to.as_deref().filter(|to| is_mail_address(to));
        let to = to.ok_or_else(|| self.wrong("the recipient's mail address is not valid"))?;
        self.in_time(async {
            let mut session = self.begin().await?;
            session.ask(&format!("MAIL FROM:<{}>", self.settings.from), 250).await?;
            session.ask(&format!("RCPT TO:<{to}>"), 250).await?;
            session.ask("DATA", 354).await?;
            session.ask(&format!("{}\r\n.", self.message(message, to)), 250).await?;
            // It has taken the mail: however this ends.
            let _bye = session.ask("QUIT", 221).await.is_ok();
            Ok(())
        })
        .await
    }

    pub(super) async fn examine(&self) -> Result<String, ConnectorError> {
        self.in_time(async {
            let mut session = self.begin().await?;
            let _bye = session.ask("QUIT", 221).await.is_ok();
            Ok(format!("{} lets us in", self.system))
        })
        .await
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, ConnectorError>>,
    ) -> Result<T, ConnectorError> {
        let deadline = self.settings.deadline * PATIENCE;
        timeout(deadline, work)
            .await
            .unwrap_or_else(|_elapsed| Err(self.wrong("no answer in time")))
    }

    fn wrong(&self, why: &str) -> ConnectorError {
        ConnectorError::Unreachable { system: self.system.clone(), why: why.to_owned() }
    }

    /// Connects and signs in; where the password is refused and its file holds another one by now,
    /// once more with that one.
    async fn begin(&self) -> Result<SmtpSession, ConnectorError> {
        match (self.begin_once().await, &self.login) {
            (Err(ConnectorError::LoginRefused { .. }), Some((_, password)))
                if password.renew()? =>
            {
                self.begin_once().await
            }
            (done, _) => done,
        }
    }

    /// Connects, makes the connection private, says hello and signs in.
    async fn begin_once(&self) -> Result<SmtpSession, ConnectorError> {
        let MailSettings { host, port, implicit, tls, deadline, .. } = &self.settings;
        let tcp = smtp::connect((host, *port), &self.system, *deadline).await?;
        let me = match tcp.local_addr() {
            Ok(address) if address.is_ipv6() => format!("EHLO [IPv6:{}]", address.ip()),
            Ok(address) => format!("EHLO [{}]", address.ip()),
            Err(error) => return Err(self.wrong(&reason(&error))),
        };
        let plain = *tls == Tls::Plain;
        let mut session = if *implicit && !plain {
            self.private(tcp).await?.greeted().await?
        } else {
            SmtpSession::new(tcp, &self.system).greeted().await?
        };
        let mut offers = session.ask(&me, 250).await?;
        if !*implicit && !plain {
            if !offers.iter().any(|offer| offer.eq_ignore_ascii_case("STARTTLS")) {
                return Err(self.wrong("it does not offer STARTTLS, and nothing is sent without"));
            }
            session.ask("STARTTLS", 220).await?;
            session = self.private(session.bare()?).await?;
            offers = session.ask(&me, 250).await?;
        }
        if let Some((user, password)) = &self.login {
            session.sign_in(&offers, user, password.get().expose()).await?;
        }
        Ok(session)
    }

    async fn private(&self, tcp: TcpStream) -> Result<SmtpSession, ConnectorError> {
        let MailSettings { host, tls, deadline, .. } = &self.settings;
        let trust = Trust { tls, section: SECTION };
        let stream = smtp::secure(tcp, (host, trust), &self.system, *deadline).await?;
        Ok(SmtpSession {
            wire: SmtpStream::Private(Box::new(BufReader::new(stream))),
            system: self.system.clone(),
        })
    }

    fn message(&self, message: &Message, to: &str) -> String {
        let from = &self.settings.from;
        let domain = from.rsplit_once('@').map_or("", |(_, domain)| domain);
        let text = format::mail(message);
        let bits = if text.is_ascii() { "7bit" } else { "8bit" };
        let head = format!(
            "From: Countersign <{from}>\nTo: <{to}>\nSubject: Countersign: {}\nDate: {}\n\
             Message-ID: <{}@{domain}>\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {bits}\n",
            notification::title(&message.notice, message.more),
            message.notice.at.to_rfc2822(),
            message.id,
        );
        // A line that is a dot alone would end it.
        let lines = head.lines().chain([""]).chain(text.trim_end().lines());
        let stuffed = lines
            .map(|line| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() });
        stuffed.collect::<Vec<_>>().join("\r\n")
    }
}

/// A connection, before and after it became private.
enum SmtpStream {
    Plain(BufReader<TcpStream>),
    Private(Box<BufReader<tokio_rustls::client::TlsStream<TcpStream>>>),
}

/// A conversation with a mail server.
struct SmtpSession {
    wire: SmtpStream,
    system: String,
}

impl SmtpSession {
    fn new(tcp: TcpStream, system: &str) -> Self {
        Self { wire: SmtpStream::Plain(BufReader::new(tcp)), system: system.to_owned() }
    }

    async fn greeted(mut self) -> Result<Self, ConnectorError> {
        self.reply(220).await?;
        Ok(self)
    }

    /// The connection itself, for TLS. What came before TLS began is not trusted.
    fn bare(self) -> Result<TcpStream, ConnectorError> {
        match self.wire {
            SmtpStream::Plain(reader) if reader.buffer().is_empty() => Ok(reader.into_inner()),
            SmtpStream::Plain(_) | SmtpStream::Private(_) => {
                let why = "it spoke before TLS began".to_owned();
                Err(ConnectorError::Unreachable { system: self.system, why })
            }
        }
    }

    /// Says a line and requires this code; the lines of the reply.
    async fn ask(&mut self, line: &str, code: u16) -> Result<Vec<String>, ConnectorError> {
        let said = format!("{line}\r\n");
        let done = match &mut self.wire {
            SmtpStream::Plain(wire) => say(wire, said.as_bytes()).await,
            SmtpStream::Private(wire) => say(wire, said.as_bytes()).await,
        };
        done.map_err(|error| self.broken(&reason(&error)))?;
        self.reply(code).await
    }

    async fn reply(&mut self, wanted: u16) -> Result<Vec<String>, ConnectorError> {
        let read = match &mut self.wire {
            SmtpStream::Plain(wire) => read_reply(wire).await,
            SmtpStream::Private(wire) => read_reply(wire).await,
        };
        let (code, lines) = read.map_err(|why| self.broken(&why))?;
        if code == wanted || (wanted == 250 && code == 251) {
            return Ok(lines);
        }
        let (system, detail) = (self.system.clone(), first_chars(&lines.join(" ")));
        Err(match code {
            535 => ConnectorError::LoginRefused { system },
            status => ConnectorError::Answer { system, status, detail },
        })
    }

    async fn sign_in(
        &mut self,
        offers: &[String],
        user: &str,
        password: &str,
    ) -> Result<(), ConnectorError> {
        let offered = |way: &str| {
            offers
                .iter()
                .filter_map(|offer| offer.to_uppercase().strip_prefix("AUTH ").map(str::to_owned))
                .any(|ways| ways.split(' ').any(|one| one == way))
        };
        if offered("PLAIN") {
            let both = STANDARD.encode(format!("\0{user}\0{password}"));
            self.ask(&format!("AUTH PLAIN {both}"), 235).await?;
        } else if offered("LOGIN") {
            self.ask("AUTH LOGIN", 334).await?;
            self.ask(&STANDARD.encode(user), 334).await?;
            self.ask(&STANDARD.encode(password), 235).await?;
        } else {
            return Err(self.broken("it offers neither AUTH PLAIN nor AUTH LOGIN"));
        }
        Ok(())
    }

    fn broken(&self, why: &str) -> ConnectorError {
        ConnectorError::Unreachable { system: self.system.clone(), why: why.to_owned() }
    }
}

async fn say(wire: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    wire.write_all(bytes).await?;
    wire.flush().await
}

/// Code and lines of a reply: `250-one`, `250 two`.
async fn read_reply(
    wire: &mut BufReader<impl AsyncRead + Unpin>,
) -> Result<(u16, Vec<String>), String> {
    let mut limited = wire.take(REPLY_BYTES_MAX);
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        limited.read_until(b'\n', &mut line).await.map_err(|error| reason(&error))?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let code = line.get(..3).and_then(|code| code.parse().ok());
        let (Some(code), Some(rest)) = (code, line.get(3..)) else {
            let said = if line.is_empty() { "nothing more".to_owned() } else { first_chars(&line) };
            return Err(format!("it says what is no SMTP: {said}"));
        };
        lines.push(rest.get(1..).unwrap_or_default().to_owned());
        if !rest.starts_with('-') {
            return Ok((code, lines));
        }
    }
}
