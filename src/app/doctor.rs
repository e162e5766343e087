//! What works, what does not, what to do. It reads and asks; it never sends a response.

use std::{collections::BTreeMap, fmt::Display, path::Path};

use super::{only_ours, settings};
use crate::{
    broker::{keeper::Keeper, policies::load_and_test},
    clock::Clock,
    config::Config,
    connector::Connector,
    domain::{
        Time,
        action::{Action, ActionKind, Term, counted},
        endpoint::{Inventory, Selection},
    },
    store::Store,
};

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// What was found.
    pub found: String,
    /// What to do; none where all is well.
    pub advice: Option<&'static str>,
}

impl Finding {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, found: found.into(), advice: None }
    }

    fn bad(check: &'static str, found: &dyn Display, advice: &'static str) -> Self {
        Self { check, found: found.to_string(), advice: Some(advice) }
    }

    fn of(check: &'static str, found: Result<String, impl Display>, advice: &'static str) -> Self {
        match found {
            Ok(found) => Self::good(check, found),
            Err(problem) => Self::bad(check, &problem, advice),
        }
    }
}

/// Looks at everything that a configuration names, from the inside out.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let clock = Clock::system();
    let mut findings = vec![Finding::good("configuration", "it can be read")];
    for file in config.private_files() {
        if let Err(error) = only_ours(file) {
            findings.push(Finding::bad("files", &error, "make them readable by their owner alone"));
        }
    }
    findings.push(database(&config.server.database, &clock).await);
    findings.push(policies(&config.server.policies));
    let connector = settings::connector(config)
        .map_err(|error| error.to_string())
        .and_then(|settings| Connector::new(settings).map_err(|error| error.to_string()));
    match connector {
        Ok(connector) => manager(&connector, clock.now(), &mut findings).await,
        Err(error) => {
            findings.push(Finding::bad("manager", &error, "mend that part of the configuration"));
        }
    }
    findings
}

async fn database(path: &Path, clock: &Clock) -> Finding {
    const ADVICE: &str = "run `countersign init`; if it is there, look at its rights and the disk";
    if !path.exists() {
        return Finding::bad("database", &format!("{} does not exist", path.display()), ADVICE);
    }
    let looked = async {
        let keeper = Keeper::new(Store::open(path).await?, clock.clone());
        let (people, agents) = (keeper.people().await?, keeper.agents().await?);
        Ok::<_, super::AppError>((people, agents, keeper.verify_audit().await?))
    };
    let (people, agents, audit) = match looked.await {
        Ok(found) => found,
        Err(error) => return Finding::bad("database", &error, ADVICE),
    };
    if let Some((seq, why)) = audit.broken {
        let found = format!("audit entry {seq} is bad: {why}");
        return Finding::bad("database", &found, "find out who wrote to the file");
    }
    let voters = people.iter().filter(|p| !p.disabled && p.role.vote_rank().is_some()).count();
    let active = agents.iter().filter(|agent| !agent.revoked).count();
    let found = format!(
        "{} sound; {}; {}",
        counted(audit.rows, "audit row"),
        counted(u64::try_from(voters).unwrap_or(0), "voter"),
        counted(u64::try_from(active).unwrap_or(0), "agent"),
    );
    if voters < 2 {
        return Finding::bad("database", &found, "add people: an agent's owner never approves");
    }
    Finding::good("database", found)
}

fn policies(folder: &Path) -> Finding {
    let found = load_and_test(folder).map(|engine| {
        let count = counted(u64::try_from(engine.policies().len()).unwrap_or(0), "rule");
        format!("{count}, all cases pass; the set is {}", engine.hash().prefix())
    });
    Finding::of("policies", found, "mend the file that is named")
}

async fn manager(connector: &Connector, now: Time, findings: &mut Vec<Finding>) {
    let info = match connector.probe(now).await {
        Ok(info) => info,
        Err(error) => {
            let advice = "address, certificate or login: the text says which";
            findings.push(Finding::bad("manager", &error, advice));
            return;
        }
    };
    let found = format!("{info}, at {}", connector.url());
    findings.push(if info.takes_responses() {
        Finding::good("manager", found)
    } else {
        let advice = "Wazuh 4.2 to 4.14 takes responses over its API; 5.x does not";
        Finding::bad("manager", &found, advice)
    });
    for kind in ActionKind::RESPONSES {
        findings.push(reach(connector, kind, now).await);
    }
    findings.push(indexer(connector).await);
}

/// A target that exists nowhere: the questions below need one.
fn nobody(kind: ActionKind) -> Option<Action> {
    let argument = match kind {
        ActionKind::BlockIp | ActionKind::UnblockIp => "203.0.113.1",
        ActionKind::DisableAccount | ActionKind::EnableAccount => "nobody",
    };
    Action::parse(kind, argument).ok()
}

async fn reach(connector: &Connector, kind: ActionKind, now: Time) -> Finding {
    let check = kind.name();
    let advice = "give the API user the policies agents_read and agents_commands";
    let Some(action) = nobody(kind) else {
        return Finding::bad(check, &"no sound example", advice);
    };
    match connector.resolve(&Selection::All, &action, Term::Permanent, now).await {
        Err(error) => Finding::bad(check, &error, advice),
        Ok(inventory) => {
            let timed = connector.durations(kind);
            let seconds = timed.iter().map(|(platform, all)| {
                let all: Vec<_> = all.iter().map(u32::to_string).collect();
                format!("{} {}", platform.name(), all.join(", "))
            });
            let seconds = seconds.collect::<Vec<_>>().join("; ");
            let found = format!("{}; seconds configured: {seconds}", sum(&inventory));
            if timed.is_empty() {
                let advice =
                    "name timed commands in the configuration, or only permanent ones work";
                return Finding::bad(check, &format!("{found}none"), advice);
            }
            Finding::good(check, found)
        }
    }
}

/// How many endpoints can be reached, and why the others are left out.
fn sum(inventory: &Inventory) -> String {
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in inventory.candidates.iter().filter_map(|c| c.command.as_ref().err()) {
        *skipped.entry(reason.code()).or_default() += 1;
    }
    let all = inventory.candidates.len();
    let reached = all - skipped.values().sum::<usize>();
    let skipped: Vec<_> = skipped.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let left_out = if skipped.is_empty() {
        String::new()
    } else {
        format!("; left out: {}", skipped.join(", "))
    };
    format!("{reached} of {all} endpoints can be reached{left_out}")
}

async fn indexer(connector: &Connector) -> Finding {
    let advice = "without an indexer that answers nothing ever runs without people";
    Finding::of("indexer", connector.probe_indexer().await, advice)
}
