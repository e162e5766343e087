//! The rules that scripts leave in an endpoint's operating system, kept as each platform keeps them.
//! The agent does not look at them: its timers (`effects`) are another thing.
//!
//! | script | platform | `add` | `delete` | Wazuh's source |
//! |---|---|---|---|---|
//! | `firewall-drop`, `default-firewall-drop` | Linux | one more rule | removes one rule | `src/active-response/firewalls/default-firewall-drop.c` |
//! | `firewall-drop`, `pf` | macOS | one table entry, however often | removes it, whoever added it | `src/active-response/firewalls/pf.c` |
//! | `netsh` | Windows | one more rule | removes every rule of the address | `src/active-response/netsh.c` |
//! | `disable-account` | Linux | one lock, however often | unlocks, whoever locked | `src/active-response/disable-account.c` |
//! | `disable-account` | macOS | nothing ("Invalid system") | nothing | the same |
//! | `firewalld-drop` | Linux | one rich rule, however often | removes it | `src/active-response/firewalld-drop.c` |
//! | `route-null` | Linux, Windows | one route, however often | removes it | `src/active-response/route-null.c` |
//! | `route-null`, `firewalld-drop` | macOS | nothing ("Invalid system") | nothing | the same |
//! | `host-deny` | not Windows | one line, however often | removes it | `src/active-response/host-deny.c` |
//! | `ip-customblock` | not Windows | one file, however often | removes it | `src/active-response/ip-customblock.c` |
//! | `pf` on Linux, `npf`, `ipfw` | all | nothing: for BSD | nothing | `src/active-response/firewalls/` |
//! | a custom script | all | one entry, however often | removes it | none: an assumption |
//! | a custom script that lifts | all | removes every rule of the target that the lifted script left | nothing | none: an assumption |
//!
//! A real `host-deny` compares lines as text, so that undoing 10.0.0.1 removes 10.0.0.11 too. That
//! is not simulated.

use crate::endpoint::run::{ACCOUNT, NETSH, ROUTE_NULL, Run};

/// A firewall rule, a route, a lock.
#[derive(Debug)]
struct Rule {
    endpoint: String,
    script: String,
    target: String,
}

impl Rule {
    fn is(&self, endpoint: &str, script: &str, target: &str) -> bool {
        self.endpoint == endpoint && self.script == script && self.target == target
    }
}

/// All rules of all endpoints, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

/// How a platform keeps the rules of a script.
enum Keeping {
    /// Each `add` is a rule, and `delete` removes one.
    Stacked,
    /// Each `add` is a rule, and `delete` removes all of them.
    StackedRemovedTogether,
    /// There is one or none.
    Single,
    /// The script does nothing there.
    None,
}

impl Keeping {
    fn of(run: &Run) -> Self {
        let endpoint = &run.endpoint;
        if endpoint.script_fails.is_some() || (endpoint.firewall_off && run.script == NETSH) {
            return Self::None;
        }
        match (run.script.as_str(), endpoint.is_macos()) {
            (NETSH, _) => Self::StackedRemovedTogether,
            ("firewall-drop" | "default-firewall-drop", false) => Self::Stacked,
            (ACCOUNT | ROUTE_NULL | "firewalld-drop" | "default-firewall-drop", true)
            | ("pf", false)
            | ("npf" | "ipfw", _) => Self::None,
            _ => Self::Single,
        }
    }
}

impl Rules {
    /// What a script does with `add`.
    pub(crate) fn add(&mut self, run: &Run, target: &str) {
        let id = &run.endpoint.id;
        if let Some(lifted) = run.lifts {
            if run.endpoint.script_fails.is_none() {
                self.0.retain(|rule| !rule.is(id, lifted, target));
            }
            return;
        }
        let stands = || self.0.iter().any(|rule| rule.is(id, &run.script, target));
        let adds = match Keeping::of(run) {
            Keeping::Stacked | Keeping::StackedRemovedTogether => true,
            Keeping::Single => !stands(),
            Keeping::None => false,
        };
        if adds {
            self.0.push(Rule {
                endpoint: id.clone(),
                script: run.script.clone(),
                target: target.to_owned(),
            });
        }
    }

    /// What a script does with `delete`.
    pub(crate) fn delete(&mut self, run: &Run, target: &str) {
        let is = |rule: &Rule| rule.is(&run.endpoint.id, &run.script, target);
        match Keeping::of(run) {
            Keeping::Stacked | Keeping::Single => {
                if let Some(place) = self.0.iter().position(is) {
                    self.0.remove(place);
                }
            }
            Keeping::StackedRemovedTogether => self.0.retain(|rule| !is(rule)),
            Keeping::None => {}
        }
    }

    /// The rules of an endpoint: script and target.
    pub(crate) fn of(&self, endpoint: &str) -> Vec<String> {
        let shown = self.0.iter().filter(|rule| rule.endpoint == endpoint);
        shown.map(|rule| format!("{} {}", rule.script, rule.target).trim_end().to_owned()).collect()
    }
}
