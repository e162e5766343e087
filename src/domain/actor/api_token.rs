//! What a program shows in place of a session: a token for the API. It reads, comments and rejects; it
//! never approves, and never changes who may.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use crate::domain::{
    Time, all_variants,
    id::{ApiTokenId, PersonId},
    proposal::InvalidField,
};

/// How every token begins, so that those who look for leaked secrets find it. 64 hexadecimal digits
/// follow: 256 bits.
pub const API_TOKEN_PREFIX: &str = "csapi_";
/// How long a token opens something unless somebody chooses otherwise, in days.
pub const TOKEN_DAYS: u32 = 90;
/// The longest that a token opens something, in days.
pub const TOKEN_DAYS_MAX: u32 = 365;
/// The most networks that one token names.
pub const TOKEN_NETWORKS_MAX: usize = 16;

/// What a token is for. There is none for approving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase", const_into_str)]
#[serde(rename_all = "lowercase")]
pub enum TokenScope {
    /// To read requests, active responses, the audit and endpoints.
    Read,
    /// To comment on requests.
    Comment,
    /// To reject requests.
    Reject,
}

impl TokenScope {
    /// All scopes.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A token for the API, without its secret: of that nothing is kept but its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Which.
    pub id: ApiTokenId,
    /// The person whose role decides what it opens.
    pub owner: PersonId,
    /// What its owner calls it; of a service, the name under which that acts. 1 to 32 of
    /// `a-z 0-9 . _ -`.
    pub name: String,
    /// Whether a service acts with it, in its own name.
    pub service: bool,
    /// What it is for, each once.
    pub scopes: Vec<TokenScope>,
    /// From where it opens something: at least one network.
    pub networks: Vec<IpNet>,
    /// When it was made.
    pub created_at: Time,
    /// From when on it opens nothing.
    pub expires_at: Time,
    /// When it was last used, to the minute, and from which address.
    pub used: Option<(Time, String)>,
}

/// The token with which something was done, as the audit keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedToken {
    /// Which.
    pub id: ApiTokenId,
    /// Its name then.
    pub name: String,
    /// The name of the person who answers for the service; none where it is the person's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Reads the networks that a token is good for, between spaces, commas or lines: at least one.
pub fn token_networks(text: &str) -> Result<Vec<IpNet>, InvalidField> {
    let invalid = |problem: String| InvalidField {
        field: "networks".to_owned(),
        problem,
        allowed: format!(
            "1 to {TOKEN_NETWORKS_MAX} networks such as 192.0.2.0/24, 2001:db8::/48 or 192.0.2.7/32, \
             each written with its own first address"
        ),
    };
    let words = text.split([' ', ',', '\n', '\r', '\t']).filter(|word| !word.is_empty());
    let mut networks = Vec::new();
    for word in words {
        // An IPv4 network in IPv6's clothes would never be met: addresses are compared without them.
        let plain = |network: &IpNet| match network {
            IpNet::V6(v6) => v6.addr().to_ipv4_mapped().is_none(),
            IpNet::V4(_) => true,
        };
        let read = word.parse::<IpNet>().ok();
        let read = read.filter(|network| network.trunc() == *network && plain(network));
        let network = read.ok_or_else(|| {
            let start: String = word.chars().take(60).collect();
            invalid(format!("`{start}` is not a network"))
        })?;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    match networks.len() {
        0 => Err(invalid("none is named".to_owned())),
        many if many > TOKEN_NETWORKS_MAX => Err(invalid(format!("{many} are named"))),
        _ => Ok(networks),
    }
}

/// Reads for how many days a token is good.
pub fn token_days(text: &str) -> Result<u32, InvalidField> {
    let text = text.trim();
    let days = text.parse().ok().filter(|days| (1..=TOKEN_DAYS_MAX).contains(days));
    days.ok_or_else(|| InvalidField {
        field: "days".to_owned(),
        problem: format!("`{}` is not allowed", text.chars().take(20).collect::<String>()),
        allowed: format!("a whole number from 1 to {TOKEN_DAYS_MAX}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_with_what_is_wrong_named() {
        let read =
            |text| token_networks(text).map(|all| all.iter().map(IpNet::to_string).collect());
        let two = vec!["192.0.2.0/24".to_owned(), "2001:db8::/48".to_owned()];
        assert_eq!(read("192.0.2.0/24, 2001:db8::/48\r\n192.0.2.0/24"), Ok(two));
        for (text, problem) in [
            ("", "none is named"),
            (" ,", "none is named"),
            ("192.0.2.7", "`192.0.2.7` is not a network"),
            ("192.0.2.7/24", "`192.0.2.7/24` is not a network"),
            ("192.0.2.0/33", "`192.0.2.0/33` is not a network"),
            ("everywhere", "`everywhere` is not a network"),
        ] {
            assert_eq!(read(text).unwrap_err().problem, problem, "{text}");
        }
        let many: Vec<_> = (0..17).map(|n| format!("10.{n}.0.0/16")).collect();
        assert_eq!(read(&many.join(" ")).unwrap_err().problem, "17 are named");
    }

    #[test]
    fn days_have_both_bounds() {
        assert_eq!((token_days("1"), token_days(" 365 ")), (Ok(1), Ok(365)));
        for text in ["0", "366", "-1", "", "90 days", "1e2"] {
            assert_eq!(token_days(text).unwrap_err().field, "days", "{text}");
        }
    }
}
