//! Reads about rules and decoders: only those for Countersign's own scripts are ever there. Source:
//! `framework/wazuh/rule.py` and `decoder.py`. There are no captures.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::Simulator;
use crate::api::answer::{Answer, Outcome, Sentences};
use crate::api::login::Session;
use crate::api::params::Params;

/// `GET /rules` with `rule_ids`: ids that do not exist become failed items.
pub(crate) async fn rules(
    State(sim): State<Simulator>,
    session: Session,
    params: Params,
) -> Answer {
    params.only(&["rule_ids", "select", "limit", "offset"])?;
    session.require("rules:read")?;
    let installed = sim.world().settings.companion_rules;
    let shown = |id: String| json!({"id": id.parse::<u32>().unwrap_or(0), "status": "enabled"});
    let named = params.list("rule_ids").unwrap_or_default();
    let ours = named.into_iter().filter(|id| installed && id.starts_with("1177")).map(shown);
    Ok(listed(ours.collect()))
}

/// `GET /decoders` with `decoder_names`.
pub(crate) async fn decoders(
    State(sim): State<Simulator>,
    session: Session,
    params: Params,
) -> Answer {
    params.only(&["decoder_names", "select", "limit", "offset"])?;
    session.require("decoders:read")?;
    let installed = sim.world().settings.companion_rules;
    let named = params.list("decoder_names").unwrap_or_default();
    let ours = named.into_iter().filter(|name| installed && name == "countersign");
    Ok(listed(ours.map(|name| json!({"name": name, "status": "enabled"})).collect()))
}

fn listed(items: Vec<Value>) -> Json<Value> {
    let sentence = "All selected items were returned";
    Json(Outcome::of(items).shown(&Sentences(sentence, sentence, "No item was returned")))
}
