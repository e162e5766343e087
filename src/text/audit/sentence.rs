//! One sentence for each kind of event, after the name of whoever caused it.

use crate::{
    domain::{
        Time,
        action::with_count,
        audit::{
            AuditDetail,
            detail::{
                accounts::NoFacts,
                dispatch::{AnswerFacts, CallFacts, EndMovedFacts, EndpointEnd, ResumeFacts},
                outcome::EndpointOutcome,
                request::{DecisionFacts, VerdictName, WithdrawalFacts},
                system::ClockJumpFacts,
            },
        },
        clock_jump::ClockJump,
        endpoint::EndpointId,
        facts::Verb,
        len_u64,
        request::{Outcome, StateName},
    },
    text::active_response::end_text,
};

use super::{
    api_token,
    endpoints::{list, named},
    sign_in, with_passkey,
};

/// What happened, in our words, and what somebody wrote of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) summary: String,
    /// What somebody wrote, or a reason; may be empty.
    pub(super) quote: String,
}

impl Sentence {
    fn new(summary: impl Into<String>, quote: String) -> Self {
        Self { summary: summary.into(), quote }
    }
}

impl From<&str> for Sentence {
    fn from(summary: &str) -> Self {
        Self::new(summary, String::new())
    }
}

impl From<String> for Sentence {
    fn from(summary: String) -> Self {
        Self::new(summary, String::new())
    }
}

/// A request that waits for its children ends with them alone.
fn ended_text(how: &str, state: StateName) -> String {
    let what = if state == StateName::Waiting { "what still waits" } else { "it" };
    format!("{how} {what}")
}

