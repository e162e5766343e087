//! The first set-up: configuration, policies, and the first admin where a password can be given.

use std::{
    fs::{self, DirBuilder},
    io::IsTerminal as _,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::{CliError, files::new_file, out::Out, password::PasswordFrom};
use crate::{
    broker::admin::{operator::Operator, people::NewPerson},
    clock::Clock,
    config,
    domain::actor::{Actor, Role},
    policy::write_starter_policies,
    store::Store,
    trusted_file,
};

/// The first set-up.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder; made where it is missing.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The name of the first admin.
    #[arg(long, default_value = "admin")]
    admin: String,
    #[command(flatten)]
    password: PasswordFrom,
}

/// Makes the database, with the first admin where somebody is there to ask. Where that fails, it
/// leaves none that was not there before.
async fn new_database(init: &Init, asks: bool) -> Result<(), CliError> {
    let folder = &init.folder;
    let unsafe_folder =
        |why| CliError::Failed(format!("cannot set up in {}: {why}", folder.display()));
    trusted_file::check_writers(folder).map_err(unsafe_folder)?;
    let database = folder.join("countersign.db");
    let there = database.exists();
    let operator = Operator::new(Store::open(&database).await?, Clock::system());
    let done = first_admin(init, &operator, asks).await;
    operator.close().await;
    if done.is_err() && !there {
        fs::remove_file(&database)?;
    }
    done
}

async fn first_admin(init: &Init, operator: &Operator, asks: bool) -> Result<(), CliError> {
    if !operator.people().await?.is_empty() {
        return Err(CliError::Failed(format!(
            "{} is set up already: its database knows people; nothing was changed",
            init.folder.display()
        )));
    }
    if asks {
        let (password, role) = (init.password.read()?, Role::Admin);
        let (name, password) = (init.admin.as_str(), password.as_str());
        let admin = NewPerson { name, role, password, must_change: false, mail: None, teams: &[] };
        operator.add_person(&Actor::CommandLine, admin).await?;
    }
    Ok(())
}

pub(super) async fn init(out: Out, init: Init) -> Result<(), CliError> {
    let folder = &init.folder;
    let failed = |what: &Path, error: std::io::Error| {
        CliError::Failed(format!("cannot write {}: {error}", what.display()))
    };
    let there = folder.exists();
    // With any umask: nobody else may write what decides.
    let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
    made.map_err(|error| failed(folder, error))?;
    // Nobody there to ask: the server's set-up page asks instead.
    let asks = init.password.has_file() || std::io::stdin().is_terminal();
    if let Err(error) = new_database(&init, asks).await {
        // One that was not there before holds nothing now.
        let _kept = there || fs::remove_dir(folder).is_err();
        return Err(error);
    }
    let configuration = folder.join("countersign.toml");
    new_file(&configuration, config::TEMPLATE).map_err(|error| failed(&configuration, error))?;
    for name in ["manager.password", "indexer.password"] {
        let file = folder.join(name);
        new_file(&file, "").map_err(|error| failed(&file, error))?;
    }
    let policies = folder.join("policies");
    if !policies.exists() {
        write_starter_policies(&policies).map_err(|error| failed(&policies, error))?;
    }
    // Somebody added before would shut the set-up page, and nobody would be an admin.
    let next = if asks {
        "3. countersign person add NAME --role analyst\n\
         4. countersign agent add NAME --owner PERSON\n\
         5. countersign doctor\n\
         6. countersign serve"
    } else {
        "3. countersign doctor\n\
         4. countersign serve: it prints where the first admin is made, and a one-time code; people \
         and agents are added after that"
    };
    let text = format!(
        "Set up in {}. Next, there:\n\
         1. write the manager's address, user and certificate into countersign.toml, its password \
         into manager.password\n\
         2. say in [criticality] how much hangs on the endpoints of your groups, and in [protected] what \
         must never be blocked\n{next}",
        folder.display()
    );
    let admin = asks.then_some(init.admin);
    Ok(out.lines(
        text.lines(),
        || json!({ "folder": folder.display().to_string(), "admin": admin }),
    )?)
}
