//! What policies see of what an action acts on: `context.input`, by the types of its parameters.
//!
//! An address and an account have the same attributes in every action, so that what is said about
//! one holds for the next. Any other parameter stands under its own name.

use std::net::IpAddr;

use cedar_policy::RestrictedExpression as Value;

use crate::{
    domain::{
        action::{Action, ActionKind, Argument, Catalogue, Parameter, ParameterType},
        address::{RangeUse, forms, special_range},
        facts::{PolicyQuestion, TargetFacts},
    },
    policy::EvalError,
};

/// The attributes of an address: those of the type `Address` of the schema.
const ADDRESS: &str = "address: ipaddr, private: Bool, special: Bool, own_network: Bool, \
                       protected: Bool, of_endpoint: Bool";
/// The attributes of an account: those of the type `Account` of the schema.
const ACCOUNT: &str = "account: String, protected: Bool, privileged: Bool";

/// The actions of the schema that agents ask for.
pub(in crate::policy) fn action_declarations(catalogue: &Catalogue) -> String {
    let all: Vec<_> = catalogue.all().iter().map(|kind| format!("\"{kind}\"")).collect();
    let mut text = format!("  action \"ask\", \"wait\", \"run\", {};\n\n", all.join(", "));
    let undo_begins = catalogue.responses().len();
    for (place, kind) in catalogue.all().iter().enumerate() {
        if place == undo_begins {
            text.push('\n');
        }
        let input = input_type(*kind);
        let steps = [("ask", ""), ("wait", ""), ("run", ", votes: Votes")];
        // What takes a response back does not wait.
        for (step, votes) in
            steps.into_iter().filter(|(step, _)| *step != "wait" || !kind.is_undo())
        {
            let declaration = format!(
                "  action \"{step}:{kind}\" in [\"{step}\", \"{kind}\"] appliesTo {{\n    principal: \
                 Agent, resource: Endpoint,\n    context: {{ claim: Claim, facts: Facts, input: \
                 {input}{votes} }},\n  }};\n"
            );
            text.push_str(&declaration);
        }
    }
    text
}

fn input_type(kind: ActionKind) -> String {
    match kind.parameters() {
        [only] if only.of == ParameterType::Address => "Address".to_owned(),
        [only] if only.of == ParameterType::Account => "Account".to_owned(),
        several => {
            let mut attributes: Vec<_> = several.iter().flat_map(declared).collect();
            attributes.sort_unstable();
            attributes.dedup();
            format!("{{ {} }}", attributes.join(", "))
        }
    }
}

/// What a parameter declares.
fn declared(parameter: &Parameter) -> Vec<String> {
    let list = |attributes: &str| attributes.split(", ").map(str::to_owned).collect();
    let maybe = if parameter.optional { "?" } else { "" };
    let own = |of: &str| format!("{}{maybe}: {of}", parameter.name);
    match parameter.of {
        ParameterType::Address => list(ADDRESS),
        ParameterType::Account => list(ACCOUNT),
        ParameterType::ProcessId | ParameterType::Port => vec![own("Long")],
        ParameterType::Network => vec![own("ipaddr")],
        ParameterType::HostName
        | ParameterType::Path
        | ParameterType::ProcessName
        | ParameterType::Hash
        | ParameterType::Domain
        | ParameterType::Choice
        | ParameterType::Text => vec![own("String")],
    }
}

/// The inputs of a question: one for each form of an address, so that a policy about addresses holds
/// whatever the address is hidden in.
pub(super) fn inputs(question: &PolicyQuestion) -> Result<Vec<Value>, EvalError> {
    let action = &question.action;
    let address = action.arguments().find_map(|(_, argument)| {
        if let Argument::Address(address) = argument { Some(*address) } else { None }
    });
    match address {
        None => Ok(vec![input(action, None, question.target)?]),
        Some(address) => forms(address)
            .into_iter()
            .map(|form| input(action, Some(form), question.target))
            .collect(),
    }
}

fn input(action: &Action, form: Option<IpAddr>, target: TargetFacts) -> Result<Value, EvalError> {
    let mut attributes = Vec::new();
    for (parameter, argument) in action.arguments() {
        let text = || Value::new_string(argument.to_string());
        match argument {
            Argument::Address(address) => {
                attributes.extend(of_address(form.unwrap_or(*address), target));
            }
            Argument::Account(account) => attributes.extend([
                ("account", Value::new_string(account.as_str().to_owned())),
                ("protected", Value::new_bool(target.protected)),
                ("privileged", Value::new_bool(target.privileged)),
            ]),
            Argument::Network(network) => {
                attributes.push((&parameter.name, Value::new_ip(network.to_string())));
            }
            Argument::ProcessId(number) => {
                attributes.push((&parameter.name, Value::new_long(i64::from(*number))));
            }
            Argument::Port(number) => {
                attributes.push((&parameter.name, Value::new_long(i64::from(*number))));
            }
            Argument::HostName(_)
            | Argument::Path(_)
            | Argument::ProcessName(_)
            | Argument::Hash(_)
            | Argument::Domain(_)
            | Argument::Choice(_)
            | Argument::Text(_) => attributes.push((&parameter.name, text())),
        }
    }
    // An address and an account share what is protected.
    attributes.sort_by_key(|(name, _)| *name);
    attributes.dedup_by_key(|(name, _)| *name);
    record(attributes)
}

fn of_address(form: IpAddr, target: TargetFacts) -> [(&'static str, Value); 6] {
    let range_use = special_range(form).map(|range| range.range_use);
    [
        ("address", Value::new_ip(form.to_string())),
        ("private", Value::new_bool(range_use == Some(RangeUse::Private))),
        ("special", Value::new_bool(range_use == Some(RangeUse::Special))),
        ("own_network", Value::new_bool(target.own_network)),
        ("protected", Value::new_bool(target.protected)),
        ("of_endpoint", Value::new_bool(target.of_endpoint)),
    ]
}

pub(super) fn record<'a>(
    fields: impl IntoIterator<Item = (&'a str, Value)>,
) -> Result<Value, EvalError> {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(Value::new_record(fields)?)
}
