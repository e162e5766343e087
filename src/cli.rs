//! The command line. Exit codes: 0 done, 1 failed, 2 wrong use.

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    app::AppError, broker::BrokerError, config::ConfigError, connector::ConnectorError,
    policy::PolicyError, store::StoreError,
};

mod accounts;
mod audit;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod files;
mod kill_switch;
mod logging;
mod notify;
mod out;
mod password;
mod policy;
mod recover;
mod serve;
mod set_up;
mod stdio;

/// A policy-gated response broker with human approval for Wazuh.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, arg_required_else_help = true)]
struct CommandLine {
    /// The configuration file.
    #[arg(long, global = true, env = "COUNTERSIGN_CONFIG", default_value = "countersign.toml")]
    config: PathBuf,
    /// Answer in JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    /// The form of the log on standard error.
    #[arg(long, global = true, env = "COUNTERSIGN_LOG_FORMAT", default_value = "text")]
    log_format: logging::LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole product on this machine: simulated manager, people, an agent that asks.
    #[cfg(feature = "demo")]
    Demo {
        /// Play the whole story, compare each step with what is expected, and end.
        #[arg(long)]
        once: bool,
    },
    /// Write a configuration, the starter policies and the first admin into a folder.
    Init(set_up::Init),
    /// Run the broker: MCP, page and worker.
    Serve,
    /// Relay MCP between standard input and output and the broker at `COUNTERSIGN_URL`.
    Stdio(stdio::Stdio),
    /// Say what works, what does not, and what to do. Sends no response.
    Doctor,
    /// Throw the kill switch: nothing is sent until two people release it.
    Freeze(kill_switch::KillSwitchArgs),
    /// Be one of the two who release the kill switch.
    Unfreeze(kill_switch::KillSwitchArgs),
    /// Take over a database that lacks what its high-water mark names: two people, no server.
    Recover(recover::RecoverArgs),
    /// The LLM clients and their tokens.
    #[command(subcommand)]
    Agent(accounts::AgentCommand),
    /// The people who sign in on the page.
    #[command(subcommand)]
    Person(accounts::PersonCommand),
    /// The policies.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// The channels by which people are told.
    #[command(subcommand)]
    Notify(notify::NotifyCommand),
    /// What was asked, decided, sent and seen.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Run the simulated Wazuh manager alone.
    #[cfg(feature = "demo")]
    SimulateWazuh(demo::Simulate),
}

impl Command {
    /// A server says what it does; a command that prints its result says only what is wrong.
    const fn log_level(&self) -> tracing::Level {
        if matches!(self, Self::Serve) { tracing::Level::INFO } else { tracing::Level::WARN }
    }
}

/// Why a command failed: a sentence, and the exit code that goes with it.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// It was used wrongly, or configured wrongly: exit code 2.
    #[error("{0}")]
    Use(String),
    /// It went wrong: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// It did what it should and the answer is no: exit code 1, all is said already.
    #[error("")]
    No,
    /// Nobody reads any more: not an error.
    #[error("")]
    Closed,
}

impl From<AppError> for CliError {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Config(error) => error.into(),
            AppError::Connector(error @ ConnectorError::Settings { .. }) => {
                Self::Use(error.to_string())
            }
            AppError::Policy(error) => error.into(),
            AppError::NotOurs { .. } | AppError::ActivePolicy(_) | AppError::Bridge(_) => {
                Self::Use(error.to_string())
            }
            AppError::Broker(error) => error.into(),
            AppError::Store(_) | AppError::Connector(_) | AppError::Io { .. } => {
                Self::Failed(error.to_string())
            }
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Use(format!("configuration: {error}"))
    }
}

impl From<PolicyError> for CliError {
    fn from(error: PolicyError) -> Self {
        Self::Use(format!("policies: {error}"))
    }
}

impl From<BrokerError> for CliError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Invalid(_) | BrokerError::WeakPassword | BrokerError::UsualPassword => {
                Self::Use(error.to_string())
            }
            BrokerError::Refused(_)
            | BrokerError::NotFound
            | BrokerError::SessionOver
            | BrokerError::TokenOver
            | BrokerError::ScopeMissing(_)
            | BrokerError::NotAllowed(_)
            | BrokerError::SignInRefused
            | BrokerError::SecondFactorMissing(_)
            | BrokerError::SignInThrottled(_)
            | BrokerError::PasswordsBusy
            | BrokerError::RateLimited(_)
            | BrokerError::Manager(_)
            | BrokerError::Policy(_)
            | BrokerError::ProviderUnavailable(_)
            | BrokerError::ProviderRefused(_)
            | BrokerError::Hashing(_)
            | BrokerError::Halted(_)
            | BrokerError::Store(_) => Self::Failed(error.to_string()),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        Self::Failed(error.to_string())
    }
}

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    let arguments = CommandLine::parse();
    if let Err(failure) = logging::start(arguments.log_format, arguments.command.log_level()) {
        return fail(&failure);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&CliError::Failed(error.to_string())),
    };
    let done = runtime.block_on(Box::pin(dispatch(arguments)));
    // A reader of standard input may still wait for a line that never comes.
    runtime.shutdown_background();
    match done {
        Ok(()) | Err(CliError::Closed) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

async fn dispatch(arguments: CommandLine) -> Result<(), CliError> {
    let out = out::Out { json: arguments.json };
    let config = arguments.config;
    match arguments.command {
        #[cfg(feature = "demo")]
        Command::Demo { once } => demo::demo(out, once).await,
        Command::Init(init) => set_up::init(out, init).await,
        Command::Serve => serve::serve(out, &config).await,
        Command::Stdio(stdio) => stdio::run(stdio).await,
        Command::Doctor => doctor::run(out, &config).await,
        Command::Freeze(because) => kill_switch::freeze(out, &config, &because).await,
        Command::Unfreeze(because) => kill_switch::unfreeze(out, &config, &because).await,
        Command::Recover(args) => recover::run(out, &config, args).await,
        Command::Agent(command) => accounts::agent(out, &config, command).await,
        Command::Person(command) => accounts::person(out, &config, command).await,
        Command::Policy(command) => policy::run(out, &config, command).await,
        Command::Notify(command) => notify::run(out, &config, command).await,
        Command::Audit(command) => audit::run(out, &config, command).await,
        #[cfg(feature = "demo")]
        Command::SimulateWazuh(simulate) => demo::simulate(out, &simulate).await,
    }
}

fn fail(failure: &CliError) -> ExitCode {
    let text = failure.to_string();
    if !text.is_empty() {
        out::tell_failure(&text);
    }
    match failure {
        CliError::Use(_) => ExitCode::from(2),
        CliError::Failed(_) | CliError::No | CliError::Closed => ExitCode::FAILURE,
    }
}
