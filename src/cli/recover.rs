//! Two people take a database over that may lack what was sent. No server runs.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{CliError, files::must_exist, kill_switch::may_release, out::Out, password};
use crate::{
    app::{AppError, recover::recover},
    broker::{
        BrokerError,
        admin::recover::{Recovery, RecoveryOrder},
    },
    config::Config,
    domain::{actor::Person, endpoint::EndpointId, evidence::FoundCall},
    store::Store,
};

/// Who, and why.
#[derive(Debug, Args)]
pub(super) struct RecoverArgs {
    /// A lead or admin; twice, for two people.
    #[arg(long = "person", required = true, value_name = "NAME")]
    people: Vec<String>,
    /// A file that holds the password of a person, in the same order; without it you are asked.
    #[arg(long = "password-file", value_name = "FILE")]
    password_files: Vec<PathBuf>,
    /// Why, for the audit.
    #[arg(long)]
    reason: String,
    /// Do not search the indexers for calls that the database does not know.
    #[arg(long)]
    without_look: bool,
}

pub(super) async fn run(out: Out, config: &Path, args: RecoverArgs) -> Result<(), CliError> {
    let config = Config::load(config, std::env::vars())?;
    must_exist(&config.server.database)?;
    // Before anybody types a password for nothing.
    Store::check_no_server(&config.server.database)?;
    let [first, second] = args.people.as_slice() else {
        let text = format!("--person: {} given. Allowed: two, of two people.", args.people.len());
        return Err(CliError::Use(text));
    };
    let files = match args.password_files.as_slice() {
        [] => [None, None],
        [first, second] => [Some(first), Some(second)],
        _ => {
            let text = "--password-file: allowed: none, or one for each --person".to_owned();
            return Err(CliError::Use(text));
        }
    };
    let [first_file, second_file] = files;
    let passwords =
        [password::existing(first, first_file)?, password::existing(second, second_file)?];
    let [first_password, second_password] = &passwords;
    let order = RecoveryOrder {
        people: [(first, first_password), (second, second_password)],
        reason: &args.reason,
        look: !args.without_look,
    };
    let local = config.oidc.as_ref().and_then(|oidc| oidc.local_people.as_ref());
    let local = |person: &Person| local.is_none_or(|people| people.contains(&person.name));
    let may = |person: &Person| local(person) && may_release(person);
    let recovered = recover(&config, &order, may).await.map_err(|error| {
        if let AppError::Broker(BrokerError::Manager(why)) = error {
            let text = "Nothing was changed. Try again, or go on --without-look";
            CliError::Failed(format!("{why}. {text}"))
        } else {
            error.into()
        }
    });
    if let Some(recovery) = recovered? {
        return tell(out, &recovery);
    }
    let text = "There is nothing to recover: the database has all that its high-water mark names. \
                Nothing was changed.";
    Ok(out.say(text, || json!({ "recovered": false }))?)
}

fn tell(out: Out, recovery: &Recovery) -> Result<(), CliError> {
    let Recovery { since, withdrawn, found, not_looked } = recovery;
    let mut lines = vec![match since {
        Some(since) => format!("The database has nothing of what was done after {since}."),
        None => "The database has nothing of what was done.".to_owned(),
    }];
    lines.extend(found.iter().map(|(manager, call)| {
        let endpoints: Vec<_> = call.endpoints.iter().map(EndpointId::as_str).collect();
        let (request, at) = (call.request, call.at.format("%Y-%m-%d %H:%M:%S"));
        format!("{request} was sent to {} at {manager}, {at} UTC.", endpoints.join(", "))
    }));
    lines.extend(not_looked.iter().map(|(manager, why)| {
        format!("Nobody looked for calls at {manager}, or not everywhere: {why}.")
    }));
    lines.extend(withdrawn.iter().map(|id| format!("{id} was open and is withdrawn.")));
    lines.push(
        "It is recovered, and the kill switch is on. Whoever was disabled or revoked since that \
                copy is active again: look at people and agents, at the policies, and at what is \
                active on the endpoints. Then start, and two people release the kill switch. For a \
                day after the recovery nothing runs without people."
            .to_owned(),
    );
    Ok(out.lines(lines.iter().map(String::as_str), || {
        let call = |(manager, call): &(String, FoundCall)| {
            json!({
                "manager": manager,
                "request": call.request.to_string(),
                "attempt": call.attempt.to_string(),
                "endpoints": call.endpoints.iter().map(EndpointId::as_str).collect::<Vec<_>>(),
                "at": call.at.to_rfc3339(),
            })
        };
        let unseen = |(manager, why): &(String, String)| json!({ "manager": manager, "why": why });
        json!({
            "recovered": true,
            "withdrawn": withdrawn.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "found": found.iter().map(call).collect::<Vec<_>>(),
            "not_looked": not_looked.iter().map(unseen).collect::<Vec<_>>(),
        })
    })?)
}
