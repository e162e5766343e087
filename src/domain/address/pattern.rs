//! What people look for among targets: a network, or a part of what is written.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::domain::action::Action;

/// The longest pattern, in characters: longer than any target.
pub const PATTERN_CHARS_MAX: usize = 256;

/// Which targets are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPattern {
    /// Addresses in this network, and networks that share an address with it.
    Network(IpNet),
    /// What has this in it, whatever the case of its letters.
    Part(String),
}

impl TargetPattern {
    /// "203.0.113.0/24" is a network; anything else is a part of a text. None where it is too long.
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().count() > PATTERN_CHARS_MAX {
            return None;
        }
        let network = text.parse::<IpNet>().ok().map(|network| Self::Network(network.trunc()));
        Some(network.unwrap_or_else(|| Self::Part(text.to_lowercase())))
    }

    /// Whether one of the things acted on is meant.
    pub fn finds(&self, action: &Action) -> bool {
        action.arguments().any(|(_, argument)| self.matches(&argument.to_string()))
    }

    /// Whether this text is meant.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Network(network) => overlaps(*network, text),
            Self::Part(part) => text.to_lowercase().contains(part),
        }
    }
}

fn overlaps(network: IpNet, text: &str) -> bool {
    let other = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    other.is_ok_and(|other| network.contains(&other) || other.contains(&network))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_is_a_network_or_part_of_a_text() {
        let found = |pattern: &str, text| TargetPattern::parse(pattern).unwrap().matches(text);
        assert!(found("203.0.113.7/24", "203.0.113.200"));
        assert!(!found("203.0.113.0/24", "203.0.114.1"));
        assert!(found("203.0.113.0/24", "203.0.0.0/16"));
        assert!(found("2001:db8::/32", "2001:db8::1") && !found("2001:db8::/32", "203.0.113.1"));
        assert!(found("0.113.", "203.0.113.9") && found("MILL", "d.miller"));
        assert!(found("/tmp/", "/tmp/x") && !found("/tmp/", "/var/x"));
        assert_eq!(TargetPattern::parse(&"x".repeat(257)), None);
    }
}
