//! The machine's clock jumps: that is recorded, nothing is sent meanwhile, and the clock is trusted
//! again when it agrees with itself and with a manager's.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    broker::{Broker, BrokerError},
    domain::{
        actor::Actor,
        audit::{AuditDetail, AuditEvent, detail::system::ClockJumpFacts},
        clock_jump::{ClockJump, span},
        halt::{Halt, HaltCause},
    },
    store::set_back,
};

/// How long the clock must run on before it is held against a manager's.
const STEADY_FOR: Duration = Duration::from_mins(1);

impl Broker {
    /// Records jumps of the clock, and ends the doubt about it where it is right. Why it is not, as
    /// long as that is so.
    pub async fn watch_clock(&self) -> Result<Option<String>, BrokerError> {
        for jump in self.clock().take_jumps() {
            tracing::warn!(%jump, "the clock jumped");
            let detail = AuditDetail::ClockJumped(ClockJumpFacts::from(jump));
            self.record(&AuditEvent::new(Actor::System, None, detail)).await?;
        }
        let Some((jump, ago)) = self.clock().jumped() else { return Ok(None) };
        if ago < STEADY_FOR {
            return Ok(Some(format!("it jumped {jump}")));
        }
        if let Some(why) = self.clock_disagrees().await {
            return Ok(Some(why));
        }
        if self.clock().off().abs() > ClockJump::LEAST {
            self.clock().follow();
        }
        self.set_back().await?;
        // How far the managers' clocks are from this one is known anew.
        if let Some(why) = self.clock_disagrees().await {
            return Ok(Some(why));
        }
        Ok((!self.clock().trust()).then(|| "it jumped again".to_owned()))
    }

    /// A jump that is not over.
    pub(in crate::broker) fn clock_in_doubt(&self) -> Option<Halt> {
        let (jump, _) = self.clock().jumped()?;
        let why = format!(
            "the clock of this machine jumped {jump}; it must run on for a minute and agree with a \
             manager's"
        );
        Some(Halt { cause: HaltCause::Clock, why })
    }

    /// What waits waits no longer because the clock went back.
    async fn set_back(&self) -> Result<(), BrokerError> {
        let by = self.clock().owed();
        if by > TimeDelta::zero() {
            self.store().write(|tx| Box::pin(set_back(tx, by))).await?;
            self.clock().paid(by);
        }
        Ok(())
    }

    /// Why no manager's clock agrees with this machine's to a minute; none where one does.
    async fn clock_disagrees(&self) -> Option<String> {
        let (mut agrees, mut others) = (self.managers().is_empty(), Vec::new());
        for manager in self.managers() {
            let name = manager.name();
            match manager.clock_ahead(self.clock().now()).await {
                Ok(Some(ahead)) => {
                    let ahead = ahead - self.clock().off();
                    agrees |= ahead.abs() <= ClockJump::LEAST;
                    let side = if ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
                    others.push(format!(
                        "the clock of the manager {name} is {} {side} this machine's",
                        span(ahead)
                    ));
                }
                Ok(None) => others.push(format!("the manager {name} says no time")),
                Err(error) => others.push(error.lasting()),
            }
        }
        (!agrees).then(|| others.join("; "))
    }
}
