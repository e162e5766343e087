//! The firewalls under the scripts.

use crate::endpoint::{Endpoint, Peer};

/// The firewalls that a Linux host may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Firewall {
    Nft,
    IptablesNft,
    IptablesLegacy,
}

impl Firewall {
    /// An endpoint that has this one alone, and a host on its network 77.
    pub(crate) fn endpoint(self) -> Option<(Endpoint, Peer)> {
        let endpoint = Endpoint::start()?;
        if !matches!(self, Self::Nft) {
            endpoint.without("/usr/sbin/nft");
        }
        let kind = if matches!(self, Self::IptablesLegacy) { "legacy" } else { "nft" };
        for tool in ["iptables", "iptables-restore", "ip6tables", "ip6tables-restore"] {
            let (family, rest) = tool.split_once("tables").unwrap();
            endpoint.choose(tool, &format!("/usr/sbin/{family}tables-{kind}{rest}"));
        }
        let peer = endpoint.link(77);
        Some((endpoint, peer))
    }

    /// What it holds beside its empty chains.
    pub(crate) fn rules(self, endpoint: &Endpoint) -> String {
        endpoint.sh(match self {
            Self::Nft => "nft list ruleset",
            Self::IptablesNft | Self::IptablesLegacy => {
                "for tool in iptables ip6tables; do for table in raw mangle filter; do
                $tool -t $table -S; done; done 2>/dev/null | grep -v '^-P' || true"
            }
        })
    }
}
