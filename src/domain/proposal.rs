//! What an agent sent, read field by field. Nothing here is trusted; it only has a sound form.

mod reach;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    action::{Action, ActionKind, Parameter, Term},
    digest::{Canonical, Digest},
    endpoint::Selection,
    printable::is_blank,
};

pub use reach::endpoints;

use reach::reach;

/// The longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 2000;
/// The most endpoints that one request may name.
pub const AGENT_IDS_MAX: usize = 1000;
/// The longest response that ends by itself, in seconds: thirty days.
pub const DURATION_SECONDS_MAX: u32 = 2_592_000;

/// What an agent asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The response and what it acts on.
    pub action: Action,
    /// The manager whose endpoints are meant; none where the agent named none.
    pub manager: Option<String>,
    /// The endpoints that the agent asks for.
    pub selection: Selection,
    /// Whether endpoints that are away get it once they are back.
    pub when_back: bool,
    /// How long the response should last.
    pub term: Term,
    /// What the agent says about it.
    pub claim: Claim,
    /// The agent's own name for this proposal, unique among its proposals.
    pub idempotency_key: Option<String>,
}

/// What an agent says, unchecked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Why, in the agent's words: 1 to [`REASON_CHARS_MAX`] characters of any kind.
    pub reason: String,
    /// The alert it reacts to.
    pub alert_id: Option<String>,
    /// How sure it is, in percent.
    pub confidence: Option<u8>,
}

/// A field that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}. Allowed: {allowed}.")]
pub struct InvalidField {
    /// The name of the field, as it was sent.
    pub field: String,
    /// What is wrong, with the value as it came (cut to 80 characters).
    pub problem: String,
    /// What would be right.
    pub allowed: String,
}

impl InvalidField {
    pub(super) fn new(field: &str, problem: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { field: field.to_owned(), problem: problem.into(), allowed: allowed.into() }
    }

    pub(super) fn value(field: &str, value: &Value, allowed: impl Into<String>) -> Self {
        Self::new(field, format!("{} is not allowed", abbreviate(value)), allowed)
    }
}

/// The arguments of every action tool beside what the action acts on.
pub(super) const PROPOSAL_FIELDS: &str = "agent_ids, all_agents, manager, when_back, \
                                          duration_seconds, permanent, reason, alert_id, confidence, \
                                          idempotency_key, wait_seconds, dry_run";

impl Proposal {
    /// Reads the arguments of an action tool.
    pub fn parse(kind: ActionKind, arguments: &Map<String, Value>) -> Result<Self, InvalidField> {
        known_fields(kind, arguments)?;
        let action = action(kind, arguments)?;
        let (manager, selection) = reach(arguments)?;
        Ok(Self {
            action,
            manager,
            selection,
            when_back: flag(arguments, "when_back")?,
            term: possible(kind, term(arguments)?)?,
            claim: Claim {
                reason: reason(arguments)?,
                alert_id: alert_id(arguments)?,
                confidence: confidence(arguments)?,
            },
            idempotency_key: key(arguments)?,
        })
    }

    /// Equal for the same proposal, word for word; the idempotency key does not count.
    pub fn digest(&self) -> Digest {
        self.ask(Canonical::new(1, "proposal"), self.manager.as_deref())
            .text(&self.claim.reason)
            .maybe(self.claim.confidence.map(|c| c.to_string()).as_deref())
            .digest()
    }

    /// Equal for proposals that ask for the same of a manager because of the same alert, in
    /// whatever words and whether or not they name the manager.
    pub fn ask_digest(&self, manager: Option<&str>) -> Digest {
        self.ask(Canonical::new(1, "ask"), manager).digest()
    }

    fn ask(&self, canonical: Canonical, manager: Option<&str>) -> Canonical {
        let canonical = canonical
            .text(self.action.kind().name())
            .text(&self.action.argument())
            .number(self.term.seconds().map_or(0, u64::from))
            .maybe(self.claim.alert_id.as_deref())
            .maybe(manager);
        let canonical = self.action.kind().add_version(canonical);
        let canonical = if self.when_back { canonical.text("when_back") } else { canonical };
        match &self.selection {
            Selection::All => canonical.text("all"),
            Selection::Ids(ids) => {
                let mut sorted: Vec<_> = ids.iter().collect();
                sorted.sort();
                canonical.text("ids").list(sorted.into_iter(), |c, id| c.text(id.as_str()))
            }
        }
    }
}

