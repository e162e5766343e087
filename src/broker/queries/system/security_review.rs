//! What a security review asks of a set-up: how people prove who they are, who can do what alone, and
//! which tokens never end. `countersign doctor` and the page say the same.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use ipnet::IpNet;

use crate::{
    broker::{Broker, BrokerError, SignedIn},
    connector::{Diagnosis, IdentityProvider},
    domain::{
        Time,
        actor::{Agent, Person, Role},
        decision::Tally,
        facts::Verb,
        id::PersonId,
        public_url::PublicUrl,
        site::Site,
    },
    passkey::RelyingParty,
    policy::Engine,
    store::{
        Read, StoreError,
        accounts::{self, StoredApiToken, StoredIdentity},
    },
};

/// How many names are shown.
const NAMES_SHOWN_MAX: usize = 10;
/// A token that is older should have been replaced.
const TOKEN_AGE_MAX: TimeDelta = TimeDelta::days(365);

/// What is known of a set-up without its database.
#[derive(Debug, Clone, Copy)]
pub struct ReviewedSetup<'a> {
    /// Where people come in.
    pub public_url: &'a PublicUrl,
    /// The identity provider's name, where there is one.
    pub provider: Option<&'a str>,
    /// Who may sign in with a password here; everybody kept here where it is none.
    pub local_people: Option<&'a BTreeSet<String>>,
    /// The active policies, where they can be read.
    pub engine: Option<&'a Engine>,
}

/// The active people, and what each signs in and approves with.
struct Crew {
    people: Vec<Person>,
    identities: BTreeMap<PersonId, StoredIdentity>,
    with_passkey: BTreeSet<PersonId>,
    with_second_factor: BTreeSet<PersonId>,
}

impl Broker {
    /// What a security review asks of this set-up, for whoever may read the audit.
    pub async fn security_review(&self, who: &SignedIn) -> Result<Vec<Diagnosis>, BrokerError> {
        self.authorize_read(who, Verb::ViewAudit)?;
        let engine = self.engine();
        let setup = ReviewedSetup {
            public_url: &self.settings().public_url,
            provider: self.parts.integrations.provider.as_ref().map(IdentityProvider::name),
            local_people: self.settings().sign_in.local_people.as_ref(),
            engine: Some(&engine),
        };
        let now = self.clock().now();
        Ok(security_review(&mut self.store().reader().await?, &setup, now).await?)
    }
}

/// What a security review asks of a set-up, with what the database says.
pub async fn security_review(
    read: &mut impl Read,
    setup: &ReviewedSetup<'_>,
    now: Time,
) -> Result<Vec<Diagnosis>, StoreError> {
    let crew = Crew::read(read, setup.public_url).await?;
    let agents = accounts::agents(read).await?;
    let mut findings = vec![encryption(setup.public_url)];
    findings.push(sign_in(&crew, setup));
    findings.push(proofs(&crew));
    findings.extend(setup.engine.map(|engine| approves_alone(&crew, engine)));
    findings.push(admins(&crew));
    findings.push(one_human(&crew));
    findings.extend(setup.engine.and_then(|engine| teams(&crew, engine)));
    findings.extend(tokens(&agents, now));
    findings.extend(api_tokens(&accounts::all_api_tokens(read).await?, now));
    Ok(findings)
}

impl Crew {
    async fn read(read: &mut impl Read, public_url: &PublicUrl) -> Result<Self, StoreError> {
        let people = accounts::people(read).await?.into_iter().filter(Person::is_active);
        let people: Vec<_> = people.collect();
        let with_passkey = match RelyingParty::of(public_url) {
            Some(party) => accounts::passkey_holders(read, &party).await?,
            None => BTreeSet::new(),
        };
        let mut with_second_factor = BTreeSet::new();
        for person in &people {
            if accounts::second_factor(read, person.id).await?.is_some() {
                with_second_factor.insert(person.id);
            }
        }
        let identities = accounts::identities(read).await?;
        Ok(Self { people, identities, with_passkey, with_second_factor })
    }

    fn is_local(&self, person: &Person) -> bool {
        !self.identities.contains_key(&person.id)
    }

    fn names(&self, which: impl Fn(&&Person) -> bool) -> Vec<&str> {
        self.people.iter().filter(which).map(|person| person.name.as_str()).collect()
    }
}

fn encryption(public_url: &PublicUrl) -> Diagnosis {
    const CHECK: &str = "encryption";
    if public_url.is_https() {
        return Diagnosis::good(CHECK, format!("people come in by TLS, at {public_url}"));
    }
    let found = format!("people come in without TLS, at {public_url}: from this machine alone");
    Diagnosis::note(CHECK, found, "put TLS before it, or into [server], before others come in")
}

