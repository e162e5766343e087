//! Faults that a test orders in advance: what networks and managers do on bad days.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::api::answer::{AgentError, Problem};

/// One way to misbehave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Waits in real time, then continues as usual, even if the client has disconnected.
    Delay(Duration),
    /// Drops the connection without an answer.
    Drop(Work),
    /// Answers 500.
    Fail(Outage, Work),
    /// Answers 401 "Invalid token", as after a role change in the same second.
    Unauthorized,
    /// Something in front of the manager answers with this status, in words of its own.
    Gateway(u16, Work),
    /// Answers 403/4000.
    Forbidden,
    /// Answers 429/6001.
    TooManyRequests,
    /// Answers 200 with a body that is not JSON.
    NoJson(Work),
    /// Answers `error: 0` with nothing affected and nothing failed. The work is not done.
    NothingAffected,
    /// Omits these ids from the answer. With [`Work::NotDone`] they get no command either.
    LeaveOut(Vec<String>, Work),
    /// Says that every endpoint got the command; none does, as when it loses its connection in that
    /// moment.
    Undelivered,
    /// Lists every endpoint that would have got the command in `failed_items`, with this error.
    EveryAgent(AgentError),
    /// This cluster node fails and does none of its part; the other nodes do theirs. The merged
    /// answer contains only the failure.
    NodeFails {
        /// The name of the node.
        node: String,
        /// Why it fails.
        outage: Outage,
    },
    /// Answers 200 with a body that never ends, as fast as the client reads. The work is not done.
    Flood,
    /// Answers 200 with a body that never ends and arrives byte by byte, until the client
    /// disconnects or the server stops. The work is not done.
    Drip,
    /// Adds ids that were not requested: to the affected items of a response, or to a list of
    /// endpoints.
    Strangers(Vec<String>),
    /// Changes one field of the answers to one path. The work is done.
    Edit {
        /// The path of the calls, without a query, such as `/agents`. Calls of other paths neither
        /// get this fault nor use it up.
        path: String,
        /// A JSON pointer into the answer, such as `/data/token`. A part such as `id=007` finds
        /// the item of a list that has this value, as in `/data/affected_items/id=007/os`. An
        /// answer without the object or list around the field stays as it is.
        pointer: String,
        /// The new value; `None` leaves the field out.
        value: Option<Value>,
    },
    /// Answers a search without the documents of this index, whose shards fail. The name may end in
    /// `*`.
    ShardsFail(String),
    /// Answers a search that ran out of time before it found anything.
    SearchTimesOut,
    /// Answers exactly this. The work is not done.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The whole body.
        body: String,
    },
}

impl Fault {
    fn concerns(&self, called: &str) -> bool {
        if let Self::Edit { path, .. } = self { path == called } else { true }
    }
}

/// Whether the work behind a faulty answer is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The work is done.
    Done,
    /// The work is not done.
    NotDone,
}

/// Why a manager answers 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// 3021: the API timed out waiting for its own worker.
    Timeout,
    /// 1017: remoted is stopped.
    DaemonStopped,
    /// 1017: all daemons restart.
    Restarting,
    /// 1010: the active-response queue is gone.
    QueueGone,
    /// 2005: wazuh-db is gone.
    DatabaseGone,
    /// 1000: anything else, such as a missing ar.conf.
    Internal,
    /// 900: the API's worker process died. The wording is not from a capture.
    WorkerDied,
}

impl Outage {
    /// The answer of the node with this name. Sources: captures of 4.14.7, except for 900.
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
    /// For one call.
    Once,
    /// For this many calls.
    N(u32),
    /// Until [`Simulator::behave`](crate::Simulator::behave).
    UntilCleared,
}

/// Which calls a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// `PUT /active-response`.
    ActiveResponse,
    /// Logins.
    Login,
    /// Reads from the manager: every call that is not one of the others.
    Reads,
    /// Searches of the indexer.
    Search,
    /// All calls.
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

/// Pending faults, oldest first. The first that matches strikes.
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
    pub(crate) fn strike(&mut self, call: Calls, path: &str) -> Option<Fault> {
        let spent = |times: &Times| *times == Times::N(0);
        self.0.retain(|(_, _, times)| !spent(times));
        let strikes = |(calls, fault, _): &&mut (Calls, Fault, Times)| {
            (*calls == call || *calls == Calls::Every) && fault.concerns(path)
        };
        let (_, fault, times) = self.0.iter_mut().find(strikes)?;
        *times = match *times {
            Times::Once => Times::N(0),
            Times::N(left) => Times::N(left.saturating_sub(1)),
            Times::UntilCleared => Times::UntilCleared,
        };
        Some(fault.clone())
    }
}
