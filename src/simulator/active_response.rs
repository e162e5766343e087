//! `PUT /active-response`. Sources: `framework/wazuh/active_response.py` and
//! `framework/wazuh/core/active_response.py` of 4.14.7, captures 24-59, 67-74, 86-92.

use axum::Json;
use axum::extract::{Request, State};
use serde_json::Value;

use super::Simulator;
use super::answer::{AgentError, Outcome, Problem, Sentences};
use super::command::Command;
use super::endpoint::Status;
use super::fault::{Fault, Work};
use super::login::Session;
use super::params::Params;
use super::rights::Rights;
use super::world::{self, ENDPOINTS_PER_CALL_MAX, Received, World};

const ACTION: &str = "active-response:command";

const SENT: Sentences = Sentences(
    "AR command was sent to all agents",
    "AR command was not sent to some agents",
    "AR command was not sent to any agent",
);

/// The handler.
pub(super) async fn put(
    State(sim): State<Simulator>,
    session: Session,
    params: Params,
    request: Request,
) -> Result<Json<Value>, Problem> {
    params.only(&["agents_list"])?;
    let asked = params.ids()?;
    let twist = request.extensions().get::<Fault>().cloned();
    let command = Command::read(request).await?;
    let job = Job::plan(&mut sim.world(), &session.rights, asked, command, twist)?;
    let work = job.carry_out(sim.clone());
    let outcome = sim.in_worker(params.waits_for_completion(), work).await?;
    Ok(Json(outcome.shown(&SENT)))
}

/// A call that was accepted.
struct Job {
    /// Its place in the list of received calls.
    call: usize,
    command: Command,
    /// The endpoints to serve, in order.
    ids: Vec<String>,
    /// What is known before the work.
    outcome: Outcome,
    twist: Option<Fault>,
}

impl Job {
    /// Chooses the endpoints: permitted, known, not the manager, and no more than a page of the
    /// database. What is beyond the page is dropped without a word, as since 4.14.0.
    fn plan(
        world: &mut World,
        rights: &Rights,
        asked: Option<Vec<String>>,
        command: Command,
        twist: Option<Fault>,
    ) -> Result<Self, Problem> {
        let mut outcome = Outcome::default();
        let may = |id: &String| rights.allows_on(ACTION, id, world.endpoint(id));
        let mut ids: Vec<String> = match &asked {
            None => world.ids().into_iter().filter(may).collect(),
            Some(named) => {
                let mut named = named.clone();
                world::sort_ids(&mut named);
                named.dedup();
                let (allowed, denied): (Vec<_>, Vec<_>) = named.into_iter().partition(may);
                if allowed.is_empty() {
                    return Err(Problem::denied("agent:id"));
                }
                outcome.fail_all(AgentError::Denied, &denied);
                allowed
            }
        };
        ids.retain(|id| id != "000");
        let (mut ids, unknown): (Vec<_>, Vec<_>) =
            ids.into_iter().partition(|id| world.endpoint(id).is_some());
        outcome.fail_all(AgentError::Unknown, &unknown);
        ids.truncate(ENDPOINTS_PER_CALL_MAX);
        let call = world.received.len();
        world.received.push(Received {
            command: command.name.clone(),
            arguments: command.arguments.clone(),
            alert: command.alert.clone(),
            asked: asked.unwrap_or_default(),
            delivered: Vec::new(),
        });
        Ok(Self { call, command, ids, outcome, twist })
    }

    /// Serves one endpoint after the other.
    async fn carry_out(mut self, sim: Simulator) -> Outcome {
        if self.twist == Some(Fault::NothingAffected) {
            return Outcome::default();
        }
        for id in std::mem::take(&mut self.ids) {
            let left_out = match &self.twist {
                Some(Fault::LeaveOut(ids, work)) if ids.contains(&id) => Some(*work),
                Some(_) | None => None,
            };
            if left_out == Some(Work::NotDone) {
                continue;
            }
            let served = self.serve(&sim, &id).await;
            match (left_out, served) {
                (Some(_), _) => {}
                (None, Ok(())) => self.outcome.affected.push(Value::from(id)),
                (None, Err(error)) => self.outcome.fail(error, &id),
            }
        }
        self.outcome
    }

    /// Asks one endpoint for its configuration, and only then looks at the command.
    async fn serve(&self, sim: &Simulator, id: &str) -> Result<(), AgentError> {
        let endpoint = sim.world().endpoint(id).cloned().ok_or(AgentError::Unknown)?;
        if endpoint.status != Status::Active {
            return Err(AgentError::NotActive);
        }
        if !endpoint.is_at_least(3, 7) {
            return Err(AgentError::TooOld);
        }
        if !sim.ask(&endpoint).await? {
            return Err(AgentError::ResponsesOff);
        }
        if let Some(Fault::EveryAgent(error)) = self.twist {
            return Err(error);
        }
        let mut world = sim.world();
        if !self.command.is_known(&world.settings.names) {
            return Err(AgentError::NotConfigured);
        }
        world.deliver(self.call, &endpoint, &self.command);
        Ok(())
    }
}
