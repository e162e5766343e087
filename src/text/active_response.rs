//! What is active already, and what another command would do to it, in words.

use crate::domain::{
    Time,
    action::ActionKind,
    active_response::{AlreadyActive, Forecast},
};

/// Who is behind a response that no request of ours is behind.
pub(crate) const RULE_RESPONSE: &str = "Wazuh's own active response";

/// When something ends, after a subject: "ends 2026-11-28 10:40:00 UTC".
pub(crate) fn end_text(ends: Option<Time>) -> String {
    ends.map_or_else(|| "does not end by itself".to_owned(), |at| format!("ends {}", moment(at)))
}

/// What a response leaves behind, as an adjective: "blocked".
pub(crate) fn condition(kind: ActionKind) -> &'static str {
    &kind.entry().state
}

/// Until when something lasts: "until 2026-11-28 10:40:00 UTC".
pub(crate) fn until_text(ends: Option<Time>) -> String {
    ends.map_or_else(|| "until somebody undoes it".to_owned(), |at| format!("until {}", moment(at)))
}

/// Whether sending a request would end earlier what others decided.
pub(crate) fn cuts_short(met: &AlreadyActive) -> bool {
    match met.forecast {
        Some(Forecast::ReplacesTimer { from, to }) => to < from,
        Some(Forecast::EndsPermanent { .. }) => true,
        Some(
            Forecast::AddsRule
            | Forecast::ChangesNothing
            | Forecast::EndsWithTimer { .. }
            | Forecast::MeetsRuleResponse
            | Forecast::DoesNotStart { .. },
        )
        | None => false,
    }
}

/// What sending a request would do to what it meets, after "it": "replaces that timer: …".
pub(crate) fn effect_text(met: &AlreadyActive) -> String {
    let Some(forecast) = met.forecast else {
        return "lifts this with what it is for".to_owned();
    };
    let effect = forecast_text(forecast);
    match met.rule_response {
        Some(_) if forecast != Forecast::MeetsRuleResponse => {
            format!("{effect}. {RULE_RESPONSE} is active there too: it may end that one early")
        }
        Some(_) | None => effect,
    }
}

fn forecast_text(forecast: Forecast) -> String {
    match forecast {
        Forecast::ReplacesTimer { from, to } => {
            let than = if to < from { "earlier" } else { "later" };
            format!(
                "replaces that timer: it then ends {}, {than} than {}",
                moment(to),
                moment(from)
            )
        }
        Forecast::AddsRule => {
            "adds a rule beside the one that is there; neither ends the other".to_owned()
        }
        Forecast::ChangesNothing => "changes nothing".to_owned(),
        Forecast::EndsWithTimer { at } => {
            format!("does not prolong it: the timer that runs ends both at {}", moment(at))
        }
        Forecast::EndsPermanent { at } => {
            format!("sets a timer that ends both at {}", moment(at))
        }
        Forecast::MeetsRuleResponse => {
            format!("may replace the timer of {RULE_RESPONSE}, whose end nobody knows")
        }
        Forecast::DoesNotStart { until } => format!(
            "does nothing: an undo removed the rule, but the endpoint's timer for it runs until {}",
            moment(until)
        ),
    }
}

/// What is active on an endpoint already, in one sentence without names from outside: "It is
/// already blocked on 001 until …; sending this replaces that timer: …".
pub(crate) fn already_text(kind: ActionKind, met: &AlreadyActive) -> String {
    let (on, effect) = (&met.endpoint, effect_text(met));
    if let (Some(since), true) = (met.rule_response, met.rests_on.is_empty()) {
        let (condition, since) = (condition(kind), moment(since));
        return format!(
            "It is already {condition} on {on} by {RULE_RESPONSE} since {since}; nobody knows until \
             when. Sending this may replace its timer."
        );
    }
    if met.rests_on.is_empty() {
        return format!("On {on} sending this {effect}.");
    }
    let perhaps = if met.rests_on.iter().any(|one| one.certain) { "" } else { "perhaps " };
    let (condition, until) = (condition(kind), until_text(met.ends));
    if met.forecast.is_none() {
        return format!("On {on} it also lifts what other requests {perhaps}{condition} {until}.");
    }
    format!("It is {perhaps}already {condition} on {on} {until}; sending this {effect}.")
}

/// A moment in UTC, to the second.
fn moment(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
