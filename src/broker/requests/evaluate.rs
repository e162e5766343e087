//! What policy is told about a request: facts of the store through a reader or the transaction,
//! facts of the manager as they were frozen.

use std::net::IpAddr;

use chrono::{Datelike as _, SubsecRound as _, TimeDelta, Timelike as _};
use ipnet::IpNet;

use crate::{
    broker::{Broker, BusinessHours, Settings},
    domain::{
        Time,
        action::Argument,
        active_response::AlreadyActive,
        actor::{Agent, Person, Role},
        address::forms,
        decision::{Decision, Verdict},
        endpoint::Endpoint,
        facts::history::{AgentEvents, AgentHistory, Limit, REFUSAL_COUNTS},
        facts::protected::matches_any,
        facts::{AlertFacts, EndpointFacts, PolicyQuestion, TargetFacts},
        len_u64,
        lifecycle::Reevaluation,
        request::Request,
        seconds_of,
    },
    store::{Read, StoreError, accounts, requests, system},
};

mod ahead;

pub(in crate::broker) use ahead::{Ahead, ReadPoint};

/// Policy's answer about a request that is not stored yet, and what it rests on.
#[derive(Debug, Clone)]
pub(in crate::broker) struct FirstDecision {
    pub(in crate::broker) decision: Decision,
    /// What the agent did before, and whether that limits it.
    pub(in crate::broker) history: AgentHistory,
    question: PolicyQuestion,
    /// What the agent did before, and when that was read.
    events: (AgentEvents, Time),
}

impl Broker {
    /// Asks policy about a stored request, just now, with the votes that stand; says what use-by
    /// would follow. Its endpoints are frozen: where policy keeps one out by now, all are denied.
    /// A broken glass stands in for the people who are missing; nothing stands in for policy.
    pub(in crate::broker) async fn decide(
        &self,
        read: &mut impl Read,
        request: &Request,
        agent: &Agent,
        now: Time,
    ) -> Result<Reevaluation, StoreError> {
        let question = self.question_now(read, request, agent, now).await?;
        self.decide_asked(read, request, &question).await
    }

    /// The same, where the question is known already.
    pub(in crate::broker) async fn decide_asked(
        &self,
        read: &mut impl Read,
        request: &Request,
        question: &PolicyQuestion,
    ) -> Result<Reevaluation, StoreError> {
        let fresh = self.reevaluate(question, request);
        match request.plan {
            Some(step) if !requests::plans::is_due(read, step).await? => {
                Ok(Reevaluation { use_by: self.latest_use_by(request), ..fresh })
            }
            Some(_) | None => Ok(fresh),
        }
    }

    /// The use-by of a step whose turn has not come.
    pub(super) fn latest_use_by(&self, request: &Request) -> Time {
        let settings = self.settings();
        request.latest_use_by(settings.use_approval_within, settings.wait_within)
    }

    /// What policy is asked about a stored request, just now.
    pub(in crate::broker) async fn question_now(
        &self,
        read: &mut impl Read,
        request: &Request,
        agent: &Agent,
        now: Time,
    ) -> Result<PolicyQuestion, StoreError> {
        // As it was when it was asked: what comes later must not turn against it.
        let history = match &request.history {
            Some(history) => history.clone(),
            None => {
                requests::agent_events(read, request, request.asked_at).await?.at(request.asked_at)
            }
        };
        self.question(read, (request, history), agent, now).await
    }

    /// Policy's answer to a question about a stored request.
    pub(in crate::broker) fn reevaluate(
        &self,
        question: &PolicyQuestion,
        request: &Request,
    ) -> Reevaluation {
        let (engine, now) = (self.engine(), question.now);
        let mut run = all_or_none(engine.decide(question));
        if let Verdict::Approval(least) = run.verdict
            && request.break_glass_counts(&question.agent)
        {
            let tally = question.tally;
            let broken = PolicyQuestion { tally: tally.or(least), ..question.clone() };
            run = all_or_none(engine.decide(&broken));
            (run.tally, run.break_glass) = (tally, true);
        }
        Reevaluation { run, use_by: self.use_by(now), stopped: false, now }
    }

    /// [`Self::decide`] where no person lets it through: what the kill switch stops goes on waiting.
    pub(in crate::broker) async fn decide_unless_stopped(
        &self,
        read: &mut impl Read,
        request: &Request,
        agent: &Agent,
        now: Time,
    ) -> Result<Reevaluation, StoreError> {
        let fresh = self.decide(read, request, agent, now).await?;
        Ok(Reevaluation { stopped: system::stopped(read, request).await?, ..fresh })
    }