/// What the name of a manager must look like.
pub const MANAGER_GRAMMAR: &str = "1 to 32 lower-case letters, digits, `.`, `_`, `-`, of which the \
                                   first is a letter or a digit";
/// What the id of an alert must look like.
pub const ALERT_ID: &str = "1 to 128 letters, digits, `.`, `_`, `:`, `-`";
const IDEMPOTENCY_KEY: &str = "1 to 128 printable ASCII characters without spaces";

/// The alert that arguments name, where they name one.
pub fn alert_id(arguments: &Map<String, Value>) -> Result<Option<String>, InvalidField> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
    token(arguments, "alert_id", ALERT_ID, fits)
}

pub(super) fn key(arguments: &Map<String, Value>) -> Result<Option<String>, InvalidField> {
    token(arguments, "idempotency_key", IDEMPOTENCY_KEY, |b| b.is_ascii_graphic())
}

fn known_fields(kind: ActionKind, arguments: &Map<String, Value>) -> Result<(), InvalidField> {
    let known = |field: &str| {
        kind.parameters().iter().any(|parameter| parameter.name == field)
            || PROPOSAL_FIELDS.split(", ").any(|candidate| candidate == field)
    };
    match arguments.keys().find(|field| !known(field)) {
        None => Ok(()),
        Some(field) => {
            let field: String = field.chars().take(80).collect();
            let own = kind.parameters().iter().map(|parameter| parameter.name.as_str());
            let allowed: Vec<_> = own.chain([PROPOSAL_FIELDS]).collect();
            Err(InvalidField::new(&field, "there is no such field", allowed.join(", ")))
        }
    }
}

fn action(kind: ActionKind, arguments: &Map<String, Value>) -> Result<Action, InvalidField> {
    let read = |parameter: &'static Parameter| {
        let (field, grammar) = (&parameter.name, parameter.grammar.as_str());
        let value = match given(arguments, parameter) {
            Some(value) => value,
            None if parameter.optional => return Ok(None),
            None => return Err(InvalidField::new(field, "it is missing", grammar)),
        };
        let refused = |allowed| InvalidField::value(field, value, allowed);
        let number = value.as_u64().filter(|_| parameter.of.is_number());
        let text = number.map(|number| number.to_string().into());
        let text = text.or_else(|| value.as_str().map(Cow::Borrowed));
        parameter.read(&text.ok_or_else(|| refused(grammar))?).map(Some).map_err(refused)
    };
    let read: Result<Vec<_>, _> = kind.parameters().iter().map(read).collect();
    let one_of = &kind.entry().one_of;
    let misfit = || match one_of.as_slice() {
        [] => InvalidField::new(kind.name(), "its arguments do not fit", kind.fields()),
        [first, ..] => {
            let allowed = format!("at least one of {}", one_of.join(", "));
            InvalidField::new(first, "none of these is given", allowed)
        }
    };
    Action::new(kind, read?).ok_or_else(misfit)
}

/// What is given of a parameter. Clients that must fill every field leave one empty that is not used.
fn given<'a>(arguments: &'a Map<String, Value>, parameter: &Parameter) -> Option<&'a Value> {
    let is_unused = |value: &&Value| parameter.optional && value.as_str() == Some("");
    present(arguments, &parameter.name).filter(|value| !is_unused(value))
}

/// What is true or false, and false where it is absent.
fn flag(arguments: &Map<String, Value>, field: &str) -> Result<bool, InvalidField> {
    let Some(value) = present(arguments, field) else { return Ok(false) };
    value.as_bool().ok_or_else(|| InvalidField::value(field, value, "true or false"))
}

/// Whether a manager may be called that.
pub fn is_manager_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= 32
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|b| plain(b) || b"._-".contains(&b))
}

