//! Why a policy set is refused. Each message names the place and says what would be right.

use std::{io, path::PathBuf};

/// A folder that gives no policy set, or no test cases.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file or folder cannot be read.
    #[error("`{}` cannot be read: {cause}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// There is not one policy.
    #[error(
        "`{}` holds no policy: it needs `*.cedar` files beside `schema.cedarschema`; \
         `countersign init` writes a set to start from",
        folder.display()
    )]
    Empty {
        /// Where they should be.
        folder: PathBuf,
    },
    /// Policies are written in other words than this program speaks.
    #[error(
        "`{}` is not the schema of this version of countersign: put back the one of this \
         version (`countersign init` in an empty folder writes it), and change only the policies \
         beside it",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
    },
    /// A file is not written in Cedar's language.
    #[error("`{file}` is not written as Cedar expects, {detail}")]
    Syntax {
        /// The file.
        file: String,
        /// Where and what.
        detail: String,
    },
    /// A policy breaks a rule.
    #[error("`{file}`, policy `{policy}`: {fault}")]
    Policy {
        /// The file.
        file: String,
        /// Its `@id`, or its place in the file where it has none.
        policy: String,
        /// The rule.
        fault: Box<EvalError>,
    },
    /// A set that could only ever say no.
    #[error("`{}` holds no `permit`, so it would refuse everything: write at least one", folder.display())]
    NoPermit {
        /// Where one should be.
        folder: PathBuf,
    },
    /// A test case cannot be understood.
    #[error("`{file}` holds no test cases of the form that countersign reads: {detail}")]
    Case {
        /// The file.
        file: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A test case beside the policies fails: the set does not do what was written down.
    #[error("`{file}`, case `{case}` fails: expected {expected}, got {got}")]
    CaseFails {
        /// The file.
        file: String,
        /// The case.
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
pub enum EvalError {
    /// No `@id`, or not one that can stand in an audit.
    #[error(
        "its `@id` is missing or unfit: write `@id(\"...\")` with 1 to 64 of a-z, 0-9, `.`, `_`, `-`"
    )]
    Id,
    /// Two policies with one `@id`.
    #[error("this `@id` is taken by another policy in `{other}`: give each policy its own")]
    Taken {
        /// Where the other one stands.
        other: String,
    },
    /// No `@why`.
    #[error("its `@why` is missing or empty: say in one sentence what an analyst should know")]
    Why,
    /// An annotation that nobody reads, perhaps a slip of the pen.
    #[error("`@{name}` means nothing here: only `@id` and `@why` do")]
    Annotation {
        /// Its name.
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
        /// With what.
        operator: &'static str,
    },
    /// It names a role that does not exist.
    #[error("there is no role `{role}`: analyst, senior, lead, auditor and admin are")]
    Role {
        /// Its name.
        role: String,
    },
    /// It would let something run because the agent says so.
    #[error(
        "it lets a response run on what the agent claims: join a condition of its own with `&&` \
         that does not speak of `context.claim` and asks for `context.votes`, for a \
         `context.facts.alert_...`, or for an attribute of `resource`"
    )]
    ClaimOnly,
}
