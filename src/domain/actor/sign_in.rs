//! Where a sign-in comes from: for the limit on failures, and for the audit.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use crate::domain::digest::Digest;

/// So much is kept of what a browser says it is.
const DEVICE_CHARS_MAX: usize = 160;

/// The address that a request comes from; none where proxies do not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

/// What failed sign-ins are counted by: something that one stranger has, and others have not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An address. Of IPv6 the network of 64 bits: whoever has one address of it has all.
    Address(IpAddr),
    /// A browser in which this person signed in before, by the hash of what it was given.
    Browser(Digest),
    /// A session that goes on, by the hash of its token.
    Session(Digest),
    /// A proxy that says nothing that can be trusted: everybody comes from it, so nothing is
    /// counted.
    Proxy,
    /// This program: the command line, the demo.
    Program,
}

impl Source {
    /// The source that an address belongs to.
    pub fn of(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let network = v6.to_bits() >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(v4 @ IpAddr::V4(_)) => v4.fmt(f),
            Self::Address(v6 @ IpAddr::V6(_)) => write!(f, "{v6}/64"),
            Self::Browser(_) => f.write_str("a known browser"),
            Self::Session(_) => f.write_str("an open session"),
            Self::Proxy => f.write_str("behind a proxy"),
            Self::Program => f.write_str("the command line"),
        }
    }
}

/// Where one sign-in comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInOrigin {
    /// What its failures are counted by.
    pub source: Source,
    /// What the browser says it is: text from outside. May be empty.
    pub device: String,
    /// What it was given when somebody signed in with it before; to be checked.
    pub known_browser: Option<String>,
}

impl SignInOrigin {
    /// From a source, with what the browser says of itself.
    pub fn new(source: Source, device: &str) -> Self {
        let device = device.chars().take(DEVICE_CHARS_MAX).collect();
        Self { source, device, known_browser: None }
    }

    /// From this program.
    pub const fn program() -> Self {
        Self { source: Source::Program, device: String::new(), known_browser: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_source() {
        let source = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:0:0:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("2001:db8::1").to_string(), "2001:db8::/64");
    }
}
