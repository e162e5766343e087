//! What works, what does not, what to do. It reads and asks; it never sends a response.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
};

use super::{data_folder, notifications, only_ours, settings};
use crate::{
    broker::{
        admin::policies::{folder, kept_set, load_and_test},
        queries::system::security_review::{ReviewedSetup, security_review},
    },
    clock::Clock,
    config::{AlertFieldsConfig, Config},
    connector::{Connector, Network, SystemNetwork},
    domain::{
        action::{Action, Term, with_count},
        endpoint::Selection,
        len_u64,
    },
    policy::{Engine, PolicyFiles},
    store::{Store, StoreError},
};

mod approvals;
mod certificate;
mod clock;
mod database;
mod disk;
mod feeds;
mod limits;
mod provider;
mod running;

pub use crate::connector::Diagnosis;

/// What to do about a part of the configuration that cannot be used.
const CORRECT: &str = "correct that part of the configuration";
/// How many groups without a rating are named.
const GROUPS_SHOWN_MAX: usize = 20;

/// Looks at everything that a configuration names, from the inside out.
pub async fn examine(config: &Config) -> Vec<Diagnosis> {
    let clock = Clock::system();
    let mut findings = vec![Diagnosis::good("configuration", "it can be read")];
    for file in config.private_files() {
        if let Err(error) = only_ours(file) {
            let error = error.to_string();
            findings.push(Diagnosis::bad(
                "files",
                error,
                "make them readable by their owner alone",
            ));
        }
    }
    let database_file = &config.server.database;
    // Before it is opened.
    let served = Store::is_served(database_file);
    let store = Store::read(database_file).await;
    findings.push(match data_folder(database_file) {
        Ok(()) => Diagnosis::good("files", "nobody else may write the configuration and the data"),
        Err(error) => Diagnosis::bad("files", error.to_string(), "do what it says"),
    });
    findings.extend(stored(config, &store, &clock).await);
    let store = store.ok();
    findings.push(running::running(&config.server, served, store.as_ref(), &clock).await);
    findings.extend(certificate::certificate(config, clock.now()));
    findings.extend(policies(&config.server.policies));
    findings.extend(alert_fields(&config.alert_fields));
    findings.push(protected(config));
    findings.extend(limits::limits(config));
    findings.extend(provider::provider(config, store.as_ref(), &clock).await);
    findings.extend(notices(config).await);
    findings.extend(feeds::feeds(config).await);
    let managers = match settings::connectors(config, &clock) {
        Ok(managers) => managers,
        Err(error) => {
            findings.push(Diagnosis::bad("manager", error.to_string(), CORRECT));
            return findings;
        }
    };
    let several = managers.len() > 1;
    let mut hosts = BTreeSet::from([config.server.public_url.bare_host()]);
    hosts.extend(config.protected.addresses.iter().cloned());
    for settings in managers {
        let name = settings.name.clone();
        let mut found = match Connector::wazuh(settings) {
            Ok(connector) => {
                hosts.extend(connector.hosts());
                let mut found = connector.diagnose(clock.now()).await;
                found.extend(criticality(&connector, config, &clock).await);
                found
            }
            Err(error) => vec![Diagnosis::bad("manager", error.to_string(), CORRECT)],
        };
        for finding in found.iter_mut().filter(|_| several) {
            finding.found = format!("{name}: {}", finding.found);
        }
        findings.append(&mut found);
    }
    findings.push(own_addresses(&hosts, &SystemNetwork).await);
    findings
}

async fn notices(config: &Config) -> Vec<Diagnosis> {
    let channels = match notifications::channels(config) {
        Ok(channels) => channels,
        Err(error) => return vec![Diagnosis::bad("notices", error.to_string(), CORRECT)],
    };
    let mut findings = Vec::new();
    for channel in channels {
        findings.push(match channel.examine().await {
            Ok(found) => Diagnosis::good("notices", found),
            Err(why) => {
                let advice = "correct it, then run `countersign notify test`";
                Diagnosis::bad("notices", why, advice)
            }
        });
    }
    findings
}

/// Whether anything is protected that only people can know.
fn protected(config: &Config) -> Diagnosis {
    const ADVICE: &str = "name in [protected] your public networks, the addresses by which your \
                          sites go out, partners and proxies: nothing else keeps them from being \
                          blocked";
    let (networks, addresses) = (config.protected.networks.len(), config.protected.addresses.len());
    let found = format!(
        "{} and {} named",
        with_count(len_u64(networks), "own network"),
        with_count(len_u64(addresses), "host")
    );
    if networks + addresses > 0 {
        return Diagnosis::good("protected", found);
    }
    Diagnosis::bad("protected", found, ADVICE)
}

