//! Notices: what people learn outside the page, by webhooks and mail.
//!
//! A notice goes to systems that others run, and is shown on locked phones. So it says what kind of
//! thing happened to what class of response, and where to look; never what was acted on, by whom or
//! why. Its text, in `text::notification`, is made of our own words, and of plain names of endpoints
//! that are looked up when it is sent: a notice itself holds none.

use std::fmt;

use serde_json::{Value, json};
use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::{
    Time,
    action::ActionKind,
    all_variants,
    audit::EventKind,
    decision::Tier,
    id::{PersonId, PlanId, RequestId},
    kill_switch::Extent,
    lifecycle::Transition,
    plan::Plan,
    request::{PlanStep, Request, StateName, Target},
};

mod doubt;
mod id;

pub use id::NoticeId;

use doubt::newly_doubtful;

/// What a notice reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(const_into_str)]
pub enum NoticeKind {
    /// A request has come to wait for people.
    #[strum(serialize = "request.waiting")]
    Waiting,
    /// A plan was asked for, and some of its steps wait for people.
    #[strum(serialize = "plan.waiting")]
    PlanWaiting,
    /// A request still waits, and its deadline is near.
    #[strum(serialize = "request.deadline_near")]
    DeadlineNear,
    /// A request still waits, and others are told of it.
    #[strum(serialize = "request.escalated")]
    Escalated,
    /// A request was approved, or ended before anything was sent.
    #[strum(serialize = "request.decided")]
    Decided,
    /// What became of an endpoint is unknown or unconfirmed, or something says that it did not work.
    #[strum(serialize = "request.in_doubt")]
    Doubt,
    /// A lead let it run without the approvals that were missing.
    #[strum(serialize = "request.glass_broken")]
    GlassBroken,
    /// The review of a break glass is due soon.
    #[strum(serialize = "review.due")]
    ReviewDue,
    /// The review of a break glass was not done in time.
    #[strum(serialize = "review.overdue")]
    ReviewOverdue,
    /// The kill switch was thrown.
    #[strum(serialize = "kill_switch.thrown")]
    Frozen,
    /// The first of two people asked to release the kill switch.
    #[strum(serialize = "kill_switch.release_asked")]
    ReleaseAsked,
    /// The kill switch was released.
    #[strum(serialize = "kill_switch.released")]
    Unfrozen,
    /// Somebody has failed so often to sign in that they must wait.
    #[strum(serialize = "sign_in.throttled")]
    SignInsThrottled,
    /// A passkey of a person was added or removed.
    #[strum(serialize = "passkey.changed")]
    PasskeyChanged,
    /// The second factor of a person was switched on or off, or has other recovery codes.
    #[strum(serialize = "second_factor.changed")]
    SecondFactorChanged,
    /// Somebody signed in with a recovery code.
    #[strum(serialize = "recovery_code.used")]
    RecoveryCodeUsed,
    /// A person signs in at the identity provider from now on.
    #[strum(serialize = "person.linked")]
    PersonLinked,
    /// A token for the API was made or revoked.
    #[strum(serialize = "api_token.changed")]
    ApiTokenChanged,
    /// A test of whether notices arrive.
    #[strum(serialize = "notice.test")]
    Test,
}

impl NoticeKind {
    /// All kinds.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word in the store and in webhooks.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// Whether a person should look at once.
    pub const fn urgent(self) -> bool {
        match self {
            Self::DeadlineNear
            | Self::Escalated
            | Self::Doubt
            | Self::GlassBroken
            | Self::ReviewOverdue
            | Self::Frozen => true,
            Self::Waiting
            | Self::PlanWaiting
            | Self::Decided
            | Self::ReviewDue
            | Self::ReleaseAsked
            | Self::Unfrozen
            | Self::SignInsThrottled
            | Self::PasskeyChanged
            | Self::SecondFactorChanged
            | Self::RecoveryCodeUsed
            | Self::PersonLinked
            | Self::ApiTokenChanged
            | Self::Test => false,
        }
    }

    /// Whether it waits for the end of a person's quiet hours: what somebody has to know of their own
    /// account, or of the kill switch, does not.
    pub const fn can_wait(self) -> bool {
        matches!(self, Self::Waiting | Self::PlanWaiting | Self::Decided | Self::ReviewDue)
    }