    /// Asks policy about a request that is not stored yet, whose endpoints can still be left out.
    /// What its agent did before is read now, for good.
    pub(in crate::broker) async fn decide_first(
        &self,
        read: &mut impl Read,
        request: &Request,
        agent: &Agent,
        now: Time,
    ) -> Result<FirstDecision, StoreError> {
        // Others of the agent's asks may have been stored since this one was made.
        let read_at = self.clock().now();
        let events = requests::agent_events(read, request, read_at).await?;
        let history = events.at(read_at);
        let question = self.question(read, (request, history), agent, now).await?;
        Ok(self.answer(question, (events, read_at)))
    }

    /// Policy's answer to a question about a request that is not stored yet.
    fn answer(&self, question: PolicyQuestion, events: (AgentEvents, Time)) -> FirstDecision {
        let decision = self.engine().decide(&question);
        let limit = self.limit(&question, (&events.0, events.1), decision.verdict);
        let history = AgentHistory { limit, ..question.history.clone() };
        FirstDecision { decision, history, question, events }
    }

    /// Whether what the agent did before made policy's answer stricter, and for how long it does:
    /// policy is asked what it would say had the agent done nothing, and then at later moments.
    fn limit(
        &self,
        question: &PolicyQuestion,
        (events, now): (&AgentEvents, Time),
        answer: Verdict,
    ) -> Option<Limit> {
        // Nothing is less strict than that it runs, and who did nothing has the answer: policy need
        // not be asked again.
        if answer == Verdict::Run || question.history == AgentHistory::default() {
            return None;
        }
        let mut question = question.clone();
        let mut asked = |history: AgentHistory| {
            question.history = history;
            self.engine().decide(&question).verdict
        };
        let free = asked(AgentHistory::default());
        if free == answer || strictness(answer) < strictness(free) {
            return None;
        }
        // From whole second to whole second: an agent is told seconds, and each answer the same one.
        let begin = now.trunc_subsecs(0);
        let mut free_in =
            |seconds: i64| asked(events.at(begin + TimeDelta::seconds(seconds))) == free;
        let (mut limited, mut ended) = (0, REFUSAL_COUNTS.num_seconds() + 1);
        if !free_in(ended) {
            return Some(Limit { ends: None });
        }
        while ended - limited > 1 {
            let middle = i64::midpoint(limited, ended);
            if free_in(middle) { ended = middle } else { limited = middle }
        }
        Some(Limit { ends: Some(begin + TimeDelta::seconds(ended)) })
    }

    async fn question(
        &self,
        read: &mut impl Read,
        (request, history): (&Request, AgentHistory),
        agent: &Agent,
        now: Time,
    ) -> Result<PolicyQuestion, StoreError> {
        let unknown = requests::unknown_outcomes(read, &request.action, request.id).await?;
        let hour_ago = now - TimeDelta::hours(1);
        let lifted = requests::lifted_at(read, request, now).await?;
        let endpoints = request.targets.iter().map(|target| EndpointFacts {
            id: target.endpoint.id.clone(),
            platform: target.endpoint.platform,
            groups: target.endpoint.groups.clone(),
            criticality: target.criticality,
            unknown_outcome: unknown.contains(&target.endpoint.machine()),
        });
        let met = self.already_active(read, request, now).await?;
        let mut scope = len_u64(request.targets.len() + request.skipped.len());
        if let Some(parent) = request.parent() {
            scope = requests::scope(read, parent.id).await?;
        }
        let (automatic_last_day, manager_changed) = self.over_all(read, request, now).await?;
        Ok(PolicyQuestion {
            agent: agent.clone(),
            asked_by: requester_role_now(read, request).await?,
            action: request.action.clone(),
            term: request.term,
            claim: request.claim.clone(),
            target: self.target_facts(request, now),
            alert: with_age(request.alert.clone(), now - request.asked_at),
            scope,
            fleet_wide: request.fleet_wide,
            when_back: request.wait.is_some(),
            endpoints: endpoints.collect(),
            history,
            lifted_seconds_ago: lifted.map(|at| seconds_of(now - at)),
            reach: requests::reach(read, request, (hour_ago, now)).await?,
            automatic_last_day,
            already_active: met.iter().any(AlreadyActive::is_active),
            would_shorten: met.iter().any(AlreadyActive::shortens),
            manager_changed,
            now,
            business_hours: in_business_hours(&self.settings().business_hours, now),
            tally: request.tally(agent),
        })
    }

