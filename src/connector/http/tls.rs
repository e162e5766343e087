//! Who is at the other end: the verifiers behind `ca_file` and `pin_sha256`.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature,
        verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use super::{
    error::ConnectorError,
    secret::{Tls, byte_order_mark},
};
use crate::{domain::digest::Digest, trusted_file};

/// A certificate that was shown and is not the right one.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(in crate::connector) struct Distrust {
    pub(in crate::connector) presented: Digest,
    pub(in crate::connector) why: String,
}

/// The TLS side of a client. `section` is the part of the configuration that errors name.
pub(in crate::connector) fn client_config(
    tls: &Tls,
    section: &str,
) -> Result<ClientConfig, ConnectorError> {
    // Given to each client by hand: a process-wide default could be another one.
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let judge = match tls {
        Tls::Ca { file, server_name } => {
            let name = server_name.as_deref().map(|name| server_name_of(name, section));
            Judge::Chain(chain(file, Arc::clone(&provider), section)?, name.transpose()?)
        }
        Tls::Pin { sha256 } => Judge::Pin(*sha256),
        Tls::Plain => Judge::NoOne,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectorError::settings(section, "TLS 1.2 and 1.3", error.to_string()))?;
    let verifier = Arc::new(Verifier { judge, algorithms });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn server_name_of(name: &str, section: &str) -> Result<ServerName<'static>, ConnectorError> {
    ServerName::try_from(name.to_owned()).map_err(|error| {
        let key = format!("{section}.tls_server_name");
        ConnectorError::settings(key, name, format!("it is a host name or an address ({error})"))
    })
}

fn chain(
    file: &Path,
    provider: Arc<CryptoProvider>,
    section: &str,
) -> Result<Arc<WebPkiServerVerifier>, ConnectorError> {
    let wrong = |why: String| {
        let key = format!("{section}.ca_file");
        ConnectorError::settings(key, file.display().to_string(), why)
    };
    // It decides whom the password is sent to.
    let read = trusted_file::check_writers(file).and_then(|()| trusted_file::read_bytes(file));
    let bytes = read.map_err(|why| wrong(format!("it cannot be read: {why}")))?;
    if let Some(mark) = byte_order_mark(&bytes) {
        return Err(wrong(format!("it begins with {mark}")));
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| wrong(format!("it is not PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("it holds no sound certificate: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("it is a PEM file with at least one certificate".to_owned()));
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| wrong(error.to_string()))
}

/// By what a certificate is judged.
#[derive(Debug)]
enum Judge {
    /// By its chain, its dates, and this name or else the URL's host.
    Chain(Arc<WebPkiServerVerifier>, Option<ServerName<'static>>),
    /// By its SHA-256.
    Pin([u8; 32]),
    /// The address is `http://`; if TLS is used all the same, no certificate is trusted.
    NoOne,
}

#[derive(Debug)]
struct Verifier {
    judge: Judge,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Digest::of(end_entity);
        let verdict = match &self.judge {
            Judge::Chain(webpki, name) => {
                let name = name.as_ref().unwrap_or(host);
                webpki
                    .verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
                    .map(|_| ())
                    .map_err(|error| error.to_string())
            }
            Judge::Pin(sha256) if presented.bytes() == sha256 => Ok(()),
            Judge::Pin(_) => Err("it is not the one that pin_sha256 names".to_owned()),
            Judge::NoOne => Err("neither ca_file nor pin_sha256 is set".to_owned()),
        };
        match verdict {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(why) => {
                let distrust = OtherError(Arc::new(Distrust { presented, why }));
                Err(Error::InvalidCertificate(CertificateError::Other(distrust)))
            }
        }
    }

    /// Also for a pinned certificate: anybody can show it, only its owner can sign.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
