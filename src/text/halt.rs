//! Why nothing is sent, for those who are not told the details.

use crate::domain::halt::HaltCause;

/// For whoever asks whether the broker is ready, strangers included: no name, no number, no path.
pub const fn for_strangers(cause: HaltCause) -> &'static str {
    match cause {
        HaltCause::CommitFailed => "a change could not be stored; the broker must be restarted",
        HaltCause::Unreadable => "the database cannot be read",
        HaltCause::Recovery => "the database must be recovered",
        HaltCause::MarkNotKept => "the high-water mark cannot be kept",
        HaltCause::Clock => "the clock jumped",
        HaltCause::DiskFull => "the disk is full",
        HaltCause::DiskLow => "the disk is nearly full",
    }
}

/// For an agent: what it is and how it ends.
pub(crate) const fn for_agents(cause: HaltCause) -> &'static str {
    match cause {
        HaltCause::CommitFailed | HaltCause::Unreadable | HaltCause::MarkNotKept => {
            "The broker's database fails, so nothing is sent until somebody has seen to it. Tell \
             the user."
        }
        HaltCause::Clock => {
            "The clock of the broker's machine jumped, so nothing is sent until it has run on for a \
             minute and agrees with the manager's. Ask again in two minutes; if it lasts, tell the \
             user."
        }
        HaltCause::DiskFull | HaltCause::DiskLow => {
            "The broker's disk is full, so nothing new is stored or sent until somebody has made \
              room. Tell the user."
        }
        HaltCause::Recovery => {
            "Nothing is sent, because the broker's database may be an old copy. People recover it, \
             which withdraws what is open. Tell the user."
        }
    }
}
