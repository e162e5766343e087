//! The catalogue of responses, and the strict grammars of what they act on.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::all_variants;

/// A kind of response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum ActionKind {
    /// Drops traffic from one address.
    BlockIp,
    /// Locks the password of one account.
    DisableAccount,
    /// Takes [`ActionKind::BlockIp`] back.
    UnblockIp,
    /// Takes [`ActionKind::DisableAccount`] back.
    EnableAccount,
}

impl ActionKind {
    /// The catalogue.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);
    /// Those that are asked for by name; the others are asked for as the undo of a request.
    pub const RESPONSES: [Self; 2] = [Self::BlockIp, Self::DisableAccount];

    /// The word used everywhere: tool, Cedar, store, page.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The name of its argument.
    pub const fn argument(self) -> &'static str {
        match self {
            Self::BlockIp | Self::UnblockIp => "srcip",
            Self::DisableAccount | Self::EnableAccount => "dstuser",
        }
    }

    /// Whether it takes an earlier response back.
    pub const fn is_undo(self) -> bool {
        match self {
            Self::BlockIp | Self::DisableAccount => false,
            Self::UnblockIp | Self::EnableAccount => true,
        }
    }

    /// The response and what takes it back: they act on the same thing on an endpoint.
    pub const fn family(self) -> [Self; 2] {
        match self {
            Self::BlockIp | Self::UnblockIp => [Self::BlockIp, Self::UnblockIp],
            Self::DisableAccount | Self::EnableAccount => {
                [Self::DisableAccount, Self::EnableAccount]
            }
        }
    }

    /// What an argument must look like, for people and models.
    pub const fn grammar(self) -> &'static str {
        match self {
            Self::BlockIp | Self::UnblockIp => {
                "one IPv4 or IPv6 address in its canonical form, such as 203.0.113.7 or \
                 2001:db8::7: no range, no port, no zone, no IPv4-mapped IPv6"
            }
            Self::DisableAccount | Self::EnableAccount => {
                "one account name of 1 to 64 characters: letters, digits, `.`, `_`, `-`; it starts \
                 with a letter, a digit or `_` and has no `..`"
            }
        }
    }

    /// A target of the right form, for questions that are about no target.
    pub const fn example(self) -> &'static str {
        match self {
            Self::BlockIp | Self::UnblockIp => "203.0.113.7",
            Self::DisableAccount | Self::EnableAccount => "mallory",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of an account, of the grammar that [`ActionKind::grammar`] states.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account(String);

impl Account {
    /// The name, as the operating system of the endpoint knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A response with what it acts on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Drops traffic from this address.
    BlockIp(IpAddr),
    /// Locks this account's password.
    DisableAccount(Account),
    /// Lets traffic from this address in again.
    UnblockIp(IpAddr),
    /// Unlocks this account's password.
    EnableAccount(Account),
}

impl Action {
    /// Reads the argument of an action; the error is what is allowed.
    pub fn parse(kind: ActionKind, argument: &str) -> Result<Self, &'static str> {
        let action = match kind {
            ActionKind::BlockIp => address(argument).map(Self::BlockIp),
            ActionKind::UnblockIp => address(argument).map(Self::UnblockIp),
            ActionKind::DisableAccount => account(argument).map(Self::DisableAccount),
            ActionKind::EnableAccount => account(argument).map(Self::EnableAccount),
        };
        action.filter(|action| action.argument() == argument).ok_or(kind.grammar())
    }

    /// Which response it is, without what it acts on.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::BlockIp(_) => ActionKind::BlockIp,
            Self::DisableAccount(_) => ActionKind::DisableAccount,
            Self::UnblockIp(_) => ActionKind::UnblockIp,
            Self::EnableAccount(_) => ActionKind::EnableAccount,
        }
    }

    /// What takes it back; none for what takes something back itself.
    pub fn undo(&self) -> Option<Self> {
        match self {
            Self::BlockIp(address) => Some(Self::UnblockIp(*address)),
            Self::DisableAccount(account) => Some(Self::EnableAccount(account.clone())),
            Self::UnblockIp(_) | Self::EnableAccount(_) => None,
        }
    }

    /// What it acts on, as text.
    pub fn argument(&self) -> String {
        match self {
            Self::BlockIp(address) | Self::UnblockIp(address) => address.to_string(),
            Self::DisableAccount(account) | Self::EnableAccount(account) => account.0.clone(),
        }
    }

    /// What it does, as the start of a sentence: "Block 203.0.113.7".
    pub fn phrase(&self) -> String {
        match self {
            Self::BlockIp(address) => format!("Block {address}"),
            Self::DisableAccount(account) => format!("Disable account {}", account.0),
            Self::UnblockIp(address) => format!("Unblock {address}"),
            Self::EnableAccount(account) => format!("Enable account {}", account.0),
        }
    }
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().filter(|address| match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_none(),
    })
}

fn account(name: &str) -> Option<Account> {
    let first = name.bytes().next()?;
    let sound = name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && (first.is_ascii_alphanumeric() || first == b'_')
        && !name.contains("..");
    sound.then(|| Account(name.to_owned()))
}

/// How long a response lasts. Of one that takes another back: how long that one lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Term {
    /// The endpoint undoes it after this many seconds.
    Seconds(u32),
    /// It stays until a person undoes it.
    Permanent,
}

impl Term {
    /// Seconds; none for a permanent one.
    pub const fn seconds(self) -> Option<u32> {
        match self {
            Self::Seconds(seconds) => Some(seconds),
            Self::Permanent => None,
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Permanent => f.write_str("until somebody undoes it"),
            Self::Seconds(seconds) => write!(f, "for {}", duration_text(seconds)),
        }
    }
}

/// Seconds in plain words: "10 minutes", "90 seconds", "2 hours".
pub fn duration_text(seconds: u32) -> String {
    let (count, unit) = match seconds {
        s if s >= 86_400 && s % 86_400 == 0 => (s / 86_400, "day"),
        s if s >= 3600 && s % 3600 == 0 => (s / 3600, "hour"),
        s if s >= 60 && s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    with_count(u64::from(count), unit)
}

/// A count with its noun: "1 endpoint", "12 endpoints".
pub fn with_count(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_address_text_is_accepted() {
        for good in ["203.0.113.7", "2001:db8::7", "::1", "10.0.0.1"] {
            assert!(Action::parse(ActionKind::BlockIp, good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "10",
            "127.1",
            "0x7f.1",
            "203.0.113.07",
            "203.0.113.7 ",
            " 203.0.113.7",
            "203.0.113.0/24",
            "::ffff:203.0.113.7",
            "::ffff:cb00:7107",
            "fe80::1%eth0",
            "2001:DB8::7",
            "2001:db8:0:0:0:0:0:7",
            "[::1]",
            "203.0.113.7:80",
            "not-an-ip",
        ] {
            assert!(Action::parse(ActionKind::BlockIp, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_plain_account_name_is_accepted() {
        for good in ["alice", "d.miller", "_apt", "svc-backup", "A1", "root"] {
            assert!(Action::parse(ActionKind::DisableAccount, good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "-l", ".x", "a b", "a/b", "a:b", "a,b", "a..b", "a\n", "é", &long, "a$"] {
            assert!(Action::parse(ActionKind::DisableAccount, bad).is_err(), "{bad}");
        }
    }
}
