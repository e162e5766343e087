//! The kill switch, from the command line: it counts as one person.

use std::{fmt::Write as _, path::Path};

use clap::Args;
use serde_json::json;

use super::{CliError, accounts::with_operator, out::Out};
use crate::{
    broker::admin::{kill_switch::Unfreeze, operator::Operator},
    config::Config,
    domain::{
        actor::{Actor, Person, Role},
        kill_switch::Extent,
    },
};

/// What, and why.
#[derive(Debug, Args)]
pub(super) struct KillSwitchArgs {
    /// Only what goes to this manager.
    #[arg(long, group = "part")]
    manager: Option<String>,
    /// Only this action, such as `block_ip`.
    #[arg(long, group = "part")]
    action: Option<String>,
    /// Only what this agent asks for.
    #[arg(long, group = "part")]
    agent: Option<String>,
    /// Why, for the audit and for everybody who sees the page.
    #[arg(long)]
    reason: String,
}

impl KillSwitchArgs {
    /// What is named, once the database is open: it holds the entries of actions.
    fn extent(&self) -> Result<Extent, CliError> {
        let parts = [("manager", &self.manager), ("action", &self.action), ("agent", &self.agent)];
        let named = parts.into_iter().find_map(|(kind, name)| Some((kind, name.as_deref()?)));
        let (kind, name) = named.unwrap_or(("everything", ""));
        Extent::parse(kind, name).map_err(|invalid| CliError::Use(format!("--{invalid}")))
    }
}

pub(super) async fn freeze(
    out: Out,
    config: &Path,
    because: &KillSwitchArgs,
) -> Result<(), CliError> {
    if let Some(name) = &because.manager {
        let managers = Config::load(config, std::env::vars())?.manager;
        if !managers.contains_key(name) {
            let known: Vec<_> = managers.into_keys().collect();
            let known = known.join(", ");
            let text = format!("--manager: there is no manager `{name}`. Allowed: {known}.");
            return Err(CliError::Use(text));
        }
    }
    let (me, reason) = (Actor::CommandLine, &because.reason);
    let extent = with_operator(config, async |operator| {
        let extent = because.extent()?;
        operator.freeze(&me, &extent, reason).await?;
        Ok(extent)
    })
    .await?;
    let text = format!("The kill switch is on for {extent}. Two people release it.");
    Ok(out.say(&text, || json!({ "frozen": true, "extent": extent.to_string() }))?)
}

pub(super) async fn unfreeze(
    out: Out,
    config: &Path,
    because: &KillSwitchArgs,
) -> Result<(), CliError> {
    let (me, reason) = (Actor::CommandLine, &because.reason);
    let release = async |operator: &Operator| {
        let extent = because.extent()?;
        let done = operator.unfreeze(&me, &extent, reason, may_release).await?;
        let others = operator.frozen().await?.into_iter().map(|freeze| freeze.extent);
        let others: Vec<_> =
            others.filter(|other| *other != extent).map(|e| e.to_string()).collect();
        Ok((extent, done, others))
    };
    let (extent, done, others) = with_operator(config, release).await?;
    let (mut text, frozen) = match done {
        Unfreeze::Released => (format!("The kill switch is off for {extent}."), false),
        Unfreeze::Waits(_) => {
            let text = "It is still on: a second person must release it too, on the page under \
                        System, within an hour.";
            (text.to_owned(), true)
        }
    };
    if !others.is_empty() {
        // Writing to a string never fails.
        let _written = write!(text, " Still stopped: {}.", others.join(", "));
    }
    Ok(out.say(
        &text,
        || json!({ "frozen": frozen, "extent": extent.to_string(), "still_stopped": others }),
    )?)
}

/// The command line loads no policy; these are the roles of the one that ships.
pub(super) fn may_release(person: &Person) -> bool {
    matches!(person.role, Role::Lead | Role::Admin) && !person.must_change_password
}
