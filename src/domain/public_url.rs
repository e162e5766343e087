//! The address under which people and agents reach the broker, parsed once: what is compared with
//! the `Host` and `Origin` of every request.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use url::{Host, Url};

/// `https://` or `http://`, a host and an optional port, without a path. Prints as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    scheme: Scheme,
    authority: Authority,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A host and its port. Two are equal where they name the same place, however they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    host: Host,
    port: u16,
}

impl Authority {
    /// The name that every machine has for itself.
    pub fn localhost(port: u16) -> Self {
        Self { host: Host::Domain("localhost".to_owned()), port }
    }

    fn parse(text: &str, scheme: Scheme) -> Option<Self> {
        // What follows the authority, what comes before it, and what the parser would decode or
        // leave out: none of it is part of a host and port.
        let foreign = |c: char| "/\\?#@%".contains(c) || c.is_whitespace() || c.is_control();
        if text.contains(foreign) || text.ends_with(':') {
            return None;
        }
        let url = Url::parse(&format!("{}://{text}", scheme.name())).ok()?;
        let (host, port) = (url.host()?.to_owned(), url.port_or_known_default()?);
        Some(Self { host, port })
    }
}

impl From<SocketAddr> for Authority {
    fn from(address: SocketAddr) -> Self {
        let host = match address.ip() {
            IpAddr::V4(ip) => Host::Ipv4(ip),
            IpAddr::V6(ip) => Host::Ipv6(ip),
        };
        Self { host, port: address.port() }
    }
}

impl PublicUrl {
    /// Reads `https://` or `http://` and a host with an optional port, and nothing else. The host is
    /// an address, or a name whose parts have letters, digits and inner hyphens once it is written
    /// in ASCII (RFC 1123, section 2.1; RFC 5891 for other letters).
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) =
            match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
                (Some(authority), _) => (Scheme::Https, authority),
                (None, Some(authority)) => (Scheme::Http, authority),
                (None, None) => return None,
            };
        let authority = Authority::parse(authority, scheme)?;
        let reachable = match &authority.host {
            Host::Domain(name) => is_host_name(name),
            Host::Ipv4(ip) => !ip.is_unspecified(),
            Host::Ipv6(ip) => !ip.is_unspecified(),
        };
        if !reachable || authority.port == 0 {
            return None;
        }
        Some(Self { text: text.to_owned(), scheme, authority })
    }

    /// Where a listener without TLS is reached on its own machine.
    pub fn of_listener(address: SocketAddr) -> Self {
        let (scheme, authority) = (Scheme::Http, Authority::from(address));
        Self { text: format!("http://{address}"), scheme, authority }
    }

    /// This machine by its name, without TLS.
    pub fn on_this_machine(port: u16) -> Self {
        let (scheme, authority) = (Scheme::Http, Authority::localhost(port));
        Self { text: format!("http://localhost:{port}"), scheme, authority }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether people reach the page over TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The host: a name, or an address without brackets.
    pub fn bare_host(&self) -> String {
        match &self.authority.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(ip) => ip.to_string(),
            Host::Ipv6(ip) => ip.to_string(),
        }
    }

    /// Host and port.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The value of a `Host` header: without a port it means the default one of the scheme.
    pub fn read_host(&self, header: &str) -> Option<Authority> {
        Authority::parse(header, self.scheme)
    }

    /// Host and port as browsers write them: lower case, without the default port.
    pub fn host(&self) -> String {
        let Authority { host, port } = &self.authority;
        if *port == self.scheme.default_port() {
            host.to_string()
        } else {
            format!("{host}:{port}")
        }
    }

    /// Host and port, whichever scheme.
    pub fn host_and_port(&self) -> String {
        let Authority { host, port } = &self.authority;
        format!("{host}:{port}")
    }

    /// The origin of its pages as browsers write it.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.name(), self.host())
    }
}

/// Whether each part of a name has letters, digits and inner hyphens: nothing that a list of allowed
/// hosts could take for a pattern.
pub fn is_host_name(name: &str) -> bool {
    let sound = |part: &str| {
        let inner = !part.starts_with('-') && !part.ends_with('-');
        let letters = part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (1..=63).contains(&part.len()) && inner && letters
    };
    name.len() <= 253 && name.split('.').all(sound)
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PublicUrl {
        PublicUrl::parse(text).unwrap()
    }

    #[test]
    fn public_url_is_compared_as_browsers_write_it() {
        for (written, origin) in [
            ("https://soc.example.net", "https://soc.example.net"),
            ("https://SOC.Example.NET:443", "https://soc.example.net"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://127.0.0.1:443", "http://127.0.0.1:443"),
            ("https://[2001:DB8:0::1]", "https://[2001:db8::1]"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(url(written).origin(), origin);
            assert_eq!(url(written).to_string(), written);
        }
    }

    #[test]
    fn public_url_has_scheme_host_and_port_alone() {
        for wrong in [
            "",
            "soc.example.net",
            "https://",
            "https:///",
            "https://a/",
            "https://a/x",
            "https://a?",
            "https://a#",
            "https://u@a",
            "https://a b",
            " https://a",
            "https://a:",
            "https://a:x",
            "https://a:70000",
            "https://[::1",
            "https://::1",
            "https://a\\b",
            "https://%61",
            "ftp://a",
            "HTTPS://a",
            "https:a",
            "https:/a",
            "https://*",
            "https://*.example",
            "https://a,b",
            "https://a\"b",
            "https://a_b",
            "https://-",
            "https://-a",
            "https://a-.example",
            "https://soc..example",
            "https://soc.example.",
            "https://0.0.0.0",
            "https://[::]",
            "https://a:0",
        ] {
            assert_eq!(PublicUrl::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn public_url_host_is_read_with_or_without_port() {
        assert_eq!(url("https://[2001:db8::1]").bare_host(), "2001:db8::1");
        assert_eq!(url("https://[2001:db8::1]:8443").bare_host(), "2001:db8::1");
        assert_eq!(url("https://198.51.100.7").bare_host(), "198.51.100.7");
        assert_eq!(url("https://soc.example.net:8443").bare_host(), "soc.example.net");
    }
}