/// Puts what happened into words.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
pub(super) fn sentence(detail: AuditDetail) -> Sentence {
    match detail {
        AuditDetail::ProposalRefused(facts) => {
            Sentence::new("sent a proposal that was refused", facts.why)
        }
        AuditDetail::AsksThrottled(facts) => {
            let summary = "exceeded its request limit; further requests were ignored";
            Sentence::new(summary, facts.why)
        }
        AuditDetail::ProposalDryRun(facts) => {
            let verdict = verdict_text(&facts.decision);
            let step = facts.step.map(|number| format!("step {number} of a plan, "));
            let step = step.unwrap_or_default();
            let summary = format!("tried without asking: {step}{}; {verdict}", facts.effect);
            Sentence::new(summary, facts.decision.why)
        }
        AuditDetail::RequestAsked(facts) => {
            let verdict = verdict_text(&facts.decision);
            let summary = format!("requested: {}; {verdict}, now {}", facts.effect, facts.state);
            Sentence::new(summary, facts.decision.why)
        }
        AuditDetail::PlanAsked(facts) => {
            let steps = with_count(len_u64(facts.steps.len()), "step");
            let rule = facts.on_failure.name();
            let summary = format!("asked for a plan of {steps}; after a failure: {rule}");
            Sentence::new(summary, facts.heading)
        }
        AuditDetail::TurnCame(facts) => {
            format!("step {} is next in its plan, now {}", facts.step, facts.state).into()
        }
        AuditDetail::VoteApproved(facts) => {
            let with = with_passkey(facts.proof.as_ref());
            Sentence::new(format!("approved{with}, now {}", facts.state), facts.comment)
        }
        AuditDetail::GlassBroken(facts) => {
            let with = with_passkey(facts.proof.as_ref());
            Sentence::new(format!("broke the glass{with}, now {}", facts.state), facts.reason)
        }
        AuditDetail::RequestRejected(facts) => {
            let with = api_token::with(facts.token.as_ref());
            Sentence::new(ended_text("rejected", facts.state) + &with, facts.reason)
        }
        AuditDetail::VoteRetracted(facts) => {
            format!("took their approval back, now {}", facts.state).into()
        }
        AuditDetail::VoteRefused(facts) => {
            let tried =
                if facts.verb == Verb::BreakGlass { "break the glass" } else { facts.verb.name() };
            let with = api_token::with(facts.token.as_ref());
            Sentence::new(format!("tried to {tried}{with} and was refused"), facts.why)
        }
        AuditDetail::CommentAdded(facts) => {
            let with = api_token::with(facts.token.as_ref());
            Sentence::new(format!("commented{with}"), facts.comment)
        }
        AuditDetail::RequestAssigned(facts) => match facts.to {
            Some(_) => "assigned it to themselves".into(),
            None => "assigned it to nobody".into(),
        },
        AuditDetail::RequestSnoozed(facts) => match facts.until {
            Some(until) => {
                format!("snoozed it until {}", until.format("%Y-%m-%d %H:%M:%S UTC")).into()
            }
            None => "wants to see it in their inbox again".into(),
        },
        AuditDetail::Reviewed(facts) => {
            Sentence::new("reviewed the break-glass approval", facts.finding)
        }
        AuditDetail::RequestCancelled(facts) => {
            Sentence::new(ended_text("cancelled", facts.state), facts.reason)
        }
        AuditDetail::RequestExpired(facts) => {
            Sentence::new("closed it because its time ran out", facts.reason)
        }
        AuditDetail::RequestRedecided(facts) => {
            let verdict = verdict_text(&facts.decision);
            Sentence::new(
                format!("evaluated it again: {verdict}, now {}", facts.state),
                facts.cause,
            )
        }
        AuditDetail::RequestWithdrawn(facts) => Sentence::new(
            "withdrew it",
            match facts {
                WithdrawalFacts::ByPolicy(facts) => facts.decision.why,
                WithdrawalFacts::ByFacts(facts) => facts.reason,
            },
        ),
        AuditDetail::DispatchClaimed(facts) => call(&facts.attempt).into(),
        AuditDetail::DispatchResumed(facts) => match facts {
            ResumeFacts::Call { attempt, .. } => call(&attempt).into(),
            ResumeFacts::Stopped { why, .. } => {
                Sentence::new("stopped waiting; nothing more will be sent", why)
            }
        },
        AuditDetail::DispatchHeld(facts) => Sentence::new("cannot send it yet", facts.why),
        AuditDetail::DispatchAnswered(facts) => match facts {
            AnswerFacts::Call(facts) => {
                let outcomes = list(facts.settled.as_ref().unwrap_or(&facts.outcomes));
                let what = answer_text(&facts.outcomes);
                let summary = format!("{what}{outcomes}, now {}", facts.state);
                Sentence::new(summary, facts.answer)
            }
            AnswerFacts::AllDisconnected(facts) => {
                format!("could not send it{}, now {}", list(&facts.outcomes), facts.state).into()
            }
        },
        AuditDetail::DispatchRecovered(facts) => {
            format!("restarted and closed what was in progress{}", list(&facts.outcomes)).into()
        }
        AuditDetail::CallsFound(facts) => {
            let calls = with_count(len_u64(facts.calls.len()), "call");
            let known = list(&facts.outcomes);
            format!("found {calls} that this database does not know{known}").into()
        }
        AuditDetail::WaitBegan(facts) => {
            let (endpoint, parent) = (facts.endpoint, facts.parent);
            format!("waits for the endpoint {endpoint}, which was away when {parent} was sent")
                .into()
        }
        AuditDetail::EndpointReturned(facts) => {
            let verdict = verdict_text(&facts.decision);
            let summary = format!("found the endpoint back: {verdict}, now {}", facts.state);
            Sentence::new(summary, facts.decision.why)
        }
        AuditDetail::WaitOver(_) => "waits for no endpoint any more".into(),
        AuditDetail::EvidenceSeen(facts) => {
            format!("found evidence{}", list(&facts.outcomes)).into()
        }
        AuditDetail::EvidenceMissed(facts) => {
            let what = match (facts.looked, &facts.gap) {
                (true, None) => "looked for evidence and found none",
                (true, Some(_)) => "could not look for evidence",
                (false, _) => "did not look for evidence, because no evidence source is configured",
            };
            let summary = format!("{what}{}", list(&facts.outcomes));
            Sentence::new(summary, facts.gap.unwrap_or_default())
        }
        AuditDetail::ResponseReverted(facts) => {
            let by = facts.by;
            format!("counts it as taken back by {by}{}", list(&facts.outcomes)).into()
        }
        AuditDetail::UndoFailed(facts) => {
            let of = format!("{}, which was to take it back, was not done", facts.by);
            format!("learnt that {of}{}", list(&facts.outcomes)).into()
        }
        AuditDetail::EndMoved(facts) => end_moved(&facts).into(),
        AuditDetail::OutcomeResolved(facts) => {
            Sentence::new(format!("recorded what happened{}", list(&facts.outcomes)), facts.reason)
        }
        AuditDetail::SignedIn(facts) => Sentence::new(sign_in::signed_in(&facts), facts.device),
        AuditDetail::SignInRefused(facts) => Sentence::new(sign_in::refused(&facts), facts.device),
        AuditDetail::SignedOut(_) => "signed out".into(),
        AuditDetail::PersonAdded(facts) => sign_in::person_added(&facts).into(),
        AuditDetail::PersonDisabled(_) => "disabled a person".into(),
        AuditDetail::PersonSuspended(_) => "suspended a person".into(),
        AuditDetail::PersonLinked(_) => "moved to the identity provider".into(),
        AuditDetail::RoleChanged(facts) => {
            format!("changed a person's role to {}", facts.role).into()
        }
        AuditDetail::OnCallChanged(facts) => {
            if facts.on_call {
                "put a person on call".into()
            } else {
                "took a person off call".into()
            }
        }
        AuditDetail::TeamsChanged(facts) => sign_in::teams_changed(&facts).into(),
        AuditDetail::MailChanged(_) => "changed a person's address for notifications".into(),
        AuditDetail::QuietHoursChanged(_) => "changed their quiet hours".into(),
        AuditDetail::SessionsEnded(_) => "ended a person's sessions".into(),
        AuditDetail::PasswordReset(_) => "reset a person's password".into(),
        AuditDetail::PasswordChanged(_) => "changed their password".into(),
        AuditDetail::PasskeyAdded(facts) => Sentence::new("added a passkey", facts.name),
        AuditDetail::PasskeyRemoved(facts) => Sentence::new("removed a passkey", facts.name),
        AuditDetail::PasskeyRefused(facts) => Sentence::new("had a passkey refused", facts.why),
        AuditDetail::SecondFactorOn(_) => "let the password alone sign in no more".into(),
        AuditDetail::SecondFactorOff(_) => "let the password alone sign in again".into(),
        AuditDetail::RecoveryCodesRenewed(_) => "made new recovery codes".into(),
        AuditDetail::ApiTokenCreated(facts) => api_token::created(&facts).into(),
        AuditDetail::ApiTokenRevoked(facts) => {
            format!("revoked the API token {}", facts.name).into()
        }
        AuditDetail::ApiTokenRefused(facts) => api_token::refused(&facts).into(),
        AuditDetail::AgentAdded(facts) => format!("added an agent owned by {}", facts.owner).into(),
        AuditDetail::ScopesChanged(facts) => {
            format!("allowed an agent to request {}", facts.scopes).into()
        }
        AuditDetail::TokenRotated(_) => "gave an agent a new token".into(),
        AuditDetail::AgentRevoked(_) => "revoked an agent's token".into(),
        AuditDetail::LimitLifted(facts) => format!(
            "lifted an agent's limit, which counted {}",
            with_count(facts.refusals, "refusal")
        )
        .into(),
        AuditDetail::Frozen(facts) => Sentence::new("threw the kill switch", facts.reason),
        AuditDetail::ReleaseAsked(facts) => {
            Sentence::new("asked to release the kill switch", facts.reason)
        }
        AuditDetail::Unfrozen(facts) => Sentence::new("released the kill switch", facts.reason),
        AuditDetail::PolicyActivated(_) => "activated a policy set".into(),
        AuditDetail::PolicyReevaluated(facts) => format!(
            "evaluated {} again: the answer changed for {}",
            with_count(facts.open, "open request"),
            facts.changed
        )
        .into(),
        AuditDetail::PolicyRefused(facts) => {
            Sentence::new("tried to activate a policy set, which was refused", facts.why)
        }
        AuditDetail::Started(facts) => match facts.gap {
            None => "started".into(),
            Some(gap) => Sentence::new("started and sends nothing", gap),
        },
        AuditDetail::ClockJumped(ClockJumpFacts { from, to, .. }) => {
            format!("found that the clock jumped {}", ClockJump { from, to }).into()
        }
        AuditDetail::Recovered(facts) => {
            let found = with_count(facts.found, "call");
            let withdrawn = with_count(facts.withdrawn, "open request");
            let summary = format!(
                "recovered the database together with {}: found {found} that it did not know and \
                 withdrew {withdrawn}",
                facts.with
            );
            Sentence::new(summary, facts.reason)
        }
        AuditDetail::Resumed(NoFacts {}) => "went on after a full disk".into(),
        AuditDetail::ManagerIdentified(facts) => {
            let name = facts.name;
            let what = match facts.before {
                None => format!("learnt which installation the manager {name} is"),
                Some(_) => format!("found another installation behind the manager {name}"),
            };
            Sentence::new(what, facts.identity)
        }
        AuditDetail::AuditRead(facts) => {
            format!("read the audit, {}", with_count(facts.rows, "row")).into()
        }
    }
}