    /// Whether it is said once only of a request, because time and no transition causes it.
    pub const fn once(self) -> bool {
        matches!(self, Self::DeadlineNear | Self::Escalated | Self::ReviewDue | Self::ReviewOverdue)
    }
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeSubject {
    /// A request.
    Request {
        /// The request, which its link leads to.
        id: RequestId,
        /// The class of the response.
        action: ActionKind,
        /// How much it asks of people.
        tier: Tier,
        /// Where it stood then.
        state: StateName,
        /// The plan that it is a step of, and which.
        plan: Option<PlanStep>,
    },
    /// A plan, which its link leads to.
    Plan {
        /// The plan.
        id: PlanId,
        /// The first of its steps that waits for people.
        first: RequestId,
        /// How many steps it has.
        steps: u8,
        /// How many of them wait for people.
        waiting: u8,
        /// The highest tier of those.
        tier: Tier,
    },
    /// The kill switch: one of [`Extent::KINDS`].
    Switch(&'static str),
    /// The account of a person.
    Account(PersonId),
    /// Nothing further: sign-ins, a test.
    Nothing,
}

/// One notice. Its text is made of our own words alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// What it reports.
    pub kind: NoticeKind,
    /// What it concerns.
    pub about: NoticeSubject,
    /// When that happened.
    pub at: Time,
}

/// A stored request before a transition.
#[derive(Debug, Clone, Copy)]
pub struct PreviousState<'a> {
    /// Where it stood.
    pub state: StateName,
    /// What was known of its endpoints.
    pub targets: &'a [Target],
}

impl<'a> PreviousState<'a> {
    /// That of a request before a transition.
    pub const fn of(request: &'a Request) -> Self {
        Self { state: request.state.name(), targets: request.targets.as_slice() }
    }
}

impl Notice {
    /// What a transition gives people to know; `before` is none for a new request.
    pub fn of(before: Option<PreviousState<'_>>, transition: &Transition, now: Time) -> Vec<Self> {
        let request = transition.request();
        let state = request.state.name();
        let moved = before.is_none_or(|before| before.state != state);
        let decided = match state {
            // Its plan is told of as a whole.
            StateName::Pending if before.is_none() && request.plan.is_some() => None,
            // It came back: the votes no longer suffice.
            StateName::Pending => Some(NoticeKind::Waiting),
            StateName::Approved
            | StateName::Rejected
            | StateName::Cancelled
            | StateName::Expired
            | StateName::Withdrawn => Some(NoticeKind::Decided),
            // An agent that is denied again and again must not flood anybody; and what became of
            // what was sent is told by its outcomes.
            StateName::Denied
            | StateName::Dispatching
            | StateName::Waiting
            | StateName::Settled => None,
        };
        let glass = transition.event().kind() == EventKind::GlassBroken;
        let doubt = newly_doubtful(request, before.map_or(&[], |before| before.targets));
        [
            glass.then_some(NoticeKind::GlassBroken),
            decided.filter(|_| moved),
            doubt.then_some(NoticeKind::Doubt),
        ]
        .into_iter()
        .flatten()
        .map(|kind| Self::for_request(kind, request, now))
        .collect()
    }

    /// A notice about a request as it stands now.
    pub fn for_request(kind: NoticeKind, request: &Request, at: Time) -> Self {
        let about = NoticeSubject::Request {
            id: request.id,
            action: request.action.kind(),
            tier: request.tier(),
            state: request.state.name(),
            plan: request.plan,
        };
        Self { kind, about, at }
    }

    /// That a plan was asked for; none where none of its steps waits for people.
    pub fn of_plan(plan: &Plan, at: Time) -> Option<Self> {
        let waiting = || plan.steps.iter().filter(|step| step.state.name() == StateName::Pending);
        let count = |steps: usize| u8::try_from(steps).unwrap_or(u8::MAX);
        let about = NoticeSubject::Plan {
            id: plan.id,
            first: waiting().next()?.id,
            steps: count(plan.steps.len()),
            waiting: count(waiting().count()),
            tier: waiting().map(Request::tier).max()?,
        };
        Some(Self { kind: NoticeKind::PlanWaiting, about, at })
    }

    /// What an event says of the kill switch; none for other events.
    pub fn of_switch(event: EventKind, extent: &Extent, at: Time) -> Option<Self> {
        let kinds = [
            (EventKind::Frozen, NoticeKind::Frozen),
            (EventKind::ReleaseAsked, NoticeKind::ReleaseAsked),
            (EventKind::Unfrozen, NoticeKind::Unfrozen),
        ];
        let (_, kind) = kinds.into_iter().find(|(of, _)| *of == event)?;
        Some(Self { kind, about: NoticeSubject::Switch(extent.kind()), at })
    }

