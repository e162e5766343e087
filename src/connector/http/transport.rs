//! How a connection fails, in our words. Those of the libraries help nobody: some are a link into
//! a manual, and the outermost ones may show a URL.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the errors of std and rustls are non-exhaustive; these words are for a few of them"
)]

use std::{
    error::Error as StdError,
    io, iter,
    net::{Ipv4Addr, UdpSocket},
};

use rustls::{CertificateError, OtherError};

/// What is said where no cause is one that this file knows.
const UNKNOWN: &str = "the connection failed";
/// The other side hung up, in whichever way: one end of a connection must not be told in two ways.
const CUT: &str = "the connection ended before its answer was complete";
/// What is said where nobody listens at an address.
pub(in crate::connector) const REFUSED: &str = "the connection was refused; nothing listens there";
/// How std and the HTTP client say that a name was not found; they have no kind for it.
const NAME_NOT_FOUND: [&str; 2] = ["failed to lookup address information", "dns error"];

/// What this machine was out of, by the number that Linux gives (`errno(3)`): a try again (ports or
/// routes), memory, open files of the system and of the process, addresses, buffers.
const LACKS: [i32; 6] = [11, 12, 23, 24, 99, 105];
/// How glibc and musl say that the resolver itself failed, not that nobody has the name
/// (`gai_strerror(3)`); std has no kind for it.
const RESOLVER_FAILED: [&str; 5] = [
    "Temporary failure in name resolution",
    "Memory allocation failure",
    "System error",
    "Try again",
    "Out of memory",
];

/// What this machine itself lacked for a connection; none where the other side is the cause.
pub(in crate::connector) fn local_lack(error: &(dyn StdError + 'static)) -> Option<String> {
    causes(error).find_map(|cause| {
        let error = cause.downcast_ref::<io::Error>()?;
        let said = error.to_string();
        let lack = error.raw_os_error().is_some_and(|number| LACKS.contains(&number));
        let resolver = NAME_NOT_FOUND.iter().any(|start| said.starts_with(start))
            && RESOLVER_FAILED.iter().any(|end| said.ends_with(end));
        (lack || resolver).then_some(said)
    })
}

/// What this machine lacks for one more connection, tried out; none where it lacks nothing.
pub(in crate::connector) fn lacks_socket() -> Option<String> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
    socket.err().map(|error| error.to_string())
}

/// Why a call has no answer: the innermost cause that is known, in a sentence without a full stop.
pub(in crate::connector) fn reason(error: &(dyn StdError + 'static)) -> String {
    causes(error).filter_map(words).last().unwrap_or_else(|| UNKNOWN.to_owned())
}

/// An error with all that caused it, the outermost first.
pub(in crate::connector) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |error| within(*error))
}

/// The next cause; I/O and TLS errors hide theirs from [`StdError::source`].
fn within<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return Some(inner);
    }
    if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner)))) =
        error.downcast_ref()
    {
        return Some(inner.as_ref());
    }
    error.source()
}

fn words(cause: &(dyn StdError + 'static)) -> Option<String> {
    let said = cause.to_string();
    if NAME_NOT_FOUND.iter().any(|start| said.starts_with(start)) {
        return Some("its name cannot be resolved to an address".to_owned());
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return of_io(error);
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error));
    }
    let error = cause.downcast_ref::<hyper::Error>()?;
    let what = if error.is_parse() {
        "what it answers is not HTTP"
    } else if error.is_incomplete_message() {
        CUT
    } else {
        return None;
    };
    Some(what.to_owned())
}

/// None where the error only carries another one.
fn of_io(error: &io::Error) -> Option<String> {
    let what = match error.kind() {
        io::ErrorKind::ConnectionRefused => REFUSED,
        // With TLS also where it just hangs up: without a farewell, the answer may be cut.
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected => CUT,
        io::ErrorKind::TimedOut => "no answer in time",
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => "there is no route to it from this machine",
        // This machine's own trouble, such as too many open files, in the words of the system.
        _ => return error.raw_os_error().map(|_| format!("this machine could not call: {error}")),
    };
    Some(what.to_owned())
}

fn of_tls(error: &rustls::Error) -> String {
    let what = match error {
        rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => {
            "what it answers is not TLS"
        }
        // Who it is was checked before: what is left is the signature with its key.
        rustls::Error::InvalidCertificate(_) => "it does not hold the key of its certificate",
        rustls::Error::AlertReceived(_) => "it ended the TLS connection with an alert",
        rustls::Error::PeerIncompatible(_) => {
            "it offers no version or cipher of TLS that is allowed here"
        }
        _ => "TLS failed",
    };
    what.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("error sending request for url (https://user:secret@wazuh.example)")]
    struct Outer(#[source] io::Error);

    #[test]
    fn lack_of_this_machine_is_told_from_others_faults() {
        let resolver = "failed to lookup address information: ";
        let lacks = [
            io::Error::from_raw_os_error(24),
            io::Error::from_raw_os_error(12),
            io::Error::from_raw_os_error(99),
            io::Error::other(format!("{resolver}Temporary failure in name resolution")),
        ];
        for error in lacks {
            let said = error.to_string();
            assert_eq!(local_lack(&Outer(error)), Some(said));
        }
        let others = [
            io::ErrorKind::ConnectionRefused.into(),
            io::Error::from_raw_os_error(111),
            io::Error::from_raw_os_error(113),
            io::Error::other(format!("{resolver}Name or service not known")),
            io::Error::other("Out of memory, says a library"),
        ];
        for error in others {
            assert_eq!(local_lack(&Outer(error)), None);
        }
    }

    #[test]
    fn innermost_known_cause_is_said_in_our_words() {
        let manual = "peer closed connection without sending TLS close_notify: \
                      https://docs.rs/rustls/latest/rustls/manual/_03_howto/index.html";
        let tls = io::Error::other(rustls::Error::AlertReceived(
            rustls::AlertDescription::HandshakeFailure,
        ));
        let (eof, reset) = (io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset);
        for (error, said) in [
            (io::Error::new(eof, manual), CUT),
            (reset.into(), CUT),
            (tls, "it ended the TLS connection with an alert"),
            (io::Error::other("some library's words"), UNKNOWN),
        ] {
            assert_eq!(reason(&Outer(error)), said);
        }
        let full = reason(&Outer(io::Error::from_raw_os_error(24)));
        assert!(full.starts_with("this machine could not call: "), "{full}");
    }
}
