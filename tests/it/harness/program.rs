//! The built program in a folder of its own, started as a user starts it.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
        mpsc,
    },
};

use serde_json::Value;
use tempfile::TempDir;

use super::PASSWORD;

/// The files of a database.
const DATABASE: [&str; 3] = ["countersign.db", "countersign.db-wal", "countersign.db-shm"];

/// The program in a folder of its own.
pub(crate) struct Program {
    folder: TempDir,
    pub(crate) port: u16,
}

/// A server that is killed when the test ends, one way or the other.
#[derive(Debug)]
pub(crate) struct Serving {
    child: Child,
    pub(crate) url: String,
    /// Its first line.
    pub(crate) said: Value,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended = self.child.kill().is_ok() && self.child.wait().is_ok();
    }
}

impl Serving {
    /// Kills it and gives what it logged.
    pub(crate) fn log(mut self) -> String {
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        self.child.kill().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        log
    }

    /// Reads the log until a line holds this; the line. A server that never logs it is killed when
    /// this fails.
    pub(crate) async fn logged(&mut self, text: &'static str) -> String {
        let mut log = BufReader::new(self.child.stderr.take().unwrap()).lines();
        let line = move || log.by_ref().map(Result::unwrap).find(|line| line.contains(text));
        let found = tokio::task::spawn_blocking(line);
        let found = tokio::time::timeout(std::time::Duration::from_mins(1), found).await;
        found.expect("it does not log this").unwrap().expect("it ended")
    }

    /// How many files it may have open from now on; those that it has stay.
    pub(crate) fn limit_files(&self, most: Option<u64>) {
        let process = rustix::process::Pid::from_child(&self.child);
        let now = rustix::process::prlimit(
            Some(process),
            rustix::process::Resource::Nofile,
            rustix::process::Rlimit { current: most.or(Some(1024)), maximum: Some(1024) },
        );
        now.unwrap();
    }

    /// `kill -HUP`.
    pub(crate) fn hang_up(&self) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::HUP).unwrap();
    }

    /// Stops it as `systemd` does, and waits until it has ended.
    pub(crate) fn terminate(mut self) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || tell.send(self.child.wait().unwrap().success()));
        if let Ok(ended_well) = told.recv_timeout(std::time::Duration::from_mins(1)) {
            assert!(ended_well);
        } else {
            rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
            panic!("it does not stop");
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the program says that it stands still at its failpoint.
    pub(crate) async fn halted(&mut self) {
        self.logged("halted at a failpoint").await;
    }
}

/// A port for one server; it gets it by name, as a user would give it. Below those that systems lend to
/// connections (32768), so nobody takes it between two starts of the server.
pub(crate) fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
        let place = std::process::id() % 20;
        AtomicU16::new(10_000 + 1_000 * u16::try_from(place).unwrap())
    });
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

impl Program {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), port: free_port() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Copies the database, of which no server runs, to a folder of this name.
    pub(crate) fn copy_database(&self, to: &str) {
        std::fs::create_dir(self.path(to)).unwrap();
        for name in DATABASE {
            let _none = std::fs::copy(self.path(name), self.path(to).join(name)).is_err();
        }
    }

    /// Puts such a copy back, as `docs/operating.md` says; without one there is no database.
    pub(crate) fn restore_database(&self, from: &str) {
        for name in DATABASE {
            let _none = std::fs::remove_file(self.path(name)).is_err();
            let _none = std::fs::copy(self.path(from).join(name), self.path(name)).is_err();
        }
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Puts a pipe in the place of a file. Nobody writes to it.
    pub(crate) fn pipe(&self, name: &str) {
        let _none = std::fs::remove_file(self.path(name)).is_err();
        let made =
            Command::new("mkfifo").args(["-m", "600"]).arg(self.path(name)).status().unwrap();
        assert!(made.success());
    }

    pub(crate) fn command(&self) -> Command {
        // The crash tests run against a release build as well.
        let built = std::env::var_os("COUNTERSIGN_PROGRAM");
        let program = built.unwrap_or_else(|| env!("CARGO_BIN_EXE_countersign").into());
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// The exit code and what was said on standard error.
    pub(crate) fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// `init`, three people whose passwords are their own, one agent; its token.
    pub(crate) fn set_up(&self, manager: &str) -> String {
        self.write("password", PASSWORD);
        self.done(&["init", ".", "--password-file", "password"]);
        self.write("manager.password", "manager-pw");
        self.write("countersign.toml", &self.configuration(manager));
        for (name, role) in [("alice", "analyst"), ("bob", "senior")] {
            let add = ["person", "add", name, "--role", role, "--password-file", "password"];
            self.done(&add);
        }
        let token = self.done(&["--json", "agent", "add", "triage-bot", "--owner", "alice"]);
        let token: Value = serde_json::from_str(&token).unwrap();
        token["token"].as_str().unwrap().to_owned()
    }

    /// Starts the server and waits until it says where it listens.
    pub(crate) fn serve(&self) -> Serving {
        self.serve_with(&[])
    }

    /// [`Program::serve`] with variables in its environment.
    pub(crate) fn serve_with(&self, environment: &[(&str, &str)]) -> Serving {
        let mut command = self.command();
        // Nobody reads the log of most tests, and a full pipe would stop the server.
        command.env("COUNTERSIGN_LOG", "warn").envs(environment.iter().copied());
        Self::start(command).unwrap_or_else(|said| panic!("it does not serve: {said}"))
    }

    /// A server with the configuration of this file, or what it said as it ended.
    pub(crate) fn try_serve(&self, configuration: &str) -> Result<Serving, String> {
        let mut command = self.command();
        command.env("COUNTERSIGN_LOG", "warn").args(["--config", configuration]);
        Self::start(command)
    }

    /// A server that stands still at a failpoint: see [`Serving::halted`].
    pub(crate) fn serve_until(&self, failpoint: &str) -> Serving {
        self.serve_with(&[("COUNTERSIGN_FAILPOINT", failpoint)])
    }

    /// Runs a command until it stands still at a failpoint, and kills it there.
    pub(crate) async fn run_until(&self, failpoint: &str, arguments: &[&str]) {
        let mut command = self.command();
        command.args(arguments).env("COUNTERSIGN_FAILPOINT", failpoint);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut running = Serving { child, url: String::new(), said: Value::Null };
        running.halted().await;
        running.kill();
    }

    fn start(mut command: Command) -> Result<Serving, String> {
        let mut child = command
            .args(["--json", "serve"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            child.wait().unwrap();
            return Err(said);
        }
        let said: Value = serde_json::from_str(&line).unwrap();
        let url = format!("http://{}", said["listening"].as_str().unwrap());
        Ok(Serving { child, url, said })
    }

    pub(crate) fn configuration(&self, manager: &str) -> String {
        let port = self.port;
        format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n\
         [manager.main]\nurl = \"{manager}\"\nuser = \"wazuh\"\npassword_file = \"manager.password\"\n\
         [criticality]\nweb = 2\nwindows = 2\n"
        )
    }
}
