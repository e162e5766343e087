//! From files to a policy set, or to the reason why not.

use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator, ffi::DetailedError};

use super::{
    EvalError, PolicyEffect, PolicyFiles, PolicyText, Set,
    entities::PolicyEntities,
    error::{PolicyError, PolicyFault},
    lint,
    schema::SchemaVersion,
};
use crate::domain::{
    action::Catalogue,
    digest::{Canonical, Digest},
};

/// How far a policy may follow attributes that are entities: to those of `principal` and
/// `resource`, which are always there, and no further. So no attribute can be missing.
const ENTITY_STEPS_MAX: u32 = 1;

/// Parses and holds a set against all rules; the first fault ends it.
pub(super) fn load(files: PolicyFiles) -> Result<Set, PolicyError> {
    let version = SchemaVersion::of(files.schema());
    let Some(version) = version else {
        return Err(PolicyError::Schema { path: files.schema_path() });
    };
    let catalogue = Catalogue::with(files.entries())?;
    let broken = |EvalError(errors): EvalError| PolicyError::Broken { detail: errors.join("; ") };
    let entities = PolicyEntities::new(version, &catalogue).map_err(broken)?;
    let policies = parse_all(&files, &entities)?;
    if policies.is_empty() {
        return Err(PolicyError::Empty { folder: files.place().to_owned() });
    }
    let (texts, cedar): (Vec<_>, Vec<_>) = policies.into_iter().unzip();
    if texts.iter().all(|policy: &PolicyText| policy.effect == PolicyEffect::Forbid) {
        return Err(PolicyError::NoPermit { folder: files.place().to_owned() });
    }
    let hash = hash(&version.text(&catalogue), &files);
    Set::new((texts, cedar), (hash, files), (entities, catalogue)).map_err(broken)
}

fn hash(schema: &str, files: &PolicyFiles) -> Digest {
    let policies: Vec<_> = files.policies().chain(files.entries()).collect();
    Canonical::new(1, "policy set")
        .text(schema)
        .list(policies.into_iter(), |canonical, (name, text)| canonical.text(name).text(text))
        .digest()
}

/// A policy for people to read, and the same for Cedar to evaluate.
type Both = (PolicyText, Policy);

fn parse_all(files: &PolicyFiles, entities: &PolicyEntities) -> Result<Vec<Both>, PolicyError> {
    let validator = Validator::new(entities.schema().clone());
    let mut policies: Vec<Both> = Vec::new();
    for (file, source) in files.policies() {
        for (place, policy) in parse(file, source)?.into_iter().enumerate() {
            let both = check(file, source, &policy, &validator).and_then(|both| {
                match policies.iter().find(|(earlier, _)| earlier.id == both.0.id) {
                    None => Ok(both),
                    Some((earlier, _)) => Err(PolicyFault::Taken { other: earlier.file.clone() }),
                }
            });
            let named = || policy.annotation("id").map(str::to_owned);
            policies.push(both.map_err(|fault| PolicyError::Policy {
                file: file.to_owned(),
                policy: named().unwrap_or_else(|| format!("number {}", place + 1)),
                fault: Box::new(fault),
            })?);
        }
    }
    Ok(policies)
}

fn check(
    file: &str,
    source: &str,
    policy: &Policy,
    validator: &Validator,
) -> Result<Both, PolicyFault> {
    let text = describe(file, policy)?;
    let policy = policy.new_id(PolicyId::new(&text.id));
    validate(&policy, source, validator)?;
    lint::lint(&policy, validator.schema())?;
    Ok((text, policy))
}

/// The policies of one file, in the order they are written.
fn parse(file: &str, text: &str) -> Result<Vec<Policy>, PolicyError> {
    let set: PolicySet = text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        PolicyError::Syntax { file: file.to_owned(), detail: spoken(text, &(&errors).into()) }
    })?;
    match set.templates().next() {
        None => Ok(set.policies().cloned().collect()),
        Some(template) => Err(PolicyError::Policy {
            file: file.to_owned(),
            policy: template.annotation("id").unwrap_or("without an id").to_owned(),
            fault: Box::new(PolicyFault::Template),
        }),
    }
}

fn describe(file: &str, policy: &Policy) -> Result<PolicyText, PolicyFault> {
    let annotation = |name| policy.annotation(name).map(str::trim).unwrap_or_default();
    let id = annotation("id");
    let fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    if !(1..=64).contains(&id.len()) || !id.bytes().all(fit) {
        return Err(PolicyFault::Id);
    }
    let why = annotation("why");
    if why.is_empty() {
        return Err(PolicyFault::Why);
    }
    if let Some((name, _)) = policy.annotations().find(|(name, _)| !["id", "why"].contains(name)) {
        return Err(PolicyFault::Annotation { name: name.to_owned() });
    }
    Ok(PolicyText {
        id: id.to_owned(),
        why: why.to_owned(),
        effect: match policy.effect() {
            cedar_policy::Effect::Permit => PolicyEffect::Permit,
            cedar_policy::Effect::Forbid => PolicyEffect::Forbid,
        },
        file: file.to_owned(),
        text: policy.to_cedar().unwrap_or_default(),
    })
}

/// Strictly, and with warnings as errors: a policy that can never hold, or a text that looks like
/// another, is a mistake.
fn validate(policy: &Policy, source: &str, validator: &Validator) -> Result<(), PolicyFault> {
    let unfit = |detail| PolicyFault::Unfit { detail };
    let alone = PolicySet::from_policies([policy.clone()]).map_err(|e| unfit(e.to_string()))?;
    let found = validator.validate_with_level(&alone, ValidationMode::Strict, ENTITY_STEPS_MAX);
    let first = found
        .validation_errors()
        .map(DetailedError::from)
        .chain(found.validation_warnings().map(DetailedError::from))
        .next();
    match first {
        None => Ok(()),
        Some(error) => Err(unfit(spoken(source, &error))),
    }
}

/// A Cedar error with its line and its help.
fn spoken(text: &str, error: &DetailedError) -> String {
    let line = |start: usize| text.get(..start).map(|before| before.matches('\n').count() + 1);
    let line = error.source_locations.first().and_then(|label| line(label.loc.start));
    let line = line.map_or_else(String::new, |line| format!("line {line}: "));
    let help = error.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
    format!("{line}{}{help}", error.message)
}