/// Whom the password alone lets in.
fn sign_in(crew: &Crew, setup: &ReviewedSetup<'_>) -> Diagnosis {
    const CHECK: &str = "passwords";
    let may = |person: &Person| {
        crew.is_local(person)
            && setup.local_people.is_none_or(|people| people.contains(&person.name))
    };
    let alone = crew.names(|person| may(person) && !crew.with_second_factor.contains(&person.id));
    if alone.is_empty() {
        return Diagnosis::good(CHECK, "a password alone signs nobody in");
    }
    let found = format!("a password alone signs in: {}", listed(&alone));
    let advice = match setup.provider {
        Some(name) => format!(
            "let them move to {name} under Account; name who keeps a password in oidc.local_people, \
             and let those switch a second factor on"
        ),
        None => "let them switch the second factor on under Account, or sign in at an identity \
                 provider ([oidc])"
            .to_owned(),
    };
    Diagnosis::note(CHECK, found, advice)
}

/// Who proves approvals with what can be given away.
fn proofs(crew: &Crew) -> Diagnosis {
    const CHECK: &str = "proofs";
    let without = crew.names(|person| {
        person.role.vote_rank().is_some() && !crew.with_passkey.contains(&person.id)
    });
    if !crew.people.iter().any(|person| person.role.vote_rank().is_some()) {
        let advice = "add people with a voting role, with `countersign person add`";
        return Diagnosis::note(CHECK, "there is nobody who approves", advice);
    }
    if without.is_empty() {
        let found = "everybody who approves has a passkey: what it signs can be verified later";
        return Diagnosis::good(CHECK, found);
    }
    let found = format!(
        "these approve with a password or a sign-in, which leave no evidence of their own: {}",
        listed(&without)
    );
    let advice = "let them add a passkey under Account; policy can ask for one \
                  (context.proof == \"passkey\")";
    Diagnosis::note(CHECK, found, advice)
}

/// Which policies one approval is enough for, and who can give it.
fn approves_alone(crew: &Crew, engine: &Engine) -> Diagnosis {
    const CHECK: &str = "alone";
    let waiting = engine.missing_votes(Tally::NONE);
    let mut enough: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut who = BTreeSet::new();
    for (policy, least) in waiting {
        if least.people != 1 {
            continue;
        }
        enough.entry(least.to_string()).or_default().push(policy);
        let one = |person: &&Person| least_covered(person.role, least);
        who.extend(crew.names(one));
    }
    let on_call = crew.names(|person| person.role == Role::Lead && person.on_call);
    let glass = match on_call.len() {
        0 => String::new(),
        _ => format!("; on call, who may break the glass alone: {}", listed(&on_call)),
    };
    if enough.is_empty() {
        return Diagnosis::good(CHECK, format!("no policy is content with one person{glass}"));
    }
    let said = enough.iter().map(|(least, policies)| format!("{least}: {}", policies.join(", ")));
    let said = said.collect::<Vec<_>>().join("; ");
    let names = listed(&who.into_iter().collect::<Vec<_>>());
    let found = format!(
        "one approval is enough, where nothing else asks for more ({said}): {names}{glass}"
    );
    Diagnosis::note(CHECK, found, "where it should take two, say so in policies/20_run.cedar")
}

fn least_covered(role: Role, least: Tally) -> bool {
    Tally::NONE.and(role).covers(least)
}

fn admins(crew: &Crew) -> Diagnosis {
    const CHECK: &str = "admins";
    let admins = crew.names(|person| person.role == Role::Admin);
    let found = format!("admins: {}", listed(&admins));
    match admins.len() {
        0 => Diagnosis::bad(CHECK, "there is no admin", "make one with `countersign person role`"),
        1 => Diagnosis::note(CHECK, found, "name a second one: releasing and recovering take two"),
        _ => Diagnosis::good(CHECK, found),
    }
}

/// Accounts that may belong to one human, who could then approve twice or be both admins.
fn one_human(crew: &Crew) -> Diagnosis {
    const CHECK: &str = "two accounts";
    let mut pairs = Vec::new();
    for (place, one) in crew.people.iter().enumerate() {
        for other in crew.people.iter().skip(place + 1) {
            if let Some(why) = why_one_human(crew, one, other) {
                pairs.push(format!("{} and {} ({why})", one.name, other.name));
            }
        }
    }
    if pairs.is_empty() {
        return Diagnosis::good(CHECK, "no two accounts look like those of one person");
    }
    let pairs: Vec<_> = pairs.iter().map(String::as_str).collect();
    let found = format!("these may be one person each, and would count twice: {}", listed(&pairs));
    Diagnosis::note(CHECK, found, "disable one of the two where they are")
}

