//! Whom a notice concerns.

use std::collections::BTreeSet;

use super::{Broker, BrokerError};
use crate::{
    broker::signed_in::passkey::signs,
    domain::{
        actor::Person,
        facts::{ActProof, Authentication, Principal, Resource, Verb},
        id::PersonId,
        notice::{Notice, NoticeKind, NoticeSubject},
        request::{Request, StateName},
        site::Site,
    },
    passkey::RelyingParty,
    store::{
        Read, StoreError, accounts,
        requests::{self, plans},
    },
};

impl Broker {
    /// The people whom a notice concerns and who have a mail address.
    pub(super) async fn recipients(
        &self,
        read: &mut impl Read,
        notice: &Notice,
    ) -> Result<Vec<PersonId>, BrokerError> {
        let people = accounts::people(read).await?;
        let holders = self.passkey_holders(read).await?;
        let reachable = |person: &&Person| person.is_active() && person.mail.is_some();
        let chosen: Vec<PersonId> = match notice.request() {
            None => {
                let may = |person: &&Person| match notice.about {
                    NoticeSubject::Account(of) => {
                        person.id == of
                            || self.may(person, &holders, (Verb::ManagePeople, &Resource::System))
                    }
                    NoticeSubject::Request { .. }
                    | NoticeSubject::Plan { .. }
                    | NoticeSubject::Switch(_)
                    | NoticeSubject::Nothing => [Verb::Freeze, Verb::Unfreeze]
                        .into_iter()
                        .any(|verb| self.may(person, &holders, (verb, &Resource::System))),
                };
                people.iter().filter(reachable).filter(may).map(|person| person.id).collect()
            }
            Some(id) => {
                let mut about = vec![id];
                if let NoticeSubject::Plan { id, .. } = notice.about {
                    let plan = plans::load_plan(read, id).await?.ok_or(BrokerError::NotFound)?;
                    let waits = |step: &&Request| step.state.name() == StateName::Pending;
                    about = plan.steps.iter().filter(waits).map(|step| step.id).collect();
                }
                let mut wanted = Vec::new();
                for id in about {
                    let asked = (people.as_slice(), &holders);
                    let request = requests::load(read, id).await?.ok_or(BrokerError::NotFound)?;
                    wanted
                        .extend(self.recipients_for_request(read, &request, notice, asked).await?);
                }
                let sites = sites_of(read, notice).await?;
                let seen = |person: &&Person| self.sees_all_of(person, &sites);
                let reached = people.iter().filter(reachable).filter(seen);
                reached.map(|person| person.id).filter(|id| wanted.contains(id)).collect()
            }
        };
        Ok(chosen)
    }

    /// Whom a notice about a request concerns.
    async fn recipients_for_request(
        &self,
        read: &mut impl Read,
        request: &Request,
        notice: &Notice,
        (people, holders): (&[Person], &BTreeSet<PersonId>),
    ) -> Result<Vec<PersonId>, BrokerError> {
        let agent =
            accounts::agent_by_id(read, request.agent).await?.ok_or(BrokerError::NotFound)?;
        let voted = |person: PersonId| request.votes.iter().any(|vote| vote.person.id == person);
        let resource = Resource::Request(request.facts(&agent));
        let may = |verb| {
            let may = people.iter().filter(|person| self.may(person, holders, (verb, &resource)));
            may.map(|person| person.id).filter(|person| !voted(*person)).collect()
        };
        Ok(match notice.kind {
            NoticeKind::Escalated => {
                let told = people.iter().filter(|person| self.is_told_next(person, notice));
                told.map(|person| person.id).collect()
            }
            NoticeKind::Waiting
            | NoticeKind::PlanWaiting
            | NoticeKind::DeadlineNear
            | NoticeKind::GlassBroken => may(Verb::Approve),
            NoticeKind::ReviewDue | NoticeKind::ReviewOverdue => may(Verb::Review),
            NoticeKind::Decided
            | NoticeKind::Doubt
            | NoticeKind::Frozen
            | NoticeKind::ReleaseAsked
            | NoticeKind::Unfrozen
            | NoticeKind::SignInsThrottled
            | NoticeKind::PasskeyChanged
            | NoticeKind::SecondFactorChanged
            | NoticeKind::PersonLinked
            | NoticeKind::RecoveryCodeUsed
            | NoticeKind::ApiTokenChanged
            | NoticeKind::Test => {
                let asker = request.asked_by.as_ref().map(|asker| asker.person);
                let votes = request.votes.iter().map(|vote| vote.person.id);
                votes.chain([agent.owner]).chain(asker).collect()
            }
        })
    }

    /// Who has a passkey for this server.
    async fn passkey_holders(
        &self,
        read: &mut impl Read,
    ) -> Result<BTreeSet<PersonId>, BrokerError> {
        match RelyingParty::of(&self.settings().public_url) {
            Some(party) => Ok(accounts::passkey_holders(read, &party).await?),
            None => Ok(BTreeSet::new()),
        }
    }

    /// Whether policy lets a person do that, with the best proof of who they are that they have.
    fn may(
        &self,
        person: &Person,
        holders: &BTreeSet<PersonId>,
        (verb, on): (Verb, &Resource),
    ) -> bool {
        let passkey = holders.contains(&person.id) && signs(verb);
        let proof = if passkey { ActProof::Passkey } else { ActProof::Password };
        let given = Authentication { proof, ..Authentication::BEST };
        self.engine().may(&Principal::Person(person.clone(), given), verb, on).allowed
    }
}

/// Where the endpoints are that a notice tells of: of a plan those of all steps.
pub(super) async fn sites_of(
    read: &mut impl Read,
    notice: &Notice,
) -> Result<BTreeSet<Site>, StoreError> {
    match notice.about {
        NoticeSubject::Request { id, .. } => requests::sites_of_request(read, id).await,
        NoticeSubject::Plan { id, .. } => requests::sites_of_plan(read, id).await,
        NoticeSubject::Switch(_) | NoticeSubject::Account(_) | NoticeSubject::Nothing => {
            Ok(BTreeSet::new())
        }
    }
}
