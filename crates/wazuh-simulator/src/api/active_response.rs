//! `PUT /active-response`. Sources: `framework/wazuh/active_response.py` and
//! `framework/wazuh/core/active_response.py` of 4.14.7, captures 24-59, 67-74, 86-92.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;

use axum::Json;
use axum::extract::{Request, State};
use serde_json::{Value, json};

use crate::Simulator;
use crate::api::answer::{AgentError, Outcome, Problem, Sentences};
use crate::api::command::Command;
use crate::api::login::Session;
use crate::api::params::Params;
use crate::endpoint::{Endpoint, Status, effects};
use crate::fault::{Fault, Work};
use crate::rights::Rights;
use crate::world::{self, Delivered, ENDPOINTS_PER_CALL_MAX, Message, Received, World};

const ACTION: &str = "active-response:command";

const SENT: Sentences = Sentences(
    "AR command was sent to all agents",
    "AR command was not sent to some agents",
    "AR command was not sent to any agent",
);

/// The handler.
pub(crate) async fn put(
    State(sim): State<Simulator>,
    session: Session,
    params: Params,
    request: Request,
) -> Result<Json<Value>, Problem> {
    params.only(&["agents_list"])?;
    let asked = params.ids()?;
    let twist = request.extensions().get::<Fault>().cloned();
    let command = Command::read(request).await?;
    let job = Job::plan(&mut sim.world(), &session.rights, asked, &command, twist.as_ref())?;
    let work = job.carry_out(sim.clone());
    let outcome = sim.in_worker(params.waits_for_completion(), work).await??;
    Ok(Json(outcome.shown(&SENT)))
}

/// A call that was accepted.
#[derive(Default)]
struct Job {
    /// What is known before the work starts.
    outcome: Outcome,
    parts: Vec<Part>,
    /// Ids to report although they were not requested.
    strangers: Vec<String>,
}

/// What one node has to do.
struct Part {
    node: String,
    /// The call's place in the list of received calls.
    call: usize,
    command: Command,
    /// The endpoints to serve, in order.
    ids: Vec<String>,
    twist: Option<Fault>,
}

impl Job {
    /// Chooses the endpoints: permitted, known, not the manager. Since 4.14.0 the manager is skipped
    /// without a word, and so is what is beyond one database page of a node.
    fn plan(
        world: &mut World,
        rights: &Rights,
        asked: Option<Vec<String>>,
        command: &Command,
        twist: Option<&Fault>,
    ) -> Result<Self, Problem> {
        let mut outcome = Outcome::default();
        let ids = permitted(world, rights, asked.clone(), &mut outcome)?;
        let mut by_node: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let silent = world.settings.drops_silently();
        for id in ids {
            if id == "000" {
                if !silent {
                    outcome.fail(AgentError::Manager, &id);
                }
                continue;
            }
            match world.endpoint(&id) {
                Some(endpoint) => {
                    let node = world.settings.node_of(endpoint).to_owned();
                    by_node.entry(node).or_default().push(id);
                }
                None => outcome.fail(AgentError::Unknown, &id),
            }
        }
        let call = world.received.len();
        world.received.push(Received {
            command: command.name.clone(),
            arguments: command.arguments.clone(),
            alert: command.alert.clone(),
            asked: asked.unwrap_or_default(),
            delivered: Vec::new(),
        });
        let part = |(node, mut ids): (String, Vec<String>)| {
            if silent {
                ids.truncate(ENDPOINTS_PER_CALL_MAX);
            }
            Part { node, call, command: command.clone(), ids, twist: twist.cloned() }
        };
        if twist == Some(&Fault::NothingAffected) {
            return Ok(Self::default());
        }
        let strangers = match twist {
            Some(Fault::Strangers(ids)) => ids.clone(),
            Some(_) | None => Vec::new(),
        };
        let parts = by_node.into_iter().map(part).collect();
        Ok(Self { outcome, parts, strangers })
    }

    /// Runs the parts of all nodes concurrently. If one node fails as a whole, the client learns
    /// only of that failure.
    async fn carry_out(mut self, sim: Simulator) -> Result<Outcome, Problem> {
        let parts = self.parts.into_iter().map(|part| part.carry_out(sim.clone()));
        let mut failure = None;
        for done in all(parts).await {
            match done {
                Ok(part) => self.outcome.merge(part),
                Err(problem) => failure = Some(problem),
            }
        }
        self.outcome.affected.extend(self.strangers.into_iter().map(Value::from));
        failure.map_or(Ok(self.outcome), Err)
    }
}

/// The ids that the user may act on, in order. Named ids that are not permitted fail.
fn permitted(
    world: &World,
    rights: &Rights,
    asked: Option<Vec<String>>,
    outcome: &mut Outcome,
) -> Result<Vec<String>, Problem> {
    let may = |id: &String| rights.allows_on(ACTION, id, world.endpoint(id));
    let Some(mut named) = asked else {
        return Ok(world.ids().into_iter().filter(may).collect());
    };
    world::sort_ids(&mut named);
    named.dedup();
    let (allowed, denied): (Vec<_>, Vec<_>) = named.into_iter().partition(may);
    if allowed.is_empty() {
        return Err(Problem::denied("agent:id"));
    }
    outcome.fail_all(AgentError::Denied, &denied);
    Ok(allowed)
}

/// Runs futures concurrently in this task, so that their first steps run in order.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    let mut done: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, output) in waiting.iter_mut().zip(&mut done) {
            let Some(running) = future else { continue };
            if let Poll::Ready(result) = running.as_mut().poll(context) {
                (*future, *output) = (None, Some(result));
            }
        }
        if waiting.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

impl Part {
    /// Serves the endpoints one by one.
    async fn carry_out(mut self, sim: Simulator) -> Result<Outcome, Problem> {
        let mut outcome = Outcome::default();
        if let Some(Fault::NodeFails { node, outage }) = &self.twist
            && *node == self.node
        {
            return Err(outage.problem(node));
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
                (None, Ok(())) => outcome.affected.push(Value::from(id)),
                (None, Err(error)) => outcome.fail(error, &id),
            }
        }
        Ok(outcome)
    }

    /// Asks one endpoint for its configuration, and only then checks the command.
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
        if !self.command.is_known(world.settings.names_of(&self.node)) {
            return Err(AgentError::NotConfigured);
        }
        if self.twist == Some(Fault::Undelivered) {
            return Ok(());
        }
        deliver(&mut world, self.call, &endpoint, &self.command);
        Ok(())
    }
}

/// Delivers a command to an endpoint. `call` is the call's index in `received`.
fn deliver(world: &mut World, call: usize, endpoint: &Endpoint, command: &Command) {
    let message = if endpoint.is_at_least(4, 2) {
        Message::Json(message(world, endpoint, command))
    } else {
        Message::Legacy(command.legacy_line())
    };
    // Older agents never see the alert, so their scripts have no target; and the rules only match
    // what agents log since 4.2.
    if endpoint.is_at_least(4, 2) {
        effects::start(world, endpoint, command);
    }
    world.delivered.push(Delivered { agent: endpoint.id.clone(), message });
    if let Some(received) = world.received.get_mut(call) {
        received.delivered.push(endpoint.id.clone());
    }
}

fn message(world: &World, endpoint: &Endpoint, command: &Command) -> Value {
    json!({
        "version": 1,
        "origin": {"name": world.origin(endpoint), "module": "API"},
        "command": command.name,
        "parameters": {"extra_args": command.arguments, "alert": command.alert},
    })
}
