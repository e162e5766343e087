//! Machines made of Linux namespaces, for scripts that must run for real: a network of their own, and
//! where wanted their own mounts and processes. Takes root, util-linux and iproute2.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

/// Processes in namespaces of their own. They end with it.
#[derive(Debug)]
pub struct Namespaces {
    child: Child,
    pid: String,
}

/// What a script printed that was started as execd starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The first line: the script's keys. Empty where it printed nothing.
    pub keys: String,
    /// What came after that; execd reads none of it.
    pub rest: String,
}

impl Namespaces {
    /// A network, and what `flags` of unshare(1) name. `setup` runs inside, in `sh`, before anything
    /// else; the first failure ends it.
    pub fn start(flags: &[&str], setup: &str) -> io::Result<Self> {
        // The id that the machine sees: its own /proc is mounted until the setup mounts another.
        let script = format!(
            "read -r pid _ </proc/self/stat\nset -e\n{setup}\nip link set lo up\necho \"$pid\"\nexec cat"
        );
        let mut child = Command::new("unshare")
            .args(["--fork", "--kill-child", "--net"])
            .args(flags)
            .args(["sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut pid = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut pid)?;
        }
        let made = Self { child, pid: pid.trim().to_owned() };
        if made.pid.is_empty() {
            return Err(io::Error::other("the namespaces could not be made"));
        }
        Ok(made)
    }

    /// A program that runs inside: in the network, and in the namespaces that `flags` of nsenter(1)
    /// name.
    pub fn command(&self, flags: &[&str], program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--net"]).args(flags).arg(program).args(arguments);
        command
    }

    /// Links the two: on network 77 this one is `10.77.0.1` and `fd77::1`, the other one `10.77.0.2`
    /// and `fd77::2`.
    pub fn link(&self, other: &Self, network: u8) -> io::Result<()> {
        let link = format!("link{network}");
        let pair = format!("ip link add {link} type veth peer name {link} netns {}", other.pid);
        succeed(&mut self.command(&[], "sh", &["-c", &pair]))?;
        for (machine, host) in [(self, 1), (other, 2)] {
            let script = format!(
                "set -e
                ip address add 10.{network}.0.{host}/24 dev {link}
                ip -6 address add fd{network}::{host}/64 dev {link} nodad
                ip link set {link} up"
            );
            succeed(&mut machine.command(&[], "sh", &["-c", &script]))?;
        }
        Ok(())
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.kill().is_ok() && self.child.wait().is_ok();
    }
}

/// The output of a command; an error with what it said where it fails.
pub fn succeed(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{command:?}: {said}")));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}

/// Starts a script as wazuh-execd does: one line on its input, which stays open; for an "add" the
/// script's keys, and an answer to them; then it waits for the end. Without an answer the input is
/// closed. Source: `src/os_execd/execd.c`.
pub fn execute(mut script: Command, input: &[u8], answer: Option<&[u8]>) -> io::Result<Printed> {
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let gone = || io::Error::other("the script has no input or output");
    let mut stdin = child.stdin.take();
    // A script that refuses ends before it has read what is too long.
    let _broken_pipe = stdin.as_mut().ok_or_else(gone)?.write_all(input);
    let mut stdout = BufReader::new(child.stdout.take().ok_or_else(gone)?);
    let (mut keys, mut rest) = (String::new(), String::new());
    stdout.read_line(&mut keys)?;
    match answer {
        Some(answer) if !keys.is_empty() => stdin.as_mut().ok_or_else(gone)?.write_all(answer)?,
        Some(_) => {}
        None => stdin = None,
    }
    while stdout.read_line(&mut rest)? > 0 {}
    child.wait()?;
    drop(stdin);
    Ok(Printed { keys, rest })
}
