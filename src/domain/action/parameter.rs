//! What an action acts on: the types of its parameters, and the strict grammar of each.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use regex::Regex;
use strum::{EnumCount, EnumDiscriminants, EnumString, IntoStaticStr, VariantArray};

use super::TAG_PREFIX;
use crate::domain::{all_variants, decision::Tier};

/// The longest path, in bytes.
const PATH_BYTES_MAX: usize = 1024;
/// The longest name of a host or a domain, in bytes (RFC 1035).
const DOMAIN_BYTES_MAX: usize = 253;
/// The longest part of such a name, in bytes (RFC 1035).
const LABEL_BYTES_MAX: usize = 63;
/// The longest name of an account, in bytes.
const ACCOUNT_BYTES_MAX: usize = 64;
/// The greatest id of a process (`PID_MAX_LIMIT` of Linux).
const PROCESS_ID_MAX: u32 = 4_194_304;
/// The longest text, in characters.
const TEXT_CHARS_MAX: usize = 256;

/// The name of an account, of the grammar that [`ParameterType::grammar`] states.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account(String);

impl Account {
    /// The name, as the operating system of the endpoint knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What one parameter of an action says, in the form that its type allows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EnumDiscriminants)]
#[strum_discriminants(
    name(ParameterType),
    derive(Hash, EnumCount, EnumString, IntoStaticStr, VariantArray, PartialOrd, Ord),
    strum(serialize_all = "snake_case", const_into_str),
    doc = "The type of a parameter: it brings its grammar, and the rules of what is never touched."
)]
pub enum Argument {
    /// One address of the Internet.
    Address(IpAddr),
    /// A range of addresses, without bits after its prefix.
    Network(IpNet),
    /// One account of the endpoint.
    Account(Account),
    /// One machine.
    HostName(String),
    /// One file or folder of the endpoint.
    Path(String),
    /// A running process, by its number.
    ProcessId(u32),
    /// A running process, by the name of its program.
    ProcessName(String),
    /// A port of TCP or UDP.
    Port(u16),
    /// The SHA-256 of a file's content.
    Hash(String),
    /// A name of the domain name system.
    Domain(String),
    /// One of the words that the entry lists.
    Choice(String),
    /// Text of the pattern that the entry states.
    Text(String),
}

