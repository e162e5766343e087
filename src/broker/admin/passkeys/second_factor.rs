//! The second factor, kept by its person: with it the password alone begins no session. Each change
//! takes the password in the same form, ends or makes recovery codes, and is told.

use super::{check_password, told};
use crate::{
    broker::{Broker, BrokerError, SignedIn, admin::password::one_time_secret},
    domain::{
        audit::{
            AuditDetail, AuditEvent,
            detail::{accounts::NoFacts, passkey::RecoveryCodesFacts},
        },
        digest::Digest,
        len_u64,
        notice::NoticeKind,
        proposal::InvalidField,
    },
    store::{accounts, audit, notices},
};

mod sign_in;

pub use self::sign_in::SecondProof;
pub use crate::store::accounts::SecondFactor;

/// So many recovery codes are made at once.
pub const RECOVERY_CODES: usize = 10;

/// What a person does with their second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switch {
    On,
    /// It stays on, with other codes.
    Renew,
    Off,
}

/// What is stored of a recovery code, however its letters and groups were typed.
pub(super) fn code_hash(typed: &str) -> Digest {
    let letters = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    Digest::of(letters.flat_map(char::to_lowercase).collect::<String>().as_bytes())
}

impl Broker {
    /// The person's second factor; none where the password alone signs in.
    pub async fn second_factor(&self, who: &SignedIn) -> Result<Option<SecondFactor>, BrokerError> {
        Ok(accounts::second_factor(&mut self.store().reader().await?, who.id()).await?)
    }

    /// From now on the password alone signs this person in no more. The recovery codes, in the only
    /// moment in which they are known. Fails where the person has no passkey for this server.
    pub async fn switch_second_factor_on(
        &self,
        who: &SignedIn,
    ) -> Result<Vec<String>, BrokerError> {
        self.switch(who, Switch::On).await
    }

    /// Other recovery codes: the earlier ones end.
    pub async fn renew_recovery_codes(&self, who: &SignedIn) -> Result<Vec<String>, BrokerError> {
        self.switch(who, Switch::Renew).await
    }

    /// The password alone signs this person in again. The recovery codes end.
    pub async fn switch_second_factor_off(&self, who: &SignedIn) -> Result<(), BrokerError> {
        self.switch(who, Switch::Off).await.map(drop)
    }

    async fn switch(&self, who: &SignedIn, switch: Switch) -> Result<Vec<String>, BrokerError> {
        check_kept_here(who)?;
        check_password(who)?;
        let number = if switch == Switch::Off { 0 } else { RECOVERY_CODES };
        let codes: Vec<_> = (0..number).map(|_| one_time_secret(self.clock())).collect();
        let hashes = &codes.iter().map(|code| code_hash(code)).collect::<Vec<_>>();
        let facts = RecoveryCodesFacts { codes: len_u64(number) };
        let detail = &match switch {
            Switch::On => AuditDetail::SecondFactorOn(facts),
            Switch::Renew => AuditDetail::RecoveryCodesRenewed(facts),
            Switch::Off => AuditDetail::SecondFactorOff(NoFacts {}),
        };
        let (party, now) = (self.relying_party(), self.clock().now());
        let party = &party.ok();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = who.active(tx, now).await?;
                    let on = accounts::second_factor(tx, who.id()).await?.is_some();
                    match (switch, on) {
                        (Switch::On, true) => return Err(not_now("it is on", "switch it off")),
                        (Switch::Renew | Switch::Off, false) => {
                            return Err(not_now("it is off", "switch it on"));
                        }
                        (Switch::On, false) => {
                            let own = accounts::passkeys(tx, who.id()).await?;
                            if !own.iter().any(|key| party.as_ref().is_some_and(|p| key.is_for(p)))
                            {
                                let problem = "you have no passkey for this server";
                                return Err(not_now(problem, "add one first"));
                            }
                            accounts::switch_second_factor_on(tx, who.id(), now).await?;
                        }
                        (Switch::Renew, true) => {}
                        (Switch::Off, true) => {
                            accounts::switch_second_factor_off(tx, who.id()).await?;
                        }
                    }
                    if switch != Switch::Off {
                        accounts::set_recovery_codes(tx, who.id(), hashes).await?;
                    }
                    let on = Some(active.person().name.clone());
                    let event = AuditEvent::new(active.actor(), on, detail.clone());
                    audit::append(tx, &event, now).await?;
                    let notice = told(NoticeKind::SecondFactorChanged, who.id(), now);
                    notices::insert(tx, &notice).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        Ok(codes)
    }
}

fn not_now(problem: &str, allowed: &str) -> BrokerError {
    InvalidField {
        field: "second factor".to_owned(),
        problem: problem.to_owned(),
        allowed: allowed.to_owned(),
    }
    .into()
}

/// Whoever signs in at the identity provider has a second factor there, or none.
fn check_kept_here(who: &SignedIn) -> Result<(), InvalidField> {
    if who.display_name().is_none() {
        return Ok(());
    }
    Err(InvalidField {
        field: "second factor".to_owned(),
        problem: "you sign in at the identity provider".to_owned(),
        allowed: "a second factor there".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, domain::Time};

    #[test]
    fn recovery_code_is_read_however_it_is_typed() {
        let code = one_time_secret(&Clock::manual(Time::UNIX_EPOCH));
        let digits: Vec<_> = code.split('-').collect();
        assert_eq!(digits.iter().map(|group| group.len()).sum::<usize>() * 4, 96, "{code}");
        for typed in [code.to_uppercase(), digits.concat(), format!(" {} ", digits.join(" - "))] {
            assert_eq!(code_hash(&typed), code_hash(&code), "{typed}");
        }
        assert_ne!(code_hash(&format!("{code}0")), code_hash(&code));
    }
}
