//! What a line of a story means.

/// What a line means for the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something was seen to be as it should be.
    Good,
    /// It was not done.
    Bad,
    /// Nobody knows, or something speaks against it.
    Doubt,
    /// A step on the way.
    Plain,
}

impl Severity {
    /// `good`, `bad`, `doubt`, `plain`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Doubt => "doubt",
            Self::Plain => "plain",
        }
    }
}