impl ParameterType {
    /// All types.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word in the catalogue, such as `address`.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// What an argument of this type must look like, for people and models.
    pub const fn grammar(self) -> &'static str {
        match self {
            Self::Address => {
                "one IPv4 or IPv6 address in its canonical form, such as 203.0.113.7 or \
                 2001:db8::7: no range, no port, no zone, no IPv4-mapped IPv6"
            }
            Self::Network => {
                "one IPv4 or IPv6 network in its canonical form, such as 203.0.113.0/24: no bits \
                 after the prefix, no IPv4-mapped IPv6"
            }
            Self::Account => {
                "one account name of 1 to 64 characters: letters, digits, `.`, `_`, `-`; it starts \
                 with a letter, a digit or `_` and has no `..`"
            }
            Self::HostName => {
                "one host name in lower case, such as web-1: letters, digits, `.`, `-`, at most \
                 253 characters"
            }
            Self::Path => {
                "one absolute path of at most 1024 bytes, such as /tmp/x: printable characters, no \
                 `.`, `..` or empty part, no `/` at the end"
            }
            Self::ProcessId => "one process id, 2 to 4194304, without leading zeros",
            Self::ProcessName => {
                "the name of one program of 1 to 64 characters: letters, digits, `.`, `_`, `+`, \
                 `-`; no path"
            }
            Self::Port => "one port, 1 to 65535, without leading zeros",
            Self::Hash => "one SHA-256: 64 lower-case hexadecimal digits",
            Self::Domain => {
                "one domain name in lower case with at least one dot, such as bad.example: letters, \
                 digits, `-`, `_`, at most 253 characters; an international name in its `xn--` form"
            }
            Self::Choice => "one of the words that are listed",
            Self::Text => "text of the pattern that is stated",
        }
    }

    /// An argument of this type, for questions that need one.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Address => "203.0.113.7",
            Self::Network => "203.0.113.0/24",
            Self::Account => "jdoe",
            Self::HostName => "web-1",
            Self::Path => "/tmp/x",
            Self::ProcessId => "4711",
            Self::ProcessName => "xmrig",
            Self::Port => "8080",
            Self::Hash => "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
            Self::Domain => "bad.example",
            Self::Choice | Self::Text => "",
        }
    }

    /// Whether it is a whole number, in JSON as well.
    pub const fn is_number(self) -> bool {
        matches!(self, Self::ProcessId | Self::Port)
    }

    /// The most characters of an argument.
    pub const fn chars_max(self) -> usize {
        match self {
            Self::Address
            | Self::Network
            | Self::Account
            | Self::ProcessId
            | Self::ProcessName
            | Self::Port
            | Self::Hash => 64,
            Self::HostName | Self::Domain => DOMAIN_BYTES_MAX,
            Self::Path => PATH_BYTES_MAX,
            Self::Choice | Self::Text => TEXT_CHARS_MAX,
        }
    }

    /// The least tier of an action that acts on it.
    pub(super) const fn least_tier(self) -> Tier {
        match self {
            Self::Address | Self::Account | Self::Port | Self::Hash | Self::Choice | Self::Text => {
                Tier::Low
            }
            Self::Network
            | Self::HostName
            | Self::Path
            | Self::ProcessId
            | Self::ProcessName
            | Self::Domain => Tier::Medium,
        }
    }

    /// Whether it has rules of what is never touched.
    pub const fn has_rules(self) -> bool {
        match self {
            Self::Address
            | Self::Network
            | Self::Account
            | Self::HostName
            | Self::Path
            | Self::ProcessId
            | Self::ProcessName
            | Self::Domain => true,
            Self::Port | Self::Hash | Self::Choice | Self::Text => false,
        }
    }

    /// Arguments that differ so much that a pattern which takes all of them takes any.
    pub(super) const fn samples(self) -> &'static [&'static str] {
        match self {
            Self::Account => &["root", "jdoe", "_apt", "svc-backup.2", "7up"],
            Self::HostName => &["web-1", "a", "db.example.com", "7"],
            Self::Path => &["/a", "/etc/passwd", "/usr/bin/env", "/var/lib/x y", "/home/j/.ssh/id"],
            Self::Domain => &["bad.example", "a.b", "_x.y-z.example.com", "xn--a.example"],
            Self::Text => &["a", "--help", "../x", "$(id)", "; true", "\"'", "a b"],
            Self::Address
            | Self::Network
            | Self::ProcessId
            | Self::ProcessName
            | Self::Port
            | Self::Hash
            | Self::Choice => &[],
        }
    }

    /// Whether a pattern of the entry may narrow it.
    pub(super) const fn takes_pattern(self) -> bool {
        match self {
            Self::Account | Self::HostName | Self::Path | Self::Domain | Self::Text => true,
            Self::Address
            | Self::Network
            | Self::ProcessId
            | Self::ProcessName
            | Self::Port
            | Self::Hash
            | Self::Choice => false,
        }
    }

    pub(super) fn read(self, text: &str) -> Option<Argument> {
        let own = || text.to_owned();
        match self {
            Self::Address => address(text).map(Argument::Address),
            Self::Network => network(text).map(Argument::Network),
            Self::Account => account(text).map(Argument::Account),
            Self::HostName => is_host(text).then(|| Argument::HostName(own())),
            Self::Path => is_path(text).then(|| Argument::Path(own())),
            Self::ProcessId => {
                let id = text.parse().ok().filter(|id| (2..=PROCESS_ID_MAX).contains(id));
                id.map(Argument::ProcessId)
            }
            Self::ProcessName => is_program(text).then(|| Argument::ProcessName(own())),
            Self::Port => text.parse().ok().filter(|port| *port > 0).map(Argument::Port),
            Self::Hash => {
                let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                (text.len() == 64 && text.bytes().all(hex)).then(|| Argument::Hash(own()))
            }
            Self::Domain => {
                (is_host_or_service(text) && text.contains('.')).then(|| Argument::Domain(own()))
            }
            Self::Choice => is_text(text).then(|| Argument::Choice(own())),
            Self::Text => is_text(text).then(|| Argument::Text(own())),
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Network(network) => network.fmt(f),
            Self::ProcessId(number) => number.fmt(f),
            Self::Port(number) => number.fmt(f),
            Self::Account(Account(text))
            | Self::HostName(text)
            | Self::Path(text)
            | Self::ProcessName(text)
            | Self::Hash(text)
            | Self::Domain(text)
            | Self::Choice(text)
            | Self::Text(text) => f.write_str(text),
        }
    }
}

