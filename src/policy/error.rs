//! Why a policy set is refused. Each message names the place and says what would be right.

use std::{io, path::PathBuf};

use crate::domain::{action::EntryFault, actor::NAME_GRAMMAR};

/// A folder that gives no policy set, or no test cases.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file or folder cannot be read.
    #[error("`{}` cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// There is not one policy.
    #[error(
        "`{}` holds no policy: it must contain `*.cedar` files beside `schema.cedarschema`; \
         `countersign init` writes a starter set",
        folder.display()
    )]
    Empty {
        /// Where they should be.
        folder: PathBuf,
    },
    /// The schema is not the one of this program.
    #[error(
        "`{}` is not the schema of this version of countersign: restore it (`countersign init` in \
         an empty folder writes it), and change only the policies beside it",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
    },
    /// A file is not written in Cedar's language.
    #[error("`{file}` is not valid Cedar, {detail}")]
    Syntax {
        /// The name of the file, without its folder.
        file: String,
        /// Where and what.
        detail: String,
    },
    /// A policy breaks a rule.
    #[error("`{file}`, policy `{policy}`: {fault}")]
    Policy {
        /// The name of the file, without its folder.
        file: String,
        /// Its `@id`, or its place in the file where it has none.
        policy: String,
        /// The rule that it breaks.
        fault: Box<PolicyFault>,
    },
    /// A set that could only ever say no.
    #[error("`{}` holds no `permit`, so it would refuse everything: write at least one", folder.display())]
    NoPermit {
        /// Where one should be.
        folder: PathBuf,
    },
    /// An entry of the catalogue is not as it must be.
    #[error("{0}")]
    Entry(#[from] EntryFault),
    /// A test case cannot be understood.
    #[error("`{file}` does not hold a list of valid test cases, `[ {{ … }}, … ]`: {detail}")]
    Case {
        /// The name of the file, without its folder.
        file: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A test case beside the policies fails: the set does not do what the case expects.
    #[error("`{file}`, case `{case}` fails: expected {expected}, got {got}")]
    CaseFails {
        /// The name of the file, without its folder.
        file: String,
        /// The name of the case.
        case: String,
        /// What it expects.
        expected: String,
        /// What the set answers.
        got: String,
    },
    /// The schema in this very program does not work. Only a broken build has this.
    #[error("the schema built into this program does not work: {detail}")]
    Broken {
        /// What Cedar says.
        detail: String,
    },
}

/// A rule that a policy breaks.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFault {
    /// No `@id`, or not one that can stand in an audit.
    #[error(
        "its `@id` is missing or not valid: write `@id(\"...\")` with 1 to 64 of a-z, 0-9, `.`, `_`, `-`"
    )]
    Id,
    /// Two policies with one `@id`.
    #[error("this `@id` is taken by another policy in `{other}`: give each policy its own")]
    Taken {
        /// Where the other one stands.
        other: String,
    },
    /// No `@why`: people would see a decision without a reason.
    #[error("its `@why` is missing or empty: say in one sentence what an analyst should know")]
    Why,
    /// An annotation without a meaning, perhaps misspelt.
    #[error("`@{name}` has no meaning here: use only `@id` and `@why`")]
    Annotation {
        /// The annotation, without `@`.
        name: String,
    },
    /// A policy with a slot.
    #[error("it is a template: write `principal` and `resource` without `?principal`, `?resource`")]
    Template,
    /// It does not fit the schema, or reaches further than its facts do.
    #[error("it does not fit the schema, {detail}")]
    Unfit {
        /// Where and what.
        detail: String,
    },
    /// It calculates, and a calculation can overflow: then Cedar would skip the policy.
    #[error("it calculates with `{operator}`, which can fail: compare with a written-out value")]
    Arithmetic {
        /// The operator, such as `+`.
        operator: &'static str,
    },
    /// It names a role that does not exist.
    #[error("there is no role `{role}`; allowed: analyst, senior, lead, auditor, admin")]
    Role {
        /// The word that stands for a role.
        role: String,
    },
    /// It names a team that nobody can be in.
    #[error("no team is called `{team}`; allowed: {}", NAME_GRAMMAR)]
    Team {
        /// The word that stands for a team.
        team: String,
    },
    /// It would let something run because the agent says so.
    #[error(
        "it lets a response run on what the agent claims: join a condition of its own with `&&` \
         that does not use `context.claim` and requires `context.votes`, for a \
         `context.facts.alert_...`, or for an attribute of `resource`"
    )]
    ClaimOnly,
}
