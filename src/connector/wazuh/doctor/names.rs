//! What the names of a manager's commands make possible, and how full `ar.conf` is.

use std::collections::BTreeMap;

use super::super::{
    api::fields::some_of,
    command_names::CommandTable,
    commands::{CommandPlace, CommandRequest},
};
use crate::{
    connector::Diagnosis,
    domain::{
        action::{Action, ActionKind, Term, known_responses},
        endpoint::{Platform, SkipReason},
    },
};

/// More entries overrun the memory of an endpoint's execd (wazuh/wazuh#38358).
const NAMES_MAX: usize = 64;
/// Every `ar.conf` begins with six lines: `restart-ossec0` twice and `restart-wazuh0` four times,
/// each with another file (`src/analysisd/active-response.c`).
const NAMES_BUILT_IN: usize = 6;

/// What the names of a node make possible.
pub(super) fn names_of(
    node: &str,
    names: Result<&CommandTable, &str>,
    undo: &BTreeMap<(ActionKind, Platform), String>,
) -> Diagnosis {
    let place = if node.is_empty() { String::new() } else { format!("{node}: ") };
    let names = match names {
        Ok(names) => names,
        Err(why) => {
            let advice = "correct the API user's role, or what is named; only permanent responses \
                          work without";
            return Diagnosis::bad("names", format!("{place}{why}"), advice);
        }
    };
    let (mut found, mut advice) = (Vec::new(), Vec::new());
    for (action, platform) in sample_actions() {
        let kind = action.kind();
        let Some(command) = kind.entry().commands.get(&platform) else { continue };
        let Some(script) = command.script.as_ref().or(command.companion.as_ref()) else { continue };
        let durations = names.durations(script);
        let Some(first) = durations.first() else { continue };
        let taken_back = action.undo().map(|action| {
            let term = Term::Seconds(*first);
            let wanted = CommandRequest { action: &action, term, undo, keeps: &[], undone: None };
            let (names, has_companions, kept_for) = (Ok(names), false, None);
            wanted.command(CommandPlace { platform, names, has_companions, kept_for })
        });
        let early = match taken_back {
            _ if command.script.is_none() => "",
            Some(Ok(_)) => "",
            Some(Err(SkipReason::NotConfigured(why))) => {
                advice.push(why);
                ", no early undo"
            }
            Some(Err(_)) | None => ", no early undo",
        };
        let seconds: Vec<_> = durations.iter().map(u32::to_string).collect();
        found.push(format!("{kind} on {} {} s{early}", platform.words(), seconds.join(", ")));
    }
    if found.is_empty() {
        found.push("none that ends by itself".to_owned());
        advice.push(
            "add <active-response> blocks with timeouts (docs/operating.md), or only permanent \
             responses work"
                .to_owned(),
        );
    }
    let count = names.entries + NAMES_BUILT_IN;
    found.push(format!("{count} of {NAMES_MAX} entries in ar.conf"));
    if count > NAMES_MAX {
        let why = "take blocks away: more entries crash Wazuh agents without the fix of \
                   wazuh/wazuh#38358";
        advice.push(why.to_owned());
    }
    if !names.odd.is_empty() {
        found.push(format!("left out: {}", some_of(names.odd.clone())));
        advice.push("look at those blocks of its ossec.conf".to_owned());
    }
    let found = format!("{place}{}", found.join("; "));
    advice.dedup();
    if advice.is_empty() {
        return Diagnosis::good("names", found);
    }
    Diagnosis::bad("names", found, advice.join("; "))
}

/// Every response on every platform, on a target that stands for any: the question needs one.
fn sample_actions() -> impl Iterator<Item = (Action, Platform)> {
    let actions = known_responses().into_iter().filter_map(Action::example);
    actions.flat_map(|action| Platform::ALL.map(|platform| (action.clone(), platform)))
}