/// Where a script finds what an action acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A field of the alert's `data`.
    Data(String),
    /// An argument of the command after Countersign's own, counted from 1.
    Argument(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(key) => write!(f, "data.{key}"),
            Self::Argument(number) => write!(f, "argument {number}"),
        }
    }
}

/// What the whole of an argument must match.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// The regular expression as the entry writes it.
    pub source: String,
    pub(super) regex: Regex,
}

/// A parameter of an action, as its entry states it.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name: the field of the tool.
    pub name: String,
    /// What it may be.
    pub of: ParameterType,
    /// What it is, for models: "The address whose traffic is to be dropped".
    pub description: String,
    /// Where the script finds it.
    pub fills: Place,
    /// The fields of an alert's `data` in which the script itself looks for it, the first first.
    pub script_reads: Vec<String>,
    /// What must hold beside the grammar of its type; a text has one.
    pub pattern: Option<Pattern>,
    /// The words of a choice; empty for any other type.
    pub choices: Vec<String>,
    /// What an argument must look like, for people and models.
    pub grammar: String,
    /// Whether it may be left out.
    pub optional: bool,
}

impl Parameter {
    /// Reads an argument; the error is what is allowed.
    pub fn read(&self, text: &str) -> Result<Argument, &str> {
        let argument = self.of.read(text).filter(|argument| {
            argument.to_string() == text
                && self.pattern.as_ref().is_none_or(|pattern| pattern.regex.is_match(text))
                && (self.of != ParameterType::Choice || self.choices.iter().any(|one| one == text))
        });
        argument.ok_or(&self.grammar)
    }

    /// An argument that it takes, for questions that need one.
    pub fn example(&self) -> &str {
        self.choices.first().map_or(self.of.example(), String::as_str)
    }
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().filter(|address| match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_none(),
    })
}

fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = text.parse().ok()?;
    let mapped = match network.addr() {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_some(),
    };
    (network == network.trunc() && !mapped).then_some(network)
}

fn account(name: &str) -> Option<Account> {
    let first = name.bytes().next()?;
    let sound = name.len() <= ACCOUNT_BYTES_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && (first.is_ascii_alphanumeric() || first == b'_')
        && !name.contains("..");
    sound.then(|| Account(name.to_owned()))
}

fn is_path(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    text.len() <= PATH_BYTES_MAX
        && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(part))
}

fn is_program(text: &str) -> bool {
    let sound = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
    (1..=64).contains(&text.len())
        && text.bytes().all(sound)
        && !text.starts_with('-')
        && text != "."
        && text != ".."
}

/// RFC 1123.
fn is_host(text: &str) -> bool {
    is_host_or_service(text) && !text.contains('_')
}

/// Names of services begin with `_` (RFC 2782).
fn is_host_or_service(text: &str) -> bool {
    let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
    let label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(sound)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name of digits alone is an address.
    let named = text.rsplit('.').next().is_some_and(|top| !top.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= DOMAIN_BYTES_MAX && named && text.split('.').all(label)
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && !text.starts_with(TAG_PREFIX)
}
