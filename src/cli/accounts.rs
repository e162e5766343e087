//! People and agents, kept from the command line by whoever may read the data.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Failure, out::Out, set_up};
use crate::{
    broker::keeper::{Keeper, NewPerson},
    clock::Clock,
    config::Config,
    domain::actor::{Actor, Role},
    store::Store,
};

#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// Add an agent; its token is shown once.
    Add {
        /// The name that people see.
        name: String,
        /// The person who answers for it, and never approves for it.
        #[arg(long)]
        owner: String,
    },
    /// List the agents.
    List,
    /// Revoke an agent's token, at once.
    Revoke {
        /// The agent's name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PersonCommand {
    /// Add a person; the password must be changed at the first sign-in.
    Add {
        /// The name to sign in with.
        name: String,
        /// analyst, senior, lead, auditor or admin.
        #[arg(long)]
        role: Role,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// List the people.
    List,
    /// Disable a person: no sign-in, and votes count no longer.
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

/// Where a password comes from: a file, or the keyboard without echo. Never an argument, which
/// other users of the machine could see.
#[derive(Debug, Args)]
pub(super) struct PasswordFrom {
    /// A file that holds the password; without it you are asked.
    #[arg(long)]
    password_file: Option<PathBuf>,
}

impl PasswordFrom {
    pub(super) fn read(&self) -> Result<String, Failure> {
        if let Some(file) = &self.password_file {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::Use(format!("--password-file {}: {error}", file.display()))
            })?;
            return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
        }
        let ask = |prompt: &str| {
            rpassword::prompt_password(prompt).map_err(|error| {
                Failure::Use(format!(
                    "cannot ask for a password here ({error}); use --password-file"
                ))
            })
        };
        let password = ask("Password: ")?;
        if ask("Once more: ")? != password {
            return Err(Failure::Use("the two passwords differ".to_owned()));
        }
        Ok(password)
    }
}

/// The keeper of the configured database.
pub(super) async fn keeper(config: &Path) -> Result<Keeper, Failure> {
    let config = Config::load(config, std::env::vars())?;
    set_up::must_exist(&config.server.database)?;
    let store = Store::open(&config.server.database).await?;
    Ok(Keeper::new(store, Clock::system()))
}

pub(super) async fn agent(out: Out, config: &Path, command: AgentCommand) -> Result<(), Failure> {
    let keeper = keeper(config).await?;
    match command {
        AgentCommand::Add { name, owner } => {
            let new = keeper
                .add_agent(&Actor::CommandLine, &name, &owner)
                .await
                .map_err(|error| unknown(error, "person", &owner))?;
            let text = format!("{}\n\nThis token is shown once and stored hashed.", new.token);
            out.say(&text, || json!({ "agent": new.agent.name, "token": new.token }))?;
        }
        AgentCommand::List => {
            let people = keeper.people().await?;
            let owner = |id| people.iter().find(|p| p.id == id).map_or("", |p| p.name.as_str());
            let rows: Vec<_> = keeper
                .agents()
                .await?
                .iter()
                .map(|agent| {
                    let state = if agent.revoked { "revoked" } else { "active" };
                    vec![agent.name.clone(), owner(agent.owner).to_owned(), state.to_owned()]
                })
                .collect();
            out.table(&["agent", "owner", "token"], &rows, || {
                rows.iter()
                    .map(|row| {
                        let named = ["agent", "owner", "token"].into_iter().zip(row);
                        named.map(|(name, cell)| (name.to_owned(), json!(cell))).collect::<Value>()
                    })
                    .collect()
            })?;
        }
        AgentCommand::Revoke { name } => {
            keeper
                .revoke_agent(&Actor::CommandLine, &name)
                .await
                .map_err(|error| unknown(error, "agent", &name))?;
            out.say(
                &format!("The token of {name} opens nothing any more."),
                || json!({ "agent": name, "token": "revoked" }),
            )?;
        }
    }
    Ok(())
}

pub(super) async fn person(out: Out, config: &Path, command: PersonCommand) -> Result<(), Failure> {
    let keeper = keeper(config).await?;
    let me = Actor::CommandLine;
    match command {
        PersonCommand::Add { name, role, password } => {
            let password = password.read()?;
            let new = NewPerson { name: &name, role, password: &password, must_change: true };
            keeper.add_person(&me, new).await?;
            let text = format!("{name} may sign in and must change the password first.");
            out.say(&text, || json!({ "person": name, "role": role.name() }))?;
        }
        PersonCommand::List => list_people(out, &keeper).await?,
        PersonCommand::Disable { name } => {
            let done = keeper.disable_person(&me, &name).await;
            done.map_err(|error| unknown(error, "person", &name))?;
            let text = format!("{name} can no longer sign in, and votes no longer count.");
            out.say(&text, || json!({ "person": name, "disabled": true }))?;
        }
        PersonCommand::Password { name, password } => {
            let done = keeper.reset_password(&me, &name, &password.read()?).await;
            done.map_err(|error| unknown(error, "person", &name))?;
            let text = format!("{name} must change the password at the next sign-in.");
            out.say(&text, || json!({ "person": name, "must_change_password": true }))?;
        }
    }
    Ok(())
}

async fn list_people(out: Out, keeper: &Keeper) -> Result<(), Failure> {
    let people = keeper.people().await?;
    let rows: Vec<_> = people
        .iter()
        .map(|person| {
            let state = match (person.disabled, person.must_change_password) {
                (true, _) => "disabled",
                (false, true) => "must change the password",
                (false, false) => "active",
            };
            vec![person.name.clone(), person.role.name().to_owned(), state.to_owned()]
        })
        .collect();
    Ok(out.table(&["person", "role", "state"], &rows, || {
        people
            .iter()
            .map(|person| {
                json!({
                    "person": person.name,
                    "role": person.role.name(),
                    "disabled": person.disabled,
                    "must_change_password": person.must_change_password,
                })
            })
            .collect()
    })?)
}

/// "not found" says what was looked for.
fn unknown(error: crate::broker::BrokerError, what: &str, name: &str) -> Failure {
    if matches!(error, crate::broker::BrokerError::NotFound) {
        return Failure::Use(format!("there is no {what} `{name}`"));
    }
    error.into()
}
