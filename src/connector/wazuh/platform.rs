//! Which platform an endpoint is of, by the manager's words: `os.uname` first, as Wazuh's own
//! dashboard does it, because every distribution has a word of its own for `os.platform`.

use crate::domain::{action::ActionKind, endpoint::Platform};

/// What `os.platform` says on Linux, for endpoints without `os.uname`: `ID` of `/etc/os-release`,
/// or the words of Wazuh's `src/shared/version_op.c` where there is none.
const LINUX: &[&str] = &[
    "almalinux",
    "alpine",
    "amzn",
    "arch",
    "archarm",
    "azurelinux",
    "centos",
    "cloudlinux",
    "debian",
    "elementary",
    "fedora",
    "gentoo",
    "kali",
    "linuxmint",
    "manjaro",
    "mariner",
    "nixos",
    "ol",
    "openeuler",
    "openEuler",
    "opensuse",
    "opensuse-leap",
    "opensuse-tumbleweed",
    "parrot",
    "photon",
    "pop",
    "raspbian",
    "rhel",
    "rocky",
    "scientific",
    "slackware",
    "sled",
    "sles",
    "sles_sap",
    "suse",
    "ubuntu",
    "void",
];

/// An endpoint's operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OperatingSystem {
    pub(super) platform: Platform,
    /// What the manager calls it; none where it says nothing.
    words: Option<String>,
}

impl OperatingSystem {
    /// `uname` begins with the name of the kernel, or is the name of the Windows version
    /// (`src/shared/version_op.c`).
    pub(super) fn of(uname: Option<&str>, word: Option<&str>) -> Self {
        let by_uname = match uname {
            Some(text) if text.starts_with("Linux |") => Some(Platform::Linux),
            Some(text) if text.starts_with("Darwin |") => Some(Platform::MacOs),
            Some(text) if text.starts_with("Microsoft Windows") => Some(Platform::Windows),
            Some(_) | None => None,
        };
        let by_word = || match word {
            Some("windows") => Platform::Windows,
            Some("darwin") => Platform::MacOs,
            Some(word) if LINUX.contains(&word) => Platform::Linux,
            Some(_) | None => Platform::Other,
        };
        let words = word.or_else(|| uname.and_then(|text| text.split('|').next()).map(str::trim));
        Self { platform: by_uname.unwrap_or_else(by_word), words: words.map(str::to_owned) }
    }

    /// Why there is no command, where the platform is not known.
    pub(super) fn unknown(&self, kind: ActionKind) -> Option<String> {
        (self.platform == Platform::Other).then(|| match &self.words {
            Some(words) => {
                format!(
                    "Countersign does not know the platform {words}, so it has no command for \
                         {kind} there"
                )
            }
            None => format!(
                "the manager does not say of which platform it is, so there is no command for \
                 {kind}"
            ),
        })
    }

    /// The manager's word for a platform that is not known.
    pub(super) fn unknown_words(&self) -> Option<&str> {
        let words = self.words.as_deref().unwrap_or("not said");
        (self.platform == Platform::Other).then_some(words)
    }
}
