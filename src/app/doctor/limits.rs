//! What strangers, proxies and agents may use up, and who may read the counts.

use super::CORRECT;
use crate::{
    app::{front_door::descriptors, settings},
    config::Config,
    connector::Diagnosis,
    web::Proxies,
};

pub(super) fn limits(config: &Config) -> Vec<Diagnosis> {
    let server = &config.server;
    let limits = (server.connections_max, server.connections_per_address_max);
    let mut found = vec![
        connections(limits, descriptors::raise()),
        proxies(&settings::proxies(config)),
        metrics(config),
    ];
    found.extend(metrics_port(config));
    found.extend(shares(config));
    found
}

/// The managers of which one agent may need more calls than its share: half of those for questions.
fn shares(config: &Config) -> Vec<Diagnosis> {
    let asks = u64::from(config.agents.asks_per_minute_max);
    let share = |calls: u16| u64::from(calls) * 3 / 8;
    let found = config.manager.iter().map(|(name, manager)| {
        let calls = share(manager.calls_per_minute_max);
        let found = format!(
            "an agent may ask {asks} times a minute, and for {calls} calls to the manager {name}"
        );
        if calls >= asks {
            return Diagnosis::good("limits", found);
        }
        let advice = "raise calls_per_minute_max of the manager, or lower asks_per_minute_max in \
                      [agents]: each ask takes at least one call";
        Diagnosis::bad("limits", found, advice)
    });
    found.collect()
}

/// Who may read the counts.
fn metrics(config: &Config) -> Diagnosis {
    match settings::metrics_token(config) {
        Ok(Some(_token)) => Diagnosis::good("metrics", "/metrics is open to whoever has the token"),
        Ok(None) => Diagnosis::good(
            "metrics",
            "/metrics is closed: server.metrics_token_file would open it to whoever has a token",
        ),
        Err(error) => Diagnosis::bad("metrics", error.to_string(), CORRECT),
    }
}

/// Who may read the counts without a token; none where there is no port for that.
fn metrics_port(config: &Config) -> Option<Diagnosis> {
    let metrics = config.metrics.as_ref()?;
    let found = format!("/metrics is open without a token at {}", metrics.listen);
    Some(if metrics.public {
        let advice = "whoever reaches that port reads the counts: let a firewall say who does";
        Diagnosis::note("metrics", found, advice)
    } else {
        Diagnosis::good("metrics", found)
    })
}

/// Whether this machine has the files for as many connections as the configuration lets in.
fn connections((wanted, per_address): (u16, u16), files: Option<u64>) -> Diagnosis {
    let (wanted, possible) = (usize::from(wanted), descriptors::for_connections(files));
    if wanted <= possible {
        let per_address = wanted.min(per_address.into());
        let found = format!("{wanted} at most, of one address {per_address}");
        return Diagnosis::good("connections", found);
    }
    let files = files.unwrap_or_default();
    let found = format!("{possible} at most, not {wanted}: only {files} files may be open");
    let advice = "raise the limit of open files (LimitNOFILE= of the unit, ulimit -n), or set \
                  server.connections_max lower";
    Diagnosis::bad("connections", found, advice)
}

/// Whether failed sign-ins can be counted by where they come from.
fn proxies(proxies: &Proxies) -> Diagnosis {
    const ADVICE: &str = "name your proxies in server.trusted_proxies, and let them set Forwarded or \
                          X-Forwarded-For";
    match (proxies.in_front, proxies.trusted.as_slice()) {
        (false, []) => Diagnosis::good("proxies", "none: failed sign-ins are limited by address"),
        (true, []) => {
            let found = "behind a proxy, and none is trusted: failed sign-ins are not limited";
            Diagnosis::bad("proxies", found, ADVICE)
        }
        (_, trusted) => {
            let listed: Vec<_> = trusted.iter().map(ToString::to_string).collect();
            Diagnosis::good("proxies", format!("trusted: {}", listed.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_files_for_connections_are_named() {
        assert_eq!(connections((2048, 1024), Some(524_288)).advice, None);
        let few = connections((2048, 1024), Some(1024));
        assert_eq!(few.found, "768 at most, not 2048: only 1024 files may be open");
        assert!(few.advice.is_some());
    }

    #[test]
    fn proxy_that_is_not_trusted_is_named() {
        let (none, trusted) = (Vec::new(), vec!["10.0.0.1/32".parse().unwrap()]);
        let advice = |in_front, trusted| proxies(&Proxies { in_front, trusted }).advice;
        assert_eq!(advice(false, none.clone()), None);
        assert!(advice(true, none).is_some());
        assert_eq!(advice(true, trusted), None);
    }
}
