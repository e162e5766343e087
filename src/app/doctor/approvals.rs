//! What keeps approved requests from being sent, and requests from being approved: the kill switch,
//! and people who are missing.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    broker::{BrokerError, admin::operator::Operator},
    clock::Clock,
    connector::Diagnosis,
    domain::{
        actor::{Agent, Person},
        decision::Tally,
        kill_switch::{Extent, Freeze, Release},
        site::Site,
    },
    policy::Engine,
    store::{Store, requests},
    text::visible::visible,
};

/// How many agents, and how many sites, are named.
const AGENTS_SHOWN_MAX: usize = 5;
const SITES_SHOWN_MAX: usize = 5;

/// None where there is no database, or where it cannot be read, which is a finding of its own.
pub(super) async fn approvals(
    store: Option<&Store>,
    engine: Option<&Engine>,
    clock: &Clock,
) -> Vec<Diagnosis> {
    let Some(store) = store else { return Vec::new() };
    let operator = Operator::new(store.clone(), clock.clone());
    let read = async {
        Ok::<_, BrokerError>((
            operator.frozen().await?,
            operator.people().await?,
            operator.agents().await?,
            requests::sites(&mut store.reader().await?).await?,
        ))
    };
    let Ok((frozen, people, agents, sites)) = read.await else { return Vec::new() };
    let switch = frozen.iter().map(|freeze| kill_switch(freeze, clock)).collect::<Vec<_>>();
    let voters = engine.and_then(|engine| voters(engine, &people, &agents));
    let seeing = engine.and_then(|engine| seeing_voters(engine, &people, &agents, &sites));
    switch.into_iter().chain(voters).chain(seeing).collect()
}

/// What it stops, since when, and how that ends.
fn kill_switch(freeze: &Freeze, clock: &Clock) -> Diagnosis {
    let Freeze { extent, at, by, reason, .. } = freeze;
    let at = at.format("%Y-%m-%d %H:%M:%S");
    let found = format!("it is on for {extent} since {at} UTC: {by} threw it ({reason})");
    let option = match extent {
        Extent::Everything => String::new(),
        Extent::Manager(_) | Extent::Action(_) | Extent::Agent(_) => {
            format!(" --{} {}", extent.kind(), extent.name())
        }
    };
    let first = match freeze.first(clock.now()) {
        Some(Release { name, .. }) => format!("{name} has said so; one more person"),
        None => "two people".to_owned(),
    };
    let advice = format!(
        "nothing of it is sent until it is released, which takes two leads or admins: {first} must \
         release it, on the page under System (`countersign unfreeze{option} --reason …` is one \
         person)"
    );
    Diagnosis::note("kill switch", found, advice)
}

/// Whether there are people enough for all that the policies can require. None without an agent.
fn voters(engine: &Engine, people: &[Person], agents: &[Agent]) -> Option<Diagnosis> {
    const CHECK: &str = "approvals";
    const ADVICE: &str = "add people, or change roles: what needs them waits until it expires. \
                          Whoever owns an agent or issued its token does not count for it";
    let mut active = agents.iter().filter(|agent| !agent.revoked).peekable();
    active.peek()?;
    let mut missing: BTreeMap<_, (BTreeSet<_>, BTreeSet<_>)> = BTreeMap::new();
    for agent in active {
        for (policy, least) in engine.missing_votes(crew(agent, people)) {
            let (policies, agents) = missing.entry(least.to_string()).or_default();
            policies.insert(policy);
            agents.insert(agent.name.as_str());
        }
    }
    if missing.is_empty() {
        let found = "there are people enough for all that the policies can require";
        return Some(Diagnosis::good(CHECK, found));
    }
    let said = missing.into_iter().map(|(least, (policies, agents))| {
        let policies = policies.into_iter().collect::<Vec<_>>().join(", ");
        format!("{least}, for what {} asks (as {policies} can require)", listed(&agents))
    });
    let found = format!("people are missing: {}", said.collect::<Vec<_>>().join("; "));
    Some(Diagnosis::note(CHECK, found, ADVICE))
}

/// The sites that too few people see, where teams restrict some: those that anything was asked for.
fn seeing_voters(
    engine: &Engine,
    people: &[Person],
    agents: &[Agent],
    sites: &BTreeSet<Site>,
) -> Option<Diagnosis> {
    const ADVICE: &str = "give each team the people whom the policies can require, or keep such people in \
                          no team: what needs them waits until it expires";
    if people.iter().all(|person| person.teams.is_empty()) {
        return None;
    }
    // Whoever has to choose a password sees nothing until then, and will.
    let seen_by = |person: &Person, site: &Site| {
        engine.may_view(&Person { must_change_password: false, ..person.clone() }, site)
    };
    let active = || agents.iter().filter(|agent| !agent.revoked);
    let lacks = |site: &&Site| {
        let seeing = || people.iter().filter(|person| seen_by(person, site));
        active().any(|agent| {
            engine.missing_votes(crew(agent, seeing())).len()
                > engine.missing_votes(crew(agent, people)).len()
        })
    };
    let named = |site: &Site| {
        let groups: Vec<_> = site.groups.iter().map(|group| visible(group)).collect();
        format!("{} ({})", visible(&site.manager), groups.join(", "))
    };
    let lacking: Vec<_> = sites.iter().filter(lacks).map(named).collect();
    if lacking.is_empty() {
        return None;
    }
    let shown: Vec<_> = lacking.iter().map(String::as_str).take(SITES_SHOWN_MAX).collect();
    let more = match lacking.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let found = format!("too few see what is at {}{more}", shown.join("; "));
    Some(Diagnosis::note("approvals of teams", found, ADVICE))
}

/// All of these whose approvals would count for what an agent asks.
fn crew<'a>(agent: &Agent, people: impl IntoIterator<Item = &'a Person>) -> Tally {
    let counts = |person: &&Person| {
        person.is_active() && person.id != agent.owner && agent.issuer != Some(person.id)
    };
    people.into_iter().filter(counts).fold(Tally::NONE, |tally, person| tally.and(person.role))
}

fn listed(agents: &BTreeSet<&str>) -> String {
    let shown: Vec<_> = agents.iter().copied().take(AGENTS_SHOWN_MAX).collect();
    match agents.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
