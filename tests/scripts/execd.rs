//! Messages as wazuh-execd writes them, and what came of them.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use serde_json::Value;
use wazuh_simulator::namespaces::execute;

use crate::endpoint::Endpoint;

/// What execd may have to wait for one script.
const LONGEST: Duration = Duration::from_secs(5);

/// A command as execd writes it.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) script: &'static str,
    command: &'static str,
    answer: Option<&'static str>,
    arguments: Vec<String>,
    data: Vec<(&'static str, String)>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Run {
    /// The keys that the script gave.
    pub(crate) keys: Option<Value>,
    /// What else it printed; execd reads none of it.
    pub(crate) printed: String,
    /// The lines that it logged, in order.
    pub(crate) log: Vec<String>,
}

impl Message {
    pub(crate) fn add(script: &'static str, request: &str, target: (&'static str, &str)) -> Self {
        Self::without_data(script, request).and(target.0, target.1)
    }

    /// For a script whose target is the endpoint itself.
    pub(crate) fn without_data(script: &'static str, request: &str) -> Self {
        Self {
            script,
            command: "add",
            answer: Some("continue"),
            arguments: vec![tag(request)],
            data: Vec::new(),
        }
    }

    /// What execd sends when the time of an earlier "add" is over.
    pub(crate) fn over(mut self) -> Self {
        self.command = "delete";
        self
    }

    /// execd has the same keys already.
    pub(crate) fn pending(mut self) -> Self {
        self.answer = Some("abort");
        self
    }

    /// execd goes away without an answer.
    pub(crate) fn unanswered(mut self) -> Self {
        self.answer = None;
        self
    }

    pub(crate) fn with(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub(crate) fn and(mut self, key: &'static str, value: &str) -> Self {
        self.data.push((key, value.to_owned()));
        self
    }

    /// In the order of the keys, with the target first, as the manager sends it.
    pub(crate) fn line(&self, command: &str) -> String {
        let mut data = String::new();
        for (key, value) in &self.data {
            let comma = if data.is_empty() { "" } else { "," };
            write!(data, "{comma}\"{key}\":{}", Value::from(value.as_str())).unwrap();
        }
        format!(
            r#"{{"version":1,"origin":{{"name":null,"module":"wazuh-execd"}},"command":"{command}","parameters":{{"extra_args":{},"alert":{{"data":{{{data}}}}},"program":"active-response/bin/{}"}}}}"#,
            Value::from(self.arguments.clone()),
            self.script
        ) + "\n"
    }

    pub(crate) fn run(&self, endpoint: &Endpoint) -> Run {
        let answer = self.answer.map(|answer| self.line(answer));
        run(endpoint, self.script, self.line(self.command).as_bytes(), answer.as_deref())
    }
}

/// A tag as the connector writes it.
pub(crate) fn tag(request: &str) -> String {
    format!("countersign={request}/att_{:032x}/0123456789ab", 7)
}

/// Starts a script with these bytes.
pub(crate) fn run(endpoint: &Endpoint, script: &str, input: &[u8], answer: Option<&str>) -> Run {
    let lines_before = endpoint.log().len();
    let started = Instant::now();
    let start = format!("cd {} && exec active-response/bin/{script}", endpoint.home().display());
    let command = endpoint.command("sh", &["-c", &start]);
    let said = execute(command, input, answer.map(str::as_bytes)).unwrap();
    assert!(started.elapsed() < LONGEST, "{script} took {:?}", started.elapsed());
    let log = endpoint.log().split_off(lines_before);
    Run { keys: serde_json::from_str(&said.keys).ok(), printed: said.rest, log }
}

impl Run {
    /// The one report of the run.
    pub(crate) fn report(&self) -> Value {
        let reports: Vec<_> =
            self.log.iter().filter(|line| line.contains(" countersign-")).collect();
        assert_eq!(reports.len(), 1, "{self:#?}");
        let json = reports[0].split_once(": ").unwrap().1;
        serde_json::from_str::<Value>(json).unwrap()["countersign"].clone()
    }

    /// Result, verified, reason.
    pub(crate) fn said(&self) -> (String, bool, String) {
        let report = self.report();
        let text = |key: &str| report[key].as_str().unwrap().to_owned();
        (text("result"), report["verified"].as_bool().unwrap(), text("reason"))
    }

    /// It ended with this result, and has read back that it is so.
    #[track_caller]
    pub(crate) fn is(&self, result: &str) {
        let said = self.said();
        assert_eq!((said.0.as_str(), said.1), (result, true), "{self:#?}");
    }

    /// It refused or failed, for a reason that holds these words.
    #[track_caller]
    pub(crate) fn failed(&self, words: &str) {
        let (result, verified, reason) = self.said();
        assert_eq!((result.as_str(), verified), ("failed", false), "{self:#?}");
        assert!(reason.contains(words), "{reason:?} does not hold {words:?}");
    }
}
