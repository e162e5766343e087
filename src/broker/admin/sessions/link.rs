//! Somebody with a password here moves to the identity provider, and stays who they are: else one human
//! would be two people, whose approvals count twice.

use super::{
    membership::give_role,
    provider::{not_confirmed, stored_identity},
};
use crate::{
    broker::{
        Broker, BrokerError, SignedIn,
        admin::{
            ProviderAnswer, ProviderTrip,
            passkeys::{check_password, told},
            people::check_not_last_admin,
        },
        in_memory::UNMATCHABLE,
    },
    domain::{
        actor::Role,
        audit::{
            AuditDetail, AuditEvent,
            detail::accounts::{IdentityFacts, NoFacts},
        },
        digest::Digest,
        notice::NoticeKind,
        proposal::InvalidField,
    },
    store::{accounts, audit, notices},
};

impl Broker {
    /// The provider's name, where this person may sign in there from now on: they have a password here,
    /// and are not of those who keep it for when the provider is down.
    pub fn may_link(&self, who: &SignedIn) -> Option<&str> {
        let kept_on_purpose =
            self.settings().sign_in.local_people.iter().flatten().any(|name| name == who.name());
        self.provider_name().filter(|_| who.identity().is_none() && !kept_on_purpose)
    }

    /// Sends the browser of somebody who just gave their password to the provider, to sign in there from
    /// now on.
    pub async fn ask_link(&self, who: &SignedIn) -> Result<ProviderTrip, BrokerError> {
        check_password(who)?;
        self.check_link(who)?;
        self.ask_confirmation(who, purpose()).await
    }

    /// Whom the provider names is this person from now on. Their password, second factor and sessions
    /// end, and their role is that of their group; passkeys stay, to approve with.
    pub async fn link(
        &self,
        who: &SignedIn,
        answer: ProviderAnswer<'_>,
    ) -> Result<(), BrokerError> {
        self.check_link(who)?;
        let (id, asked_at) = self.asked(who, answer)?;
        let (identity, role) = self.redeem_member(answer, Some(asked_at)).await?;
        let now = self.clock().now();
        self.provider_sessions().confirm(id, now);
        if !self.provider_sessions().take(id, who.session(), purpose(), now) {
            return Err(not_confirmed("it was asked for something else").into());
        }
        let identity = &stored_identity(self.issuer(), &identity);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = who.active(tx, now).await?;
                    let person = active.person();
                    let key = (identity.issuer.as_str(), identity.subject.as_str());
                    if let Some(other) = accounts::person_by_identity(tx, key).await? {
                        let problem = format!("that account there is `{}` here", other.name);
                        return Err(refused(problem, "an account that is nobody's here").into());
                    }
                    if role != Role::Admin {
                        check_not_last_admin(tx, person).await?;
                    }
                    accounts::add_identity(tx, person.id, identity).await?;
                    accounts::set_password(tx, person.id, UNMATCHABLE, false).await?;
                    let facts = IdentityFacts {
                        issuer: identity.issuer.clone(),
                        subject: identity.subject.clone(),
                    };
                    let mut details = vec![AuditDetail::PersonLinked(facts)];
                    if accounts::switch_second_factor_off(tx, person.id).await? {
                        details.push(AuditDetail::SecondFactorOff(NoFacts {}));
                    }
                    for detail in details {
                        let on = Some(person.name.clone());
                        audit::append(tx, &AuditEvent::new(active.actor(), on, detail), now)
                            .await?;
                    }
                    if role != person.role {
                        give_role(tx, person, role, now).await?;
                    }
                    notices::insert(tx, &told(NoticeKind::PersonLinked, person.id, now)).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await
    }

    fn check_link(&self, who: &SignedIn) -> Result<(), InvalidField> {
        if self.may_link(who).is_some() {
            return Ok(());
        }
        let problem = "you sign in there already, or keep your password for when it is down";
        Err(refused(problem.to_owned(), "somebody with a password here alone"))
    }
}

/// What a trip of this kind is asked for, beside the forms that are confirmed.
fn purpose() -> Digest {
    Digest::of(b"countersign link")
}

fn refused(problem: String, allowed: &str) -> InvalidField {
    InvalidField { field: "identity provider".to_owned(), problem, allowed: allowed.to_owned() }
}