/// What policy answered: "policy requires 2 people, one of them a senior or lead".
pub(crate) fn verdict_text(decision: &DecisionFacts) -> String {
    match (decision.verdict, &decision.needs) {
        (VerdictName::Run, _) => "policy allows it to run".to_owned(),
        (VerdictName::Approval, Some(needs)) => format!("policy requires {needs}"),
        (VerdictName::Approval, None) => "policy requires approval".to_owned(),
        (VerdictName::Deny, _) => "policy does not allow it to run".to_owned(),
    }
}

fn call(call: &CallFacts) -> String {
    let endpoints: Vec<_> = call.endpoints.iter().collect();
    format!("recorded call {} to {} before making it", call.number, named(&endpoints))
}

/// What an answer to a call says about all of its endpoints.
fn answer_text(outcomes: &[EndpointOutcome]) -> &'static str {
    let any = |is: fn(&Outcome) -> bool| outcomes.iter().any(|one| is(&one.outcome));
    if any(|known| matches!(known, Outcome::Sent | Outcome::Refused { .. })) {
        "received an answer"
    } else if any(|known| matches!(known, Outcome::Unknown { .. })) {
        "got no clear answer"
    } else {
        "could not send it"
    }
}

/// Which request moved the end, and to when on which endpoints.
fn end_moved(facts: &EndMovedFacts) -> String {
    let mut groups: Vec<(Option<Time>, Vec<&EndpointId>)> = Vec::new();
    for EndpointEnd { endpoint, ends } in &facts.ends {
        match groups.iter_mut().find(|(known, _)| known == ends) {
            Some((_, endpoints)) => endpoints.push(endpoint),
            None => groups.push((*ends, vec![endpoint])),
        }
    }
    let parts = groups.iter().map(|(ends, endpoints)| {
        let names: Vec<_> = endpoints.iter().map(|endpoint| endpoint.as_str()).collect();
        format!("{} {}", names.join(", "), end_text(*ends))
    });
    let parts: Vec<_> = parts.collect();
    format!("moved its end, because {} is for the same target: {}", facts.by, parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::EventKind;

    fn read(kind: EventKind, detail: &str) -> Sentence {
        sentence(AuditDetail::from_stored(kind, detail).unwrap())
    }

    #[test]
    fn our_words_and_those_of_others_stay_apart() {
        let detail = r#"{"role":"lead","reason":"approved, now settled","allowed_by":[],
            "digest":"0000000000000000000000000000000000000000000000000000000000000000",
            "state":"rejected"}"#;
        let said = read(EventKind::RequestRejected, detail);
        assert_eq!(said, Sentence::new("rejected it", "approved, now settled".to_owned()));
    }

    #[test]
    fn call_without_answer_received_none() {
        for (outcomes, said) in [
            (
                r#"[{"endpoint":"001","outcome":"unknown","code":null,"detail":"x"}]"#,
                "got no clear answer: 001 unknown, now dispatching",
            ),
            ("[]", "could not send it, now dispatching"),
        ] {
            let attempt = r#""attempt":"att_000000000000000000000000000003e8""#;
            let answer = r#""answer":"the manager does not answer""#;
            let rest = r#""next":null,"settled":null,"state":"dispatching""#;
            let detail = format!(r#"{{{attempt},{answer},"outcomes":{outcomes},{rest}}}"#);
            assert_eq!(read(EventKind::DispatchAnswered, &detail).summary, said);
        }
    }

    #[test]
    fn an_answered_call_says_what_became_of_its_endpoints() {
        let detail = r#"{"attempt":"att_000000000000000000000000000003e8","answer":"200",
            "outcomes":[{"endpoint":"001","outcome":"sent","code":null,"detail":""},
            {"endpoint":"002","outcome":"sent","code":null,"detail":""},
            {"endpoint":"014","outcome":"refused","code":1750,"detail":"off"}],
            "next":null,"settled":null,"state":"dispatching"}"#;
        let said = read(EventKind::DispatchAnswered, detail);
        let summary = "received an answer: 001, 002 sent; 014 refused (1750), now dispatching";
        assert_eq!(said, Sentence::new(summary, "200".to_owned()));
    }
}
