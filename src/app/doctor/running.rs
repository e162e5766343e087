//! Whether a broker runs for this configuration, and what it says of itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    clock::Clock,
    config::ServerConfig,
    connector::{Diagnosis, Readiness, readiness},
    domain::digest::Digest,
    store::{Store, StoreError},
    trusted_file,
};

const CHECK: &str = "running broker";
/// What keeps the broker from being found where it should be.
const MOVED: &str = "look at its log; if server.listen or the certificate is another than when it \
                     started, restart it";
const TAKEN: &str = "find out which program has the port: this broker cannot start beside it";

/// Asks what listens at its address, over the loopback, whatever name and proxy stand in front.
/// `served`: whether a server has the database.
pub(super) async fn running(
    server: &ServerConfig,
    served: Result<bool, StoreError>,
    store: Option<&Store>,
    clock: &Clock,
) -> Diagnosis {
    let served = match served {
        Ok(served) => served,
        Err(error) => {
            return Diagnosis::bad(CHECK, error.to_string(), "look at the rights of the database");
        }
    };
    let mut address = server.listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let challenge = Digest::of(&clock.random::<32>());
    let host = server.public_url.host();
    match (readiness(address, &host, pin(server), challenge).await, served) {
        (Ok(Readiness::Nobody), false) => {
            let found = format!("none answers at {address}, and none has the database");
            Diagnosis::good(CHECK, found)
        }
        (Ok(Readiness::Nobody), true) => {
            let found = format!("a broker has the database, and nobody listens at {address}");
            Diagnosis::bad(CHECK, found, MOVED)
        }
        (Ok(Readiness::Answer { status, said, proof }), served) => {
            // After the answer: a new database may have been begun just before it.
            let expected = match store {
                Some(store) => store.proof(challenge).await.ok().flatten(),
                None => None,
            };
            let ours = proof.is_some() && proof == expected;
            answered(address, (status, &said), served, ours)
        }
        (Err(error), true) => {
            Diagnosis::bad(CHECK, format!("a broker has the database, but: {error}"), MOVED)
        }
        (Err(error), false) => {
            Diagnosis::bad(CHECK, format!("no broker has the database, but: {error}"), TAKEN)
        }
    }
}

/// `ours`: whether it has shown that it serves this database, or a copy of it.
fn answered(
    address: SocketAddr,
    (status, said): (u16, &str),
    served: bool,
    ours: bool,
) -> Diagnosis {
    const SAID: &str = "look at the page System and at the log; \"A bad day\" in docs/operating.md \
                        says what to do";
    const COPY: &str = "if the file was replaced while the broker ran, stop it and start it again; \
                        else find out which installation has the port";
    match (ours, served, status) {
        (true, true, 200) => Diagnosis::good(CHECK, format!("it is ready at {address}")),
        (true, true, _) => Diagnosis::bad(CHECK, format!("it is {said}"), SAID),
        (true, false, _) => {
            let found = format!(
                "the broker at {address} serves another copy of this database: none has this file"
            );
            Diagnosis::bad(CHECK, found, COPY)
        }
        (false, true, _) => {
            let found = format!(
                "a broker has the database, and it is not shown to be what answers at {address} \
                 (with {status})"
            );
            Diagnosis::bad(CHECK, found, MOVED)
        }
        (false, false, _) => {
            let found = format!(
                "what answers at {address} (with {status}) is no broker of this database, which \
                 none has"
            );
            Diagnosis::bad(CHECK, found, TAKEN)
        }
    }
}

/// The SHA-256 of the certificate that is configured: it is known, so nobody need vouch for it. A
/// file that cannot be read shows at the start.
fn pin(server: &ServerConfig) -> Option<[u8; 32]> {
    let file = server.tls_certificate_file.as_ref()?;
    let pem = trusted_file::read_bytes(file).ok()?;
    let certificate = CertificateDer::pem_slice_iter(&pem).next()?.ok()?;
    Some(*Digest::of(&certificate).bytes())
}