/// Whether the action has such a term.
fn possible(kind: ActionKind, term: Term) -> Result<Term, InvalidField> {
    let terms = kind.entry().terms;
    match term {
        Term::Seconds(_) if !terms.timed => {
            let problem = "it does not end by itself";
            Err(InvalidField::new("duration_seconds", problem, "permanent: true"))
        }
        Term::Permanent if !terms.permanent => {
            let allowed = format!("duration_seconds (1 to {DURATION_SECONDS_MAX})");
            Err(InvalidField::new("permanent", "it always ends by itself", allowed))
        }
        Term::Seconds(_) | Term::Permanent => Ok(term),
    }
}

fn term(arguments: &Map<String, Value>) -> Result<Term, InvalidField> {
    let allowed = format!(
        "exactly one of duration_seconds (1 to {DURATION_SECONDS_MAX}) and permanent: true"
    );
    let permanent = flag(arguments, "permanent")?;
    match (present(arguments, "duration_seconds"), permanent) {
        (None, true) => Ok(Term::Permanent),
        (None, false) => {
            Err(InvalidField::new("duration_seconds", "it is not said how long it lasts", allowed))
        }
        (Some(_), true) => {
            Err(InvalidField::new("duration_seconds", "it comes with permanent", allowed))
        }
        (Some(value), false) => value
            .as_u64()
            .and_then(|seconds| u32::try_from(seconds).ok())
            .filter(|seconds| (1..=DURATION_SECONDS_MAX).contains(seconds))
            .map(Term::Seconds)
            .ok_or_else(|| InvalidField::value("duration_seconds", value, allowed)),
    }
}

/// Reads why something is asked for: 1 to [`REASON_CHARS_MAX`] characters that say something.
pub fn reason(arguments: &Map<String, Value>) -> Result<String, InvalidField> {
    let value = present(arguments, "reason")
        .ok_or_else(|| InvalidField::new("reason", "it is missing", reason_allowed()))?;
    let text =
        value.as_str().ok_or_else(|| InvalidField::value("reason", value, reason_allowed()))?;
    check_reason(text)?;
    Ok(text.to_owned())
}

/// Holds a reason against its rule, wherever it came from.
pub fn check_reason(text: &str) -> Result<(), InvalidField> {
    check_text("reason", text, &reason_allowed())
}

/// Holds what a person wrote against its rule: 1 to [`REASON_CHARS_MAX`] characters, not all blank.
pub fn check_text(field: &str, text: &str, allowed: &str) -> Result<(), InvalidField> {
    let length = text.chars().count();
    if is_blank(text) {
        return Err(InvalidField::new(field, "it is empty", allowed));
    }
    if length > REASON_CHARS_MAX {
        return Err(InvalidField::new(field, format!("it has {length} characters"), allowed));
    }
    Ok(())
}

fn reason_allowed() -> String {
    format!("1 to {REASON_CHARS_MAX} characters that tell an analyst why this is needed")
}

fn confidence(arguments: &Map<String, Value>) -> Result<Option<u8>, InvalidField> {
    let Some(value) = present(arguments, "confidence") else { return Ok(None) };
    value
        .as_u64()
        .and_then(|number| u8::try_from(number).ok())
        .filter(|number| *number <= 100)
        .map(Some)
        .ok_or_else(|| InvalidField::value("confidence", value, "a whole number from 0 to 100"))
}

fn token(
    arguments: &Map<String, Value>,
    field: &str,
    allowed: &str,
    sound: impl Fn(u8) -> bool,
) -> Result<Option<String>, InvalidField> {
    let Some(value) = present(arguments, field) else { return Ok(None) };
    value
        .as_str()
        .filter(|text| (1..=128).contains(&text.len()) && text.bytes().all(sound))
        .map(|text| Some(text.to_owned()))
        .ok_or_else(|| InvalidField::value(field, value, allowed))
}

/// A field that is there; `null` counts as absent, as some clients send it for one left out.
pub(super) fn present<'a>(arguments: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    arguments.get(field).filter(|value| !value.is_null())
}

fn abbreviate(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
