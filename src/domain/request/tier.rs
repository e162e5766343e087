//! How much hangs on a request, and whether its alert is of another machine.

use super::Request;
use crate::domain::{
    action::{ActionKind, Term},
    decision::{Decision, Tally, Tier, Verdict},
};

impl Request {
    /// Whether its alert was made about an endpoint on which it does not act.
    pub fn alert_elsewhere(&self) -> bool {
        self.alert.endpoint.as_ref().is_some_and(|own| self.target(&own.id).is_none())
    }

    /// How much it asks of people: by what policy requires, and once it runs by the votes it took.
    /// What does not end by itself, reaches every endpoint or a critical one is never low; what
    /// no approval would let run is high. It is never below the tier of its action.
    pub fn tier(&self) -> Tier {
        let Decision { verdict, tally, .. } = self.decision;
        let reach = (self.term, self.fleet_wide, self.criticality());
        tier(self.action.kind(), (verdict, tally), reach)
    }
}

/// [`Request::tier`] of an action, of what policy answered to which votes, and of how long and how
/// far it reaches: its term, whether all endpoints were asked for, the highest criticality.
pub fn tier(
    kind: ActionKind,
    (verdict, tally): (Verdict, Tally),
    (term, fleet_wide, criticality): (Term, bool, u8),
) -> Tier {
    let asked = match verdict {
        Verdict::Approval(least) => least.tier(),
        Verdict::Run => tally.tier(),
        Verdict::Deny => Tier::High,
    };
    let wide = term == Term::Permanent || fleet_wide || criticality > 3;
    if wide { asked.max(Tier::Medium) } else { asked }.max(kind.entry().tier)
}
