//! Whether the certificate on disk can be used, and for how long.

use chrono::TimeDelta;

use crate::{
    app::certificate::CertificateFiles,
    config::Config,
    connector::Diagnosis,
    domain::{Time, clock_jump::span},
};

const CHECK: &str = "certificate";
/// Who renews by themselves do so earlier.
const NEAR: TimeDelta = TimeDelta::days(14);

/// None where none is configured.
pub(super) fn certificate(config: &Config, now: Time) -> Option<Diagnosis> {
    const CORRECT: &str =
        "correct the files; a broker that runs goes on with the certificate it has";
    const RENEW: &str = "renew it; a broker that runs takes the new one by itself";
    let usable = match CertificateFiles::of(config)?.load() {
        Ok(usable) => usable,
        Err(error) => return Some(Diagnosis::bad(CHECK, error.to_string(), CORRECT)),
    };
    let (begins, ends) = usable.valid;
    let day = ends.format("%Y-%m-%d");
    Some(if now < begins {
        Diagnosis::bad(CHECK, format!("it is not valid before {begins}"), CORRECT)
    } else if now >= ends {
        Diagnosis::bad(CHECK, format!("it ended on {day}"), RENEW)
    } else if ends - now < NEAR {
        let found = format!("it ends on {day}, in {}", span(ends - now));
        Diagnosis::bad(CHECK, found, RENEW)
    } else {
        Diagnosis::good(CHECK, format!("it is valid until {day}"))
    })
}