    /// What moves with whatever anybody's requests come to: how many were sent without people in the
    /// last 24 hours, and whether a manager is another one than something was sent to.
    async fn over_all(
        &self,
        read: &mut impl Read,
        request: &Request,
        now: Time,
    ) -> Result<(u64, bool), StoreError> {
        let lately = (now - TimeDelta::days(1), now);
        let automatic = requests::automatic_since(read, request.id, lately).await?;
        Ok((automatic, !self.unsettled(read).await?.is_empty()))
    }

    fn target_facts(&self, request: &Request, now: Time) -> TargetFacts {
        let settings = self.settings();
        let (mut facts, targets) = (TargetFacts::default(), &settings.protected_targets);
        for (_, argument) in request.action.arguments() {
            match argument {
                Argument::Address(address) => {
                    let forms = forms(*address);
                    let own = |net: &IpNet| forms.iter().any(|form| net.contains(form));
                    facts.own_network |= settings.own_networks.iter().any(own);
                    facts.protected |= self.is_own_address(&forms);
                    facts.of_endpoint |= self.is_endpoint_address(&forms, now)
                        || request.targets.iter().any(|target| has(&target.endpoint, &forms));
                }
                Argument::Account(account) => {
                    let account = account.as_str();
                    facts.protected |= matches_any(&settings.protected_accounts, account);
                    facts.privileged |= matches_any(&settings.privileged_accounts, account);
                }
                Argument::Network(network) => {
                    let own = &settings.own_networks;
                    facts.own_network |=
                        own.iter().any(|own| own.contains(network) || network.contains(own));
                    facts.protected |= self.holds_known_address(network);
                }
                Argument::Path(path) => facts.protected |= targets.has_path(path),
                Argument::ProcessName(name) => facts.protected |= targets.has_process(name),
                Argument::Domain(name) | Argument::HostName(name) => {
                    facts.protected |= targets.has_domain(name, &self.own_hosts());
                }
                // An id says nothing about what runs: the script checks it against the name.
                Argument::ProcessId(_)
                | Argument::Port(_)
                | Argument::Hash(_)
                | Argument::Choice(_)
                | Argument::Text(_) => {}
            }
        }
        if request.action.kind().entry().isolates {
            facts.keeps_network = request.targets.iter().any(|target| {
                let address = target.endpoint.address.as_ref().and_then(|text| text.parse().ok());
                // Whose address is not known may be the manager.
                address.is_none_or(|address| self.is_own_address(&forms(address)))
                    || targets.keeps_network(&target.endpoint)
            });
        }
        facts
    }
}

/// Whether an endpoint has one of these addresses, in whatever form its manager knows it.
fn has(endpoint: &Endpoint, target: &[IpAddr]) -> bool {
    let address = endpoint.address.as_ref().and_then(|address| address.parse().ok());
    address.is_some_and(|address| forms(address).iter().any(|form| target.contains(form)))
}

/// The role, by now, of the person who asked. Nothing rests on one who is disabled by now, or whose
/// password somebody else has set.
async fn requester_role_now(
    read: &mut impl Read,
    request: &Request,
) -> Result<Option<Role>, StoreError> {
    let Some(asker) = &request.asked_by else { return Ok(None) };
    let person = accounts::person_by_id(read, asker.person).await?;
    let sound = |person: &Person| person.is_active() && !person.must_change_password;
    Ok(person.filter(sound).map(|person| person.role))
}

/// An alert as it is by now: its age was read when the request was asked.
fn with_age(mut alert: AlertFacts, since: TimeDelta) -> AlertFacts {
    alert.age_seconds = alert.age_seconds.map(|age| age.saturating_add(seconds_of(since)));
    alert
}

const fn strictness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Run => 0,
        Verdict::Approval(_) => 1,
        Verdict::Deny => 2,
    }
}

fn all_or_none(mut run: Decision) -> Decision {
    if !run.kept_out.is_empty() {
        run.verdict = Verdict::Deny;
        run.reasons = run.kept_out.iter().flat_map(|(_, reasons)| reasons).cloned().collect();
        run.reasons.sort();
        run.reasons.dedup();
    }
    run
}

/// How much hangs on an endpoint: the highest of its groups, 5 when none is known.
pub(in crate::broker) fn criticality(settings: &Settings, groups: &[String]) -> u8 {
    groups.iter().filter_map(|group| settings.criticality.get(group)).copied().max().unwrap_or(5)
}

fn in_business_hours(hours: &BusinessHours, now: Time) -> bool {
    let local = now + TimeDelta::minutes(i64::from(hours.utc_offset_minutes));
    let (day, hour) = (local.weekday().number_from_monday(), local.hour());
    let open = u32::from(hours.hours.start)..u32::from(hours.hours.end);
    hours.days.iter().any(|open_day| u32::from(*open_day) == day) && open.contains(&hour)
}
