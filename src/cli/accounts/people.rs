//! People, kept from the command line.

use std::{collections::BTreeSet, path::Path};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{reader, unknown, with_operator};
use crate::{
    broker::admin::{
        operator::Operator,
        people::{NewPerson, PersonChange},
    },
    cli::{CliError, out::Out, password::PasswordFrom},
    domain::actor::{Actor, Person, Role},
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PersonCommand {
    /// Add a person; the password must be changed at the first sign-in.
    Add {
        /// The name to sign in with.
        name: String,
        /// analyst, senior, lead, auditor or admin.
        #[arg(long)]
        role: Role,
        /// Where notices are mailed.
        #[arg(long, value_name = "ADDRESS")]
        mail: Option<String>,
        /// A team that the person is in; the policies say what it sees. Can be given several times.
        #[arg(long = "team", value_name = "TEAM")]
        teams: Vec<String>,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// List the people.
    List,
    /// Give a person another role; the sessions end.
    Role {
        /// The person's name.
        name: String,
        /// analyst, senior, lead, auditor or admin.
        role: Role,
    },
    /// Put a person on call: a lead on call may break the glass.
    OnCall {
        /// The person's name.
        name: String,
    },
    /// Take a person off call.
    OffCall {
        /// The person's name.
        name: String,
    },
    /// Set where notices for a person are mailed.
    Mail {
        /// The person's name.
        name: String,
        /// The address; without it nothing is mailed.
        address: Option<String>,
    },
    /// Set the teams of a person, or show them: the policies say what each of them sees.
    Teams {
        /// The person's name.
        name: String,
        /// The teams that the person is in from now on; without one nothing changes.
        teams: Vec<String>,
        /// Take the person out of all teams: then they see everything.
        #[arg(long, conflicts_with = "teams")]
        none: bool,
    },
    /// End all sessions of a person.
    SessionsEnd {
        /// The person's name.
        name: String,
    },
    /// Remove the passkeys of somebody who signs in at the identity provider.
    PasskeysRemove {
        /// The person's name.
        name: String,
    },
    /// Disable a person for ever: no sign-in, and votes count no longer.
    Disable {
        /// The person's name.
        name: String,
    },
    /// Set a person's password; it must be changed at the next sign-in.
    Password {
        /// The person's name.
        name: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
}

pub(in crate::cli) async fn person(
    out: Out,
    config: &Path,
    command: PersonCommand,
) -> Result<(), CliError> {
    if matches!(command, PersonCommand::List) {
        return person_command(out, &reader(config).await?, command).await;
    }
    with_operator(config, async |operator| person_command(out, operator, command).await).await
}

async fn person_command(
    out: Out,
    operator: &Operator,
    command: PersonCommand,
) -> Result<(), CliError> {
    let me = &Actor::CommandLine;
    let say = |text: &str, value: Value| -> Result<(), CliError> { Ok(out.say(text, || value)?) };
    match command {
        PersonCommand::Add { name, role, mail, teams, password } => {
            let password = &password.read()?;
            let mail = mail.as_deref();
            let (name, teams) = (name.as_str(), teams.as_slice());
            let new = NewPerson { name, role, password, must_change: true, mail, teams };
            operator.add_person(me, new).await?;
            let text = format!("{name} may sign in and must change the password first.");
            say(&text, json!({ "person": name, "role": role.name(), "mail": mail, "teams": teams }))
        }
        PersonCommand::List => list_people(out, operator).await,
        PersonCommand::Role { name, role } => {
            change(operator, &name, PersonChange::Role(role)).await?;
            let text = format!("The role of {name} is {role}.");
            say(&text, json!({ "person": name, "role": role.name() }))
        }
        PersonCommand::OnCall { name } => {
            change(operator, &name, PersonChange::OnCall(true)).await?;
            let people = operator.people().await?;
            let lead = people.iter().any(|one| one.name == name && one.role == Role::Lead);
            let text = format!("{name} is on call. {}", on_call_effect(&name, lead));
            say(&text, json!({ "person": name, "on_call": true }))
        }
        PersonCommand::OffCall { name } => {
            change(operator, &name, PersonChange::OnCall(false)).await?;
            say(&format!("{name} is off call."), json!({ "person": name, "on_call": false }))
        }
        PersonCommand::Mail { name, address } => {
            change(operator, &name, PersonChange::Mail(address.clone())).await?;
            say(&mail_effect(&name, address.as_deref()), json!({ "person": name, "mail": address }))
        }
        PersonCommand::Teams { name, teams, none } => {
            let teams = teams_of(operator, &name, (teams, none)).await?;
            say(&teams_effect(&name, &teams), json!({ "person": name, "teams": teams }))
        }
        PersonCommand::SessionsEnd { name } => {
            change(operator, &name, PersonChange::EndSessions).await?;
            say(&format!("{name} has no session."), json!({ "person": name, "sessions": 0 }))
        }
        PersonCommand::PasskeysRemove { name } => {
            change(operator, &name, PersonChange::RemovePasskeys).await?;
            say(&format!("{name} has no passkey."), json!({ "person": name, "passkeys": 0 }))
        }
        PersonCommand::Disable { name } => {
            change(operator, &name, PersonChange::Disable).await?;
            let text = format!("{name} can no longer sign in, and votes no longer count.");
            say(&text, json!({ "person": name, "disabled": true }))
        }
        PersonCommand::Password { name, password } => {
            let done = operator.reset_password(me, &name, &password.read()?).await;
            done.map_err(|error| unknown(error, "person", &name))?;
            let text = format!("{name} must change the password at the next sign-in.");
            say(&text, json!({ "person": name, "must_change_password": true }))
        }
    }
}

fn mail_effect(name: &str, address: Option<&str>) -> String {
    match address {
        Some(address) => format!("Notices for {name} are mailed to {address}."),
        None => format!("Nothing is mailed to {name}."),
    }
}

fn teams_effect(name: &str, teams: &BTreeSet<String>) -> String {
    if teams.is_empty() {
        return format!("{name} is in no team, and sees everything.");
    }
    let which = if teams.len() == 1 { "this team" } else { "these teams" };
    format!("{name} is in {}, and sees what policies show to {which}.", named(teams))
}

fn on_call_effect(name: &str, lead: bool) -> String {
    if lead {
        format!("{name} may break the glass.")
    } else {
        format!("It takes effect only while {name} is a lead.")
    }
}

async fn change(operator: &Operator, name: &str, change: PersonChange) -> Result<(), CliError> {
    let done = operator.change_person(&Actor::CommandLine, name, &change).await;
    done.map_err(|error| unknown(error, "person", name))
}

/// The teams of a person, once they are those that are named, or none.
async fn teams_of(
    operator: &Operator,
    name: &str,
    (teams, none): (Vec<String>, bool),
) -> Result<BTreeSet<String>, CliError> {
    if none || !teams.is_empty() {
        change(operator, name, PersonChange::Teams(teams)).await?;
    }
    let person = operator.person(name).await;
    Ok(person.map_err(|error| unknown(error, "person", name))?.teams)
}

async fn list_people(out: Out, operator: &Operator) -> Result<(), CliError> {
    let (people, sessions) = (operator.people().await?, operator.sessions().await?);
    let sessions = |person: &Person| sessions.get(&person.id).copied().unwrap_or(0);
    let row = |person: &Person| {
        vec![
            person.name.clone(),
            person.role.name().to_owned(),
            named(&person.teams),
            if person.on_call { "yes" } else { "no" }.to_owned(),
            person.mail.clone().unwrap_or_else(|| "none".to_owned()),
            sessions(person).to_string(),
            person.state().to_owned(),
        ]
    };
    let rows: Vec<_> = people.iter().map(row).collect();
    let head = ["person", "role", "teams", "on call", "mail", "sessions", "state"];
    Ok(out.table(&head, &rows, || {
        let value = |person: &Person| {
            json!({
                "person": person.name,
                "role": person.role.name(),
                "teams": person.teams,
                "on_call": person.on_call,
                "mail": person.mail,
                "sessions": sessions(person),
                "disabled": person.disabled,
                "suspended": person.suspended,
                "must_change_password": person.must_change_password,
            })
        };
        people.iter().map(value).collect()
    })?)
}

/// Names with commas between, or `none`.
fn named(teams: &BTreeSet<String>) -> String {
    if teams.is_empty() {
        return "none".to_owned();
    }
    teams.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