fn why_one_human(crew: &Crew, one: &Person, other: &Person) -> Option<&'static str> {
    let mail = |person: &Person| person.mail.as_ref().map(|mail| mail.to_lowercase());
    let called = |person: &Person| {
        let identity = crew.identities.get(&person.id)?;
        let called = identity.display_name.to_lowercase();
        (!called.is_empty()).then_some(called)
    };
    let same = |one: Option<String>, other: Option<String>| one.is_some() && one == other;
    if same(mail(one), mail(other)) {
        Some("the same mail address")
    } else if same(called(one), called(other)) {
        Some("the same display name")
    } else if extends(&one.name, &other.name) || extends(&other.name, &one.name) {
        Some("the same name, and more")
    } else {
        None
    }
}

/// Whether a name is another one with something behind it: `ana-admin`, `ana2`.
fn extends(longer: &str, name: &str) -> bool {
    let rest = longer.strip_prefix(name).and_then(|rest| rest.chars().next());
    rest.is_some_and(|first| !first.is_ascii_lowercase())
}

/// Whom teams restrict, and whom they do not; nothing where there is no team.
fn teams(crew: &Crew, engine: &Engine) -> Option<Diagnosis> {
    const CHECK: &str = "teams";
    let (free, restricted): (Vec<_>, Vec<_>) =
        crew.people.iter().partition(|person| person.teams.is_empty());
    if restricted.is_empty() {
        return None;
    }
    // Policies that ship show it to whoever is in no team.
    let anywhere = Site::anywhere();
    let all = |person: &&&Person| engine.may_view(person, &anywhere);
    let none = |person: &&&Person| !person.teams.iter().any(|team| engine.names_team(team));
    let names = |people: &mut dyn Iterator<Item = &&Person>| {
        let names: Vec<_> = people.map(|person| person.name.as_str()).collect();
        (!names.is_empty()).then(|| listed(&names))
    };
    let open = names(&mut restricted.iter().filter(all));
    let empty = names(&mut restricted.iter().filter(none));
    let free = names(&mut free.iter());
    let said = [
        open.map(|names| format!("in a team, and see everything nevertheless: {names}")),
        empty.map(|names| format!("in no team that a policy names, and see nothing: {names}")),
        free.map(|names| format!("in no team, and see everything: {names}")),
    ];
    let said: Vec<_> = said.into_iter().flatten().collect();
    if said.is_empty() {
        return Some(Diagnosis::good(CHECK, "everybody sees what their teams see"));
    }
    let advice = "say in a policy what each team sees (docs/policy.md, \"Teams\"), and put whoever \
                  is to see a part into one";
    Some(Diagnosis::note(CHECK, said.join("; "), advice))
}

/// The tokens of agents, which end only when somebody replaces or revokes them.
fn tokens(agents: &[Agent], now: Time) -> Option<Diagnosis> {
    const CHECK: &str = "tokens";
    let active: Vec<_> = agents.iter().filter(|agent| !agent.revoked).collect();
    if active.is_empty() {
        return None;
    }
    let old = active.iter().filter(|agent| now - agent.issued_at > TOKEN_AGE_MAX);
    let old: Vec<_> = old.map(|agent| agent.name.as_str()).collect();
    if old.is_empty() {
        let found = "tokens of agents do not expire; each was issued within the last year";
        return Some(Diagnosis::good(CHECK, found));
    }
    let found = format!("tokens of agents do not expire; older than a year: {}", listed(&old));
    Some(Diagnosis::note(CHECK, found, "replace them with `countersign agent rotate`"))
}

/// The tokens for the API, all of which end.
fn api_tokens(all: &[StoredApiToken], now: Time) -> Option<Diagnosis> {
    const CHECK: &str = "API tokens";
    let open: Vec<_> = all.iter().filter(|one| now < one.token.expires_at).collect();
    if open.is_empty() {
        return None;
    }
    let wide =
        |network: &IpNet| network.prefix_len() < if network.addr().is_ipv4() { 8 } else { 16 };
    let anywhere = |one: &&&StoredApiToken| one.token.networks.iter().any(wide);
    let anywhere = open.iter().filter(anywhere).map(|one| one.token.name.as_str());
    let anywhere: Vec<_> = anywhere.collect();
    if anywhere.is_empty() {
        return Some(Diagnosis::good(CHECK, "all expire, and open from named networks alone"));
    }
    let found = format!("all expire; these open from nearly everywhere: {}", listed(&anywhere));
    Some(Diagnosis::note(CHECK, found, "make them anew, with the networks of the programs"))
}

fn listed(names: &[&str]) -> String {
    let shown: Vec<_> = names.iter().copied().take(NAMES_SHOWN_MAX).collect();
    match (shown.len(), names.len() - shown.len()) {
        (0, _) => "nobody".to_owned(),
        (_, 0) => shown.join(", "),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_with_more_behind_it_is_found() {
        for (longer, name) in [("ana-admin", "ana"), ("ana2", "ana"), ("ana.adm", "ana")] {
            assert!(extends(longer, name), "{longer}");
        }
        for (longer, name) in [("anabel", "ana"), ("ana", "ana"), ("ana", "ana-admin")] {
            assert!(!extends(longer, name), "{longer}");
        }
    }
}