/// What the names of our hosts are looked up to, and what surrounds this machine.
async fn own_addresses(hosts: &BTreeSet<String>, network: &dyn Network) -> Diagnosis {
    let listed = |addresses: Vec<IpAddr>| {
        let addresses: BTreeSet<_> = addresses.iter().map(ToString::to_string).collect();
        addresses.into_iter().collect::<Vec<_>>().join(", ")
    };
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for host in hosts.iter().filter(|host| host.parse::<IpAddr>().is_err()) {
        match network.look_up(host).await {
            none if none.is_empty() => missing.push(host.as_str()),
            addresses => found.push(format!("{host} is {}", listed(addresses))),
        }
    }
    let neighbours = network.neighbours();
    found.push(if neighbours.is_empty() {
        "no gateway and no resolver of this machine is known".to_owned()
    } else {
        format!("gateways and resolvers: {}", listed(neighbours))
    });
    let found = found.join("; ");
    if missing.is_empty() {
        return Diagnosis::good("own addresses", found);
    }
    let advice = "correct the name or the resolver: as long as a name was never found, its address \
                  can be blocked";
    Diagnosis::bad("own addresses", format!("{} not found; {found}", missing.join(", ")), advice)
}

/// What the database tells, which is opened once, and its disk.
async fn stored(
    config: &Config,
    store: &Result<Store, StoreError>,
    clock: &Clock,
) -> Vec<Diagnosis> {
    let server = &config.server;
    let mut findings = vec![database::database(&server.database, store, clock).await];
    let store = store.as_ref().ok();
    findings.extend(database::high_water_mark(store, server.high_water_mark.as_deref()).await);
    findings.extend(disk::disk(&server.database));
    findings.extend(clock::clock(store, clock).await);
    let active = active_set(store).await;
    findings.extend(active_policies(active.as_ref(), &server.policies));
    let engine = active.and_then(|files| Engine::new(files).ok());
    let engine = engine.or_else(|| Engine::load(&server.policies).ok());
    findings.extend(approvals::approvals(store, engine.as_ref(), clock).await);
    findings.extend(review(config, store, engine.as_ref(), clock).await);
    findings
}

/// What a security review asks. Nothing where the database cannot be read, which is a finding of its own.
async fn review(
    config: &Config,
    store: Option<&Store>,
    engine: Option<&Engine>,
    clock: &Clock,
) -> Vec<Diagnosis> {
    let setup = ReviewedSetup {
        public_url: &config.server.public_url,
        provider: config.oidc.as_ref().map(|oidc| oidc.name.as_str()),
        local_people: config.oidc.as_ref().and_then(|oidc| oidc.local_people.as_ref()),
        engine,
    };
    let Some(store) = store else { return Vec::new() };
    let Ok(mut reader) = store.reader().await else { return Vec::new() };
    security_review(&mut reader, &setup, clock.now()).await.unwrap_or_default()
}

/// None where no set is active yet. A database that cannot be read is a finding of its own.
async fn active_set(store: Option<&Store>) -> Option<PolicyFiles> {
    kept_set(store?).await.ok()?
}

/// Which groups of a manager nobody rated. None where its endpoints cannot be read, which is a
/// finding of its own.
async fn criticality(connector: &Connector, config: &Config, clock: &Clock) -> Option<Diagnosis> {
    // Any target: the question needs one.
    let action = Action::any()?;
    let asked = connector.resolve(&Selection::All, &action, Term::Permanent, clock.now());
    let endpoints: Vec<_> =
        asked.await.ok()?.candidates.into_iter().map(|candidate| candidate.endpoint).collect();
    let rated = |group: &String| config.criticality.contains_key(group);
    let others: BTreeSet<_> = endpoints
        .iter()
        .flat_map(|endpoint| &endpoint.groups)
        .filter(|group| !rated(group))
        .collect();
    let (all, strict) =
        (endpoints.len(), endpoints.iter().filter(|one| !one.groups.iter().any(rated)).count());
    let mut found = match strict {
        0 => "every endpoint is in a group of [criticality]".to_owned(),
        _ => format!(
            "{strict} of {all} endpoints are in no group of [criticality], so they count as 5"
        ),
    };
    if !others.is_empty() {
        let shown: Vec<_> =
            others.iter().take(GROUPS_SHOWN_MAX).map(|name| name.as_str()).collect();
        let rest = match others.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        found = format!("{found}; groups not named there: {}{rest}", shown.join(", "));
    }
    Some(if strict > 0 && strict == all {
        Diagnosis::bad("criticality", found, "rate your groups in [criticality]")
    } else {
        Diagnosis::good("criticality", found)
    })
}

