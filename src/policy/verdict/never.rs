//! What no policy can allow: an action that is not the one that was asked for, and what the types of
//! its parameters protect.
//!
//! The policies that ship speak of two actions by name. Any other entry has no policy of its own until
//! somebody writes one, so code says for every entry what must hold whatever is written.

use crate::{
    domain::{
        action::{ActionKind, Argument, ParameterType},
        address::{RangeUse, forms, special_range, touches_special},
        decision::Reason,
        facts::PolicyQuestion,
    },
    policy::Set,
};

/// Why a question is answered with no before any policy is asked.
pub(super) fn never(set: &Set, question: &PolicyQuestion) -> Option<Reason> {
    let kind = question.action.kind();
    if !set.catalogue.has(kind) {
        let gone = "the action is not in the catalogue any more as it was when this was asked; what \
                    it would do now, nobody has approved";
        return Some(reason("catalogue.changed", gone));
    }
    if !is_held_by_policies(kind)
        && question.asked_by.is_none()
        && !question.agent.scopes.contains(&kind.response())
    {
        return Some(reason(
            "catalogue.scope",
            "this agent does not have the right to request this",
        ));
    }
    // What was done is taken back, whatever it was done to.
    if kind.is_undo() {
        return None;
    }
    untouched(question)
}

/// Whether the policies that ship say who may ask for it, and what it never touches: what is built in
/// and acts on an address or an account.
fn is_held_by_policies(kind: ActionKind) -> bool {
    let held = |of| matches!(of, ParameterType::Address | ParameterType::Account);
    let parameters = kind.parameters();
    let all = !parameters.is_empty() && parameters.iter().all(|one| held(one.of));
    kind.version().is_none() && all
}

fn untouched(question: &PolicyQuestion) -> Option<Reason> {
    let (kind, facts) = (question.action.kind(), question.target);
    if kind.entry().isolates && facts.keeps_network {
        let why = "the manager, Countersign, a domain controller or an endpoint that the \
                   configuration names is among the endpoints, and is never isolated";
        return Some(reason("never.isolated", why));
    }
    if is_held_by_policies(kind) {
        return None;
    }
    let protected = facts.protected || facts.own_network;
    let (parameter, _) = question.action.arguments().find(|(parameter, argument)| {
        let special = match argument {
            Argument::Address(address) => {
                let uses = forms(*address).into_iter().filter_map(special_range);
                uses.into_iter().any(|range| range.range_use != RangeUse::Documentation)
            }
            Argument::Network(network) => touches_special(network),
            Argument::Account(account) => account.as_str() == "root",
            Argument::HostName(_)
            | Argument::Path(_)
            | Argument::ProcessId(_)
            | Argument::ProcessName(_)
            | Argument::Port(_)
            | Argument::Hash(_)
            | Argument::Domain(_)
            | Argument::Choice(_)
            | Argument::Text(_) => false,
        };
        parameter.of.has_rules() && (special || protected)
    })?;
    let of = parameter.of.name();
    let why =
        format!("this {of} is one that the rules of its type protect, so it is never touched");
    Some(reason(&format!("never.protected-{}", of.replace('_', "-")), &why))
}

fn reason(policy: &str, why: &str) -> Reason {
    Reason { policy: policy.to_owned(), why: why.to_owned() }
}
