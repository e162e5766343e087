//! Rules that Cedar's validator does not know. They keep a policy from failing while it is
//! evaluated, and from believing the agent.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is non-exhaustive; these rules look for a few of its parts"
)]

use std::sync::Arc;

use cedar_policy::{
    EntityUid, Policy, Schema,
    pst::{BinaryOp, Clause, Expr, UnaryOp, Var},
};

use super::error::PolicyFault;
use crate::domain::actor::{Role, valid_name};

/// Holds one policy against all rules.
pub(super) fn lint(policy: &Policy, schema: &Schema) -> Result<(), PolicyFault> {
    let parsed =
        policy.to_pst().map_err(|error| PolicyFault::Unfit { detail: error.to_string() })?;
    let parts = parts(parsed.body().clauses());
    let conditions: Vec<_> = parts.iter().map(condition).collect();
    if let Some(operator) = conditions.iter().find_map(|condition| calculation(condition)) {
        return Err(PolicyFault::Arithmetic { operator });
    }
    if let Some(role) =
        policy.entity_literals().into_iter().find_map(|literal| unknown_role(&literal))
    {
        return Err(PolicyFault::Role { role });
    }
    let team = |literal: EntityUid| {
        let id = literal.id().unescaped().to_owned();
        (literal.type_name().basename() == "Team" && !valid_name(&id)).then_some(id)
    };
    if let Some(team) = policy.entity_literals().into_iter().find_map(team) {
        return Err(PolicyFault::Team { team });
    }
    if may_permit_running(policy, schema) && rests_on_claim(&conditions) {
        return Err(PolicyFault::ClaimOnly);
    }
    Ok(())
}

/// The clauses of a policy in their smallest parts, which must all hold: each `when` split at `&&`,
/// and each `unless` at `||`, for none of its parts may hold.
pub(super) fn parts(clauses: &[Clause]) -> Vec<Clause> {
    let mut found = Vec::new();
    for clause in clauses {
        match clause {
            Clause::When(condition) => {
                split(condition, BinaryOp::And, &mut |part| found.push(Clause::When(part)));
            }
            Clause::Unless(exception) => {
                split(exception, BinaryOp::Or, &mut |part| found.push(Clause::Unless(part)));
            }
        }
    }
    found
}

fn split(whole: &Arc<Expr>, at: BinaryOp, found: &mut dyn FnMut(Arc<Expr>)) {
    match whole.as_ref() {
        Expr::BinaryOp { op, left, right } if *op == at => {
            split(left, at, found);
            split(right, at, found);
        }
        _ => found(Arc::clone(whole)),
    }
}

/// What stands in a clause.
pub(super) fn condition(clause: &Clause) -> &Expr {
    match clause {
        Clause::When(condition) | Clause::Unless(condition) => condition,
    }
}

/// The first operator that can fail on sound input: arithmetic overflows, and `offset` leaves the
/// range of dates. Without `offset`, every date is `now` or written out, and the other operations
/// on dates cannot overflow.
fn calculation(condition: &Expr) -> Option<&'static str> {
    let operator = |expr: &Expr| match expr {
        Expr::BinaryOp { op: BinaryOp::Add, .. } => Some("+"),
        Expr::BinaryOp { op: BinaryOp::Sub, .. } | Expr::UnaryOp { op: UnaryOp::Neg, .. } => {
            Some("-")
        }
        Expr::BinaryOp { op: BinaryOp::Mul, .. } => Some("*"),
        Expr::BinaryOp { op: BinaryOp::Offset, .. } => Some("offset"),
        _ => None,
    };
    condition.reduce(&|expr| operator(expr).map(Some), &Option::or, None)
}

/// The validator knows no names of roles; a slip of the pen would be a rule that never holds.
fn unknown_role(literal: &EntityUid) -> Option<String> {
    let id = literal.id().unescaped();
    let unknown = literal.type_name().basename() == "Role" && id.parse::<Role>().is_err();
    unknown.then(|| id.to_owned())
}

/// Whether a policy reads a value, such as `context.facts.scope`.
pub(super) fn reads(policy: &Policy, value: &str) -> bool {
    let parsed = policy.to_pst();
    parsed.is_ok_and(|parsed| {
        let parts = parts(parsed.body().clauses());
        parts.iter().any(|part| names(condition(part), &|path| path == value))
    })
}

fn may_permit_running(policy: &Policy, schema: &Schema) -> bool {
    policy.effect() == cedar_policy::Effect::Permit
        && policy
            .get_valid_request_envs(schema)
            .any(|env| env.action().id().unescaped().starts_with("run:"))
}

/// Whether a permit believes the agent: it speaks of the claim, and has no condition of its own,
/// free of the claim, about votes, the alert that the broker found, or the endpoint.
///
/// Sound for the claim: `a || claim` is one condition and speaks of the claim. It does not judge
/// the other condition: `context.votes.people >= 0` passes, though it always holds.
fn rests_on_claim(conditions: &[&Expr]) -> bool {
    let own = |condition: &&Expr| !names(condition, &claim) && names(condition, &ground);
    conditions.iter().any(|condition| names(condition, &claim)) && !conditions.iter().any(own)
}

/// The context as a whole holds the claim too.
fn claim(path: &str) -> bool {
    path == "context" || path == "context.claim" || path.starts_with("context.claim.")
}

/// What the broker found out itself. The rest of `context.facts` is not enough: scope and term are
/// the agent's choice, and the time of day says nothing about the alert.
fn ground(path: &str) -> bool {
    ["context.votes.", "context.facts.alert_", "resource."]
        .iter()
        .any(|start| path.starts_with(start))
}

/// Whether an expression may read who approved. The context as a whole holds that too.
pub(super) fn reads_votes(expr: &Expr) -> bool {
    names(expr, &|path| path == "context" || votes(path))
}

/// Whether an expression reads anything but who approved.
pub(super) fn reads_else(expr: &Expr) -> bool {
    names(expr, &|path| !votes(path))
}

fn votes(path: &str) -> bool {
    path == "context.votes" || path.starts_with("context.votes.")
}

/// Whether an expression reads a value whose path, such as `context.facts.scope`, is of a kind.
fn names(expr: &Expr, kind: &dyn Fn(&str) -> bool) -> bool {
    expr.reduce(&|part| path(part).map(|path| kind(&path)), &|a, b| a || b, false)
}

/// The path of a variable or of an attribute under one.
fn path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Var(Var::Principal) => Some("principal".to_owned()),
        Expr::Var(Var::Action) => Some("action".to_owned()),
        Expr::Var(Var::Resource) => Some("resource".to_owned()),
        Expr::Var(Var::Context) => Some("context".to_owned()),
        Expr::GetAttr { expr, attr } => path(expr).map(|owner| format!("{owner}.{attr}")),
        _ => None,
    }
}
