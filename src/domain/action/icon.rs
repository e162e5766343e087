//! The sign that stands before an action, so that a list can be read at a glance. It says nothing that
//! the words beside it do not say.

use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::{ActionKind, parameter::ParameterType};
use crate::domain::all_variants;

/// A sign of the set that the page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Icon {
    /// A circle with a stroke through it.
    Ban,
    /// A bell.
    Bell,
    /// A processor.
    Cpu,
    /// A closed door.
    DoorClosed,
    /// A file with a lock.
    FileLock,
    /// A file under a lens.
    FileSearch,
    /// A file that is crossed out.
    FileX,
    /// A globe with a lock.
    GlobeLock,
    /// The sign #.
    Hash,
    /// A key.
    KeyRound,
    /// A link that is cut.
    #[strum(serialize = "link-2-off")]
    LinkOff,
    /// A lock.
    Lock,
    /// Boxes with lines between them.
    Network,
    /// A stop sign with a cross.
    OctagonX,
    /// A plug.
    Plug,
    /// A power switch that is off.
    PowerOff,
    /// Scissors.
    Scissors,
    /// A lens.
    Search,
    /// A server that is crossed out.
    ServerOff,
    /// A shield with an exclamation mark.
    ShieldAlert,
    /// A terminal.
    Terminal,
    /// A bin.
    #[strum(serialize = "trash-2")]
    Trash,
    /// An arrow that turns back.
    #[strum(serialize = "undo-2")]
    Undo,
    /// A plug that is pulled.
    Unplug,
    /// A plug of a stick.
    Usb,
    /// A person who is crossed out.
    UserX,
    /// A wrench.
    Wrench,
    /// A flash.
    Zap,
}

impl Icon {
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word in the catalogue, and in the file that has them.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The usual one for what acts on this.
    pub(super) const fn of(acted_on: ParameterType) -> Self {
        match acted_on {
            ParameterType::Address => Self::Ban,
            ParameterType::Network => Self::Network,
            ParameterType::Account => Self::UserX,
            ParameterType::HostName => Self::ServerOff,
            ParameterType::Path => Self::FileLock,
            ParameterType::ProcessId | ParameterType::ProcessName => Self::OctagonX,
            ParameterType::Port => Self::DoorClosed,
            ParameterType::Hash => Self::FileX,
            ParameterType::Domain => Self::GlobeLock,
            ParameterType::Choice | ParameterType::Text => Self::Zap,
        }
    }
}

impl ActionKind {
    /// The sign of the action.
    pub fn icon(self) -> Icon {
        if self.is_undo() { Icon::Undo } else { self.entry().icon() }
    }
}