fn policies(folder: &Path) -> Vec<Diagnosis> {
    let engine = match load_and_test(folder) {
        Ok(engine) => engine,
        Err(error) => {
            let advice = "correct the file that is named";
            return vec![Diagnosis::bad("policies", error.to_string(), advice)];
        }
    };
    let count = engine.policies().len();
    let hash = engine.hash().prefix();
    let found = format!("{count} loaded, all cases pass; the set is {hash}");
    let loaded = match engine.notes().as_slice() {
        [] => Diagnosis::good("policies", found),
        notes => Diagnosis::bad("policies", found, notes.join("; ")),
    };
    std::iter::once(loaded).chain(left_out(&engine)).collect()
}

/// Whether the folder holds the active set. None where no set is active yet.
fn active_policies(active: Option<&PolicyFiles>, place: &Path) -> Option<Diagnosis> {
    const ADVICE: &str = "the active set stays: look at what differs on the page under Policy, or \
                          with `countersign policy activate`, and activate it there, or put the \
                          folder back";
    Some(match folder::differs(active?, place) {
        None => Diagnosis::good("policies", "the folder holds the active set"),
        Some(found) => Diagnosis::bad("policies", found, ADVICE),
    })
}

/// The policies that ship and that the folder lacks.
fn left_out(engine: &Engine) -> Option<Diagnosis> {
    let mut by_file: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (file, id) in engine.lacks() {
        by_file.entry(file).or_default().push(id);
    }
    let named: Vec<_> =
        by_file.iter().map(|(file, ids)| format!("{} ({file})", ids.join(", "))).collect();
    let found = format!("policies that ship and are not in the folder: {}", named.join("; "));
    let advice = "copy them from the folder that `countersign init` writes, unless you left them \
                  out on purpose";
    (!named.is_empty()).then(|| Diagnosis::bad("policies", found, advice))
}

/// What the configuration changes about the fields of alerts; none where it changes nothing. What
/// is wrong with it is a finding about the manager.
fn alert_fields(changes: &AlertFieldsConfig) -> Option<Diagnosis> {
    settings::alert_fields(changes).ok()?;
    let AlertFieldsConfig { addresses, accounts, peer } = changes;
    let lists = [("addresses", addresses), ("accounts", accounts)];
    let lists = lists.into_iter().filter(|(_, fields)| !fields.is_empty());
    let said: Vec<_> = lists
        .map(|(kind, fields)| {
            let fields: Vec<_> =
                fields.iter().map(|(field, form)| format!("{field} = {form}")).collect();
            format!("{kind}: {}", fields.join(", "))
        })
        .chain(peer.as_ref().map(|fields| format!("peer: {}", fields.join(", "))))
        .collect();
    let found = format!("other than those that ship: {}", said.join("; "));
    (!said.is_empty()).then(|| Diagnosis::good("alert fields", found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::BoxFuture;

    #[derive(Debug)]
    struct OneName;

    impl Network for OneName {
        fn look_up<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Vec<IpAddr>> {
            let known = name == "soc.example";
            let addresses = if known { vec![[45, 33, 32, 1].into()] } else { Vec::new() };
            Box::pin(std::future::ready(addresses))
        }

        fn neighbours(&self) -> Vec<IpAddr> {
            vec![[9, 9, 9, 9].into()]
        }
    }

    #[tokio::test]
    async fn names_that_are_not_found_are_listed() {
        let hosts = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect();
        let found = own_addresses(&hosts(&["soc.example", "192.0.2.1"]), &OneName).await;
        let known = "soc.example is 45.33.32.1; gateways and resolvers: 9.9.9.9";
        assert_eq!(found, Diagnosis::good("own addresses", known));
        let missing = own_addresses(&hosts(&["soc.example", "gone.example"]), &OneName).await;
        assert_eq!(missing.found, format!("gone.example not found; {known}"));
        assert!(missing.advice.is_some());
    }
}
