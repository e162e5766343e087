//! Agents and, in a file of their own, people: kept from the command line by whoever may read the data.

mod people;

use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};

pub(super) use self::people::{PersonCommand, person};
use super::{CliError, files::must_exist, out::Out};
use crate::{
    broker::{
        BrokerError,
        admin::{agents::NewAgent, operator::Operator},
    },
    clock::Clock,
    config::Config,
    domain::{
        action::{ActionKind, Catalogue, names},
        actor::{Actor, Agent},
        proposal::InvalidField,
        public_url::PublicUrl,
    },
    store::Store,
    text::agent_setup::client_setups,
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
        /// What it may ask for, such as `block_ip`; `block_ip` and `disable_account` where none is named.
        #[arg(long = "scope", value_name = "RESPONSE")]
        scopes: Vec<String>,
    },
    /// List the agents.
    List,
    /// Set what an agent may ask for.
    Scopes {
        /// The agent's name.
        name: String,
        /// What it may ask for, such as `block_ip`.
        #[arg(required = true, value_name = "RESPONSE")]
        scopes: Vec<String>,
    },
    /// Give an agent a new token, shown once; the old one opens nothing any more.
    Rotate {
        /// The agent's name.
        name: String,
    },
    /// Revoke an agent's token, at once.
    Revoke {
        /// The agent's name.
        name: String,
    },
}

/// Does something as the operator of the configured database, and leaves that as one whole file.
pub(super) async fn with_operator<T>(
    config: &Path,
    work: impl AsyncFnOnce(&Operator) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let config = Config::load(config, std::env::vars())?;
    must_exist(&config.server.database)?;
    let operator = Operator::new(Store::open(&config.server.database).await?, Clock::system());
    let done = work(&operator).await;
    operator.close().await;
    done
}

/// The operator of the configured database, for reading alone.
pub(super) async fn reader(config: &Path) -> Result<Operator, CliError> {
    let config = Config::load(config, std::env::vars())?;
    must_exist(&config.server.database)?;
    let store = Store::read(&config.server.database).await?;
    Ok(Operator::new(store, Clock::system()))
}

/// Responses by their names.
fn responses(catalogue: &Catalogue, wanted: &[String]) -> Result<Vec<ActionKind>, BrokerError> {
    let known = catalogue.responses();
    let named = |name: &String| {
        let named = known.iter().copied().find(|kind| kind.name() == name);
        named.ok_or_else(|| InvalidField {
            field: "scope".to_owned(),
            problem: format!("`{name}` is no response of the active set"),
            allowed: format!(
                "{}; what a file adds, once `countersign policy activate` or the first start made it \
                 active",
                names(known)
            ),
        })
    };
    Ok(wanted.iter().map(named).collect::<Result<_, _>>()?)
}

pub(super) async fn agent(out: Out, config: &Path, command: AgentCommand) -> Result<(), CliError> {
    if matches!(command, AgentCommand::List) {
        return list_agents(out, &reader(config).await?).await;
    }
    let url = Config::load(config, std::env::vars())?.server.public_url;
    with_operator(config, async |operator| agent_command(out, operator, command, &url).await).await
}

async fn agent_command(
    out: Out,
    operator: &Operator,
    command: AgentCommand,
    url: &PublicUrl,
) -> Result<(), CliError> {
    let me = Actor::CommandLine;
    match command {
        AgentCommand::Add { name, owner, scopes } => {
            let catalogue = operator.catalogue().await?;
            let scopes = match scopes.as_slice() {
                [] => catalogue.usual(),
                some => responses(&catalogue, some)?,
            };
            show_token(out, &operator.add_agent(&me, &name, &owner, &scopes).await?, url)?;
        }
        AgentCommand::List => list_agents(out, operator).await?,
        AgentCommand::Scopes { name, scopes } => {
            let scopes = responses(&operator.catalogue().await?, &scopes)?;
            let done = operator.set_scopes(&me, &name, &scopes).await;
            done.map_err(|error| unknown(error, "agent", &name))?;
            let scopes: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
            let text = format!("{name} may ask for {}.", scopes.join(", "));
            out.say(&text, || json!({ "agent": name, "scopes": scopes }))?;
        }
        AgentCommand::Rotate { name } => {
            let new = operator.rotate_agent(&me, &name).await;
            show_token(out, &new.map_err(|error| unknown(error, "agent", &name))?, url)?;
        }
        AgentCommand::Revoke { name } => {
            let done = operator.revoke_agent(&me, &name).await;
            done.map_err(|error| unknown(error, "agent", &name))?;
            let text = format!("The token of {name} opens nothing any more.");
            out.say(&text, || json!({ "agent": name, "token": "revoked" }))?;
        }
    }
    Ok(())
}

/// The token, and what clients are told with it, ready to be pasted.
fn show_token(out: Out, new: &NewAgent, url: &PublicUrl) -> Result<(), CliError> {
    let setups = client_setups(url, &new.token);
    let mut text = format!(
        "{}\n\nThis token is shown once and stored hashed. \
         Put it into the configuration of the agent's client.",
        new.token
    );
    for setup in &setups {
        text = format!("{text}\n\n{}:\n\n{}", setup.place, setup.text);
    }
    let clients = || setups.iter().map(|one| (one.key.to_owned(), one.text.clone().into()));
    Ok(out.lines(text.lines(), || {
        let clients: serde_json::Map<String, Value> = clients().collect();
        json!({ "agent": new.agent.name, "token": new.token, "clients": clients })
    })?)
}

async fn list_agents(out: Out, operator: &Operator) -> Result<(), CliError> {
    let (people, agents) = (operator.people().await?, operator.agents().await?);
    let name = |id| people.iter().find(|p| p.id == id).map_or("", |p| p.name.as_str());
    let issuer = |agent: &Agent| agent.issuer.map_or("command line", name).to_owned();
    let state = |agent: &Agent| if agent.revoked { "revoked" } else { "active" };
    let scopes = |agent: &Agent| agent.scopes.iter().map(|kind| kind.name()).collect::<Vec<_>>();
    let row = |agent: &Agent| {
        vec![
            agent.name.clone(),
            name(agent.owner).to_owned(),
            scopes(agent).join(","),
            agent.issued_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            issuer(agent),
            state(agent).to_owned(),
        ]
    };
    let rows: Vec<_> = agents.iter().map(row).collect();
    let head = ["agent", "owner", "may ask for", "issued", "by", "token"];
    Ok(out.table(&head, &rows, || {
        let value = |agent: &Agent| {
            json!({
                "agent": agent.name,
                "owner": name(agent.owner),
                "scopes": scopes(agent),
                "issued_at": agent.issued_at.to_rfc3339(),
                "issued_by": issuer(agent),
                "token": state(agent),
            })
        };
        agents.iter().map(value).collect()
    })?)
}

/// "not found" says what was looked for.
fn unknown(error: BrokerError, what: &str, name: &str) -> CliError {
    if matches!(error, BrokerError::NotFound) {
        return CliError::Use(format!("there is no {what} `{name}`"));
    }
    error.into()
}
