//! Misbehaviour that a test orders beforehand: what networks and managers do on bad days.

use std::time::Duration;

use axum::http::{Method, StatusCode};

use crate::api::answer::{AgentError, Problem};

/// One way to misbehave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Waits in real time, then goes on as usual, even if the client has left in the meantime.
    Delay(Duration),
    /// Breaks the connection without an answer.
    Drop(Work),
    /// Answers 500.
    Fail(Outage, Work),
    /// Answers 401 "Invalid token", as after a role change in the same second.
    Unauthorized,
    /// Answers 403/4000.
    Forbidden,
    /// Answers 429/6001.
    TooManyRequests,
    /// Answers 200 with a body that is no JSON.
    NoJson(Work),
    /// Answers `error: 0` with nothing affected and nothing failed. The work is not done.
    NothingAffected,
    /// Leaves these ids out of the answer; with [`Work::NotDone`] they are not sent to either.
    LeaveOut(Vec<String>, Work),
    /// Fails every endpoint that would have been sent to, in `failed_items`.
    EveryAgent(AgentError),
    /// This node of a cluster does nothing of its part and fails; the other nodes do theirs. The
    /// merged answer is the failure alone.
    NodeFails { node: String, outage: Outage },
    /// Answers 200 with a body that never ends, as fast as the client reads. The work is not done.
    Flood,
    /// Answers 200 with a body that never ends and of which almost nothing comes, until the client
    /// leaves or the server stops. The work is not done.
    Drip,
    /// Adds ids that nobody asked for to what was affected; to endpoints, where those are listed.
    Strangers(Vec<String>),
    /// Answers exactly this. The work is not done.
    Answer { status: u16, body: String },
}

/// Whether the work behind a faulty answer is done all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Done,
    NotDone,
}

/// What is wrong with a manager that answers 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// 3021: the API gave up waiting for its own worker.
    Timeout,
    /// 1017: remoted is stopped.
    DaemonStopped,
    /// 1017: all daemons restart.
    Restarting,
    /// 1010: the queue of active responses is gone.
    QueueGone,
    /// 2005: wazuh-db is gone.
    DatabaseGone,
    /// 1000: anything else, such as a missing ar.conf.
    Internal,
    /// 900: the API's worker process died. The wording is not from a capture.
    WorkerDied,
}

impl Outage {
    /// The answer of a node of this name. Sources: captures of 4.14.7, except for 900.
    pub(crate) fn problem(self, node: &str) -> Problem {
        let not_ready = |daemons: &str| {
            format!("Some Wazuh daemons are not ready yet in node \"{node}\" ({daemons})")
        };
        let (code, detail) = match self {
            Self::Timeout => (3021, "Timeout executing API request".to_owned()),
            Self::DaemonStopped => (1017, not_ready("wazuh-remoted->stopped")),
            Self::Restarting => (
                1017,
                not_ready(
                    "wazuh-modulesd->restarting, wazuh-analysisd->restarting, \
                     wazuh-execd->restarting, wazuh-db->restarting, wazuh-remoted->restarting",
                ),
            ),
            Self::QueueGone => {
                (1010, "Unable to connect to queue: /var/ossec/queue/alerts/ar".to_owned())
            }
            Self::DatabaseGone => (2005, "Could not connect to wdb socket".to_owned()),
            Self::Internal => return internal(node),
            Self::WorkerDied => (900, "A child process of the API ended abruptly".to_owned()),
        };
        let cause = match self {
            Self::DatabaseGone => format!("{detail}: [Errno 2] No such file or directory"),
            Self::Timeout
            | Self::DaemonStopped
            | Self::Restarting
            | Self::QueueGone
            | Self::Internal
            | Self::WorkerDied => detail.clone(),
        };
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
            .code(code)
            .logged_by_node(node, &cause)
    }
}

fn internal(node: &str) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Wazuh Internal Error")
        .code(1000)
        .remedy(
            "Please, check `WAZUH_HOME/logs/ossec.log`, `WAZUH_HOME/logs/cluster.log` and \
             `WAZUH_HOME/logs/api.log` to get more information about the error",
        )
        .said_by_node(node, "Wazuh Internal Error. See log for more detail")
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Once,
    N(u32),
    UntilCleared,
}

/// Which calls a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// `PUT /active-response`.
    ActiveResponse,
    /// Logins.
    Login,
    /// Reads from the manager: everything that is none of the others.
    Reads,
    /// Searches in the indexer.
    Search,
    Every,
}

impl Calls {
    /// The kind of a call; never [`Calls::Every`].
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        if path == "/active-response" && method == Method::PUT {
            Self::ActiveResponse
        } else if path == "/security/user/authenticate" {
            Self::Login
        } else if path.ends_with("/_search") {
            Self::Search
        } else {
            Self::Reads
        }
    }
}

/// Faults in the order in which they were ordered; the first that matches strikes.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Calls, Fault, Times)>);

impl Faults {
    pub(crate) fn order(&mut self, calls: Calls, fault: Fault, times: Times) {
        self.0.push((calls, fault, times));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that strikes this call.
    pub(crate) fn strike(&mut self, call: Calls) -> Option<Fault> {
        let spent = |times: &Times| *times == Times::N(0);
        self.0.retain(|(_, _, times)| !spent(times));
        let (_, fault, times) =
            self.0.iter_mut().find(|(calls, ..)| *calls == call || *calls == Calls::Every)?;
        *times = match *times {
            Times::Once => Times::N(0),
            Times::N(left) => Times::N(left.saturating_sub(1)),
            Times::UntilCleared => Times::UntilCleared,
        };
        Some(fault.clone())
    }
}