    /// The request it is about; of a plan, the first step that waits.
    pub const fn request(&self) -> Option<RequestId> {
        match self.about {
            NoticeSubject::Request { id, .. } | NoticeSubject::Plan { first: id, .. } => Some(id),
            NoticeSubject::Switch(_) | NoticeSubject::Account(_) | NoticeSubject::Nothing => None,
        }
    }

    /// The plan that it is about, or a step of it.
    pub const fn plan(&self) -> Option<PlanId> {
        match self.about {
            NoticeSubject::Request { plan: Some(PlanStep { plan: id, .. }), .. }
            | NoticeSubject::Plan { id, .. } => Some(id),
            NoticeSubject::Request { plan: None, .. }
            | NoticeSubject::Switch(_)
            | NoticeSubject::Account(_)
            | NoticeSubject::Nothing => None,
        }
    }

    /// Where to look, behind the address of the page.
    pub fn path(&self) -> String {
        match self.about {
            NoticeSubject::Request { id, .. } => format!("/requests/{id}"),
            NoticeSubject::Plan { id, .. } => plan_path(id),
            NoticeSubject::Switch(_) => "/system".to_owned(),
            NoticeSubject::Account(_) => {
                let code = self.kind == NoticeKind::RecoveryCodeUsed;
                let group = self.kind.name().split('.').next().filter(|_| !code);
                format!("/audit?kind={}", group.unwrap_or("session.signed_in"))
            }
            NoticeSubject::Nothing if self.kind == NoticeKind::SignInsThrottled => {
                "/system".to_owned()
            }
            NoticeSubject::Nothing => "/".to_owned(),
        }
    }

    /// What is known beside kind and time, for the store and for webhooks.
    pub fn facts(&self) -> Value {
        match self.about {
            NoticeSubject::Request { id, action, tier, state, plan } => {
                let mut facts = json!({
                    "request": short_id(id), "action": action.name(), "tier": tier.name(),
                    "state": state.name(),
                });
                if let (Some(step), Some(facts)) = (plan, facts.as_object_mut()) {
                    facts.insert("plan".to_owned(), json!(step.plan.to_string()));
                    facts.insert("step".to_owned(), json!(step.number));
                }
                facts
            }
            NoticeSubject::Plan { id, first: _, steps, waiting, tier } => json!({
                "plan": id.to_string(), "steps": steps, "waiting": waiting, "tier": tier.name(),
            }),
            NoticeSubject::Switch(extent) => json!({ "extent": extent }),
            NoticeSubject::Account(person) => json!({ "person": person.to_string() }),
            NoticeSubject::Nothing => json!({}),
        }
    }

    /// Puts a stored notice together again.
    pub fn from_parts(
        kind: NoticeKind,
        request: Option<RequestId>,
        facts: &Value,
        at: Time,
    ) -> Option<Self> {
        let word = |name: &str| facts.get(name)?.as_str();
        let number = |name: &str| u8::try_from(facts.get(name)?.as_u64()?).ok();
        let plan = word("plan").map(str::parse::<PlanId>).transpose().ok()?;
        let about = match (request, word("extent"), plan) {
            (Some(first), None, Some(id)) if kind == NoticeKind::PlanWaiting => {
                NoticeSubject::Plan {
                    id,
                    first,
                    steps: number("steps")?,
                    waiting: number("waiting")?,
                    tier: Tier::parse(word("tier")?)?,
                }
            }
            (Some(id), None, plan) => NoticeSubject::Request {
                id,
                action: ActionKind::parse(word("action")?)?,
                tier: Tier::parse(word("tier")?)?,
                state: StateName::parse(word("state")?)?,
                plan: match plan {
                    Some(plan) => Some(PlanStep { plan, number: number("step")? }),
                    None => None,
                },
            },
            (None, Some(extent), None) => {
                NoticeSubject::Switch(Extent::KINDS.iter().find(|kind| **kind == extent)?)
            }
            (None, None, None) => match word("person") {
                Some(person) => NoticeSubject::Account(person.parse().ok()?),
                None => NoticeSubject::Nothing,
            },
            (Some(_), Some(_), _) | (None, _, Some(_)) => return None,
        };
        Some(Self { kind, about, at })
    }
}

/// The page of a plan, behind the address of the page.
pub fn plan_path(id: PlanId) -> String {
    format!("/plans/{id}")
}

/// The last eight hexadecimal digits: the first ones are the time, and alike for all of a minute.
pub fn short_id(id: impl fmt::Display) -> String {
    let id = id.to_string();
    id.chars().skip(id.chars().count().saturating_sub(8)).collect()
}
