//! The certificate that people and agents are shown: read at the start, and again when it is renewed.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{AppError, only_ours};
use crate::{
    clock::Clock,
    config::{Config, ConfigError},
    connector::byte_order_mark,
    domain::{Time, certificate::CertificateStatus, digest::Digest},
    trusted_file,
};

const CHAIN: &str = "server.tls_certificate_file";
const KEY: &str = "server.tls_key_file";
/// What is spoken over TLS (RFC 7301). A browser speaks HTTP/2 only where that is offered here.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// How often the files are looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(10);

/// The files of a certificate chain and its key.
#[derive(Debug, Clone)]
pub(super) struct CertificateFiles {
    chain: PathBuf,
    key: PathBuf,
}

/// What the files hold.
struct Contents {
    chain: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate that can be used.
pub(super) struct Usable {
    config: Arc<ServerConfig>,
    /// From when and until when.
    pub(super) valid: (Time, Time),
}

/// The certificate in use. A new one in its files takes its place, unless it is a bad one.
#[derive(Clone)]
pub struct ServerCertificate {
    files: CertificateFiles,
    pub(super) config: RustlsConfig,
    status: watch::Sender<CertificateStatus>,
    /// What the files held when they were last tried.
    tried: Arc<Mutex<Digest>>,
    /// Somebody wants them to be looked at.
    asked: Arc<Notify>,
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl CertificateFiles {
    /// The files that a configuration names; none where it names none.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let (chain, key) = (&config.server.tls_certificate_file, &config.server.tls_key_file);
        chain.clone().zip(key.clone()).map(|(chain, key)| Self { chain, key })
    }

    fn read(&self) -> Result<Contents, AppError> {
        only_ours(&self.key)?;
        Ok(Contents { chain: pem(CHAIN, &self.chain)?, key: pem(KEY, &self.key)? })
    }

    /// Reads and checks them.
    pub(super) fn load(&self) -> Result<Usable, AppError> {
        self.check(&self.read()?)
    }

    fn check(&self, contents: &Contents) -> Result<Usable, AppError> {
        let bad_chain = |why: &dyn fmt::Display| wrong(CHAIN, &self.chain, why);
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&contents.chain)
            .collect::<Result<_, _>>()
            .map_err(|why| bad_chain(&why))?;
        let valid = certificates.first().ok_or_else(|| bad_chain(&"it holds no certificate"))?;
        let valid = validity(valid).ok_or_else(|| bad_chain(&"its dates cannot be read"))?;
        let private = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|why| wrong(KEY, &self.key, &why))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(certificates, private)
            })
            .map_err(|why| bad_chain(&why))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Usable { config: Arc::new(config), valid })
    }
}

impl Contents {
    fn digest(&self) -> Digest {
        let parts = [Digest::of(&self.chain), Digest::of(&self.key)];
        Digest::of(parts.map(|part| part.to_string()).concat().as_bytes())
    }
}

impl ServerCertificate {
    /// Reads the certificate that a configuration names; none where it names none.
    pub(super) fn load(config: &Config) -> Result<Option<Self>, AppError> {
        let Some(files) = CertificateFiles::of(config) else { return Ok(None) };
        let contents = files.read()?;
        let usable = files.check(&contents)?;
        let status = CertificateStatus { ends: usable.valid.1, problem: None };
        Ok(Some(Self {
            files,
            config: RustlsConfig::from_config(usable.config),
            status: watch::Sender::new(status),
            tried: Arc::new(Mutex::new(contents.digest())),
            asked: Arc::default(),
        }))
    }

    /// What people are told of it.
    pub(super) fn status(&self) -> watch::Receiver<CertificateStatus> {
        self.status.subscribe()
    }

    /// Puts what the files hold in its place, if that is new: connections from now on get it. A bad
    /// one, or one whose time has not come or is over, is not taken; the log and the page say why.
    fn renew_now(&self, now: Time) {
        let contents = match self.files.read() {
            Ok(contents) => contents,
            Err(error) => return self.stay(&error.to_string()),
        };
        {
            let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
            let digest = contents.digest();
            let same = std::mem::replace(&mut *tried, digest) == digest;
            if same && self.status.borrow().problem.is_none() {
                return;
            }
        }
        let usable = match self.files.check(&contents) {
            Ok(usable) => usable,
            Err(error) => return self.stay(&error.to_string()),
        };
        let (begins, ends) = usable.valid;
        if now < begins || now >= ends {
            let form = "%Y-%m-%d %H:%M UTC";
            let (begins, ends) = (begins.format(form), ends.format(form));
            let file = self.files.chain.display();
            return self.stay(&format!("{file} is valid from {begins} to {ends}, not now"));
        }
        self.config.reload_from_config(usable.config);
        tracing::info!(%ends, "the certificate was renewed");
        self.status.send_replace(CertificateStatus { ends, problem: None });
    }

    /// Has the files looked at soon. Whoever asks does not wait for that.
    pub(super) fn look(&self) {
        self.asked.notify_one();
    }

    /// Looks again and again whether the files hold a new one, until told to stop: also while a disk
    /// does not answer.
    pub(super) async fn watch(self, clock: Clock, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let look = async {
                tokio::select! {
                    () = self.asked.notified() => {}
                    () = clock.pause(WATCH_INTERVAL) => {}
                }
                self.renew(clock.now()).await;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = look => {}
            }
        }
    }

    /// [`ServerCertificate::renew_now`] where a disk that does not answer holds up nobody else.
    async fn renew(&self, now: Time) {
        let certificate = self.clone();
        let renewed = tokio::task::spawn_blocking(move || certificate.renew_now(now));
        if let Err(error) = renewed.await {
            tracing::error!(%error, "a part of the broker failed");
        }
    }

    fn stay(&self, why: &str) {
        let news = self.status.send_if_modified(|status| {
            let news = status.problem.as_deref() != Some(why);
            status.problem = Some(why.to_owned());
            news
        });
        if news {
            tracing::warn!(why, "the new certificate cannot be used; the old one stays in use");
        }
    }
}

fn wrong(key: &str, file: &Path, why: &dyn fmt::Display) -> AppError {
    let allowed = format!("a PEM file that can be used ({why})");
    ConfigError::value(key, &file.display(), allowed).into()
}

fn pem(key: &str, file: &Path) -> Result<Vec<u8>, AppError> {
    let bytes = trusted_file::read_bytes(file).map_err(|why| wrong(key, file, &why))?;
    match byte_order_mark(&bytes) {
        None => Ok(bytes),
        Some(mark) => Err(wrong(key, file, &format!("it begins with {mark}"))),
    }
}

/// From when and until when a certificate is valid.
fn validity(certificate: &CertificateDer<'_>) -> Option<(Time, Time)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let moment = |at: x509_parser::time::ASN1Time| Time::from_timestamp(at.timestamp(), 0);
    Some((moment(parsed.validity().not_before)?, moment(parsed.validity().not_after)?))
}
