//! `countersign-kill`: real processes in a process namespace of the test's own.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Stdio},
};

use crate::{FIRST, endpoint::Endpoint, execd::Message};

/// A process on the endpoint, and its id there.
struct Victim {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pid: String,
}

impl Victim {
    /// The program says its id first.
    fn start(endpoint: &Endpoint, program: &str, arguments: &[&str]) -> Self {
        let mut child =
            endpoint.command(program, arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut victim = Self {
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            pid: String::new(),
        };
        victim.pid = victim.line();
        victim
    }

    fn shell(endpoint: &Endpoint, script: &str) -> Self {
        Self::start(endpoint, "sh", &["-c", &format!("echo $$; {script}")])
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ended = self.child.kill().is_ok() && self.child.wait().is_ok();
    }
}

fn kill(pid: &str) -> Message {
    Message::add("countersign-kill", FIRST, ("pid", pid))
}

fn hash(endpoint: &Endpoint, file: &str) -> String {
    endpoint.sh(&format!("sha256sum <{file} | cut -d' ' -f1")).trim().to_owned()
}

#[test]
fn process_ends_by_id_and_name_or_hash() {
    let Some(endpoint) = Endpoint::start() else { return };
    let sleep = hash(&endpoint, "/bin/sleep");
    for (name, sha256) in [("sleep", ""), ("", sleep.as_str()), ("sleep", sleep.as_str())] {
        let mut victim = Victim::shell(&endpoint, "exec sleep 1000");
        let mut other = Victim::shell(&endpoint, "exec sleep 1000");
        let mut message = kill(&victim.pid);
        for (key, value) in [("process", name), ("sha256", sha256)] {
            if !value.is_empty() {
                message = message.and(key, value);
            }
        }
        let run = message.run(&endpoint);
        run.is("done");
        assert_eq!((run.report()["signal"].as_str(), &run.keys), (Some("TERM"), &None));
        assert!(!victim.runs() || victim.child.wait().is_ok());
        assert!(other.runs());
        message.run(&endpoint).is("already");
    }
}

#[test]
fn process_that_ignores_sigterm_is_killed() {
    let Some(endpoint) = Endpoint::start() else { return };
    let victim = Victim::shell(&endpoint, "trap '' TERM; while :; do sleep 1; done");
    let run = kill(&victim.pid).and("process", "dash").run(&endpoint);
    run.is("done");
    assert_eq!(run.report()["signal"], "KILL");
}

#[test]
fn stopped_process_is_killed() {
    let Some(endpoint) = Endpoint::start() else { return };
    let victim = Victim::shell(&endpoint, "exec sleep 1000");
    endpoint.sh(&format!("kill -STOP {}", victim.pid));
    kill(&victim.pid).and("process", "sleep").run(&endpoint).is("done");
}

#[test]
fn process_with_a_deleted_executable_is_found() {
    let Some(endpoint) = Endpoint::start() else { return };
    let at = endpoint.home().join("../evil for a long night (deleted)");
    let at = at.display();
    endpoint.sh(&format!("cp /bin/sleep '{at}'"));
    let sleep = hash(&endpoint, "/bin/sleep");
    let victim = Victim::shell(&endpoint, &format!("exec '{at}' 1000"));
    endpoint.sh(&format!("rm '{at}'"));
    let message = kill(&victim.pid).and("sha256", &sleep);
    message.clone().and("process", "sleep").run(&endpoint).failed("is another one");
    message.and("process", "evil for a long night (deleted)").run(&endpoint).is("done");
}

#[test]
fn name_with_hostile_characters_is_read() {
    let Some(endpoint) = Endpoint::start() else { return };
    let script = "
import os, time
print(os.getpid(), flush=True)
open('/proc/self/comm', 'w').write('a) S 1\\n7 \"b')
time.sleep(1000)
";
    let victim = Victim::start(&endpoint, "python3", &["-c", script]);
    // The name is not yet changed when the id is printed.
    endpoint.sh(&format!("until grep -q 'a)' /proc/{}/comm; do :; done", victim.pid));
    kill(&victim.pid).and("process", "a) S").run(&endpoint).failed("is another one");
    kill(&victim.pid).and("process", "a) S 1 7 \"b").run(&endpoint).is("done");
}

#[test]
fn other_process_with_the_id_lives() {
    let Some(endpoint) = Endpoint::start() else { return };
    let mut victim = Victim::shell(&endpoint, "exec sleep 1000");
    let other_hash = hash(&endpoint, "/bin/cat");
    for (key, value) in
        [("process", "cat"), ("process", "slee"), ("process", "*"), ("sha256", &other_hash)]
    {
        kill(&victim.pid).and(key, value).run(&endpoint).failed("is another one");
    }
    let right_name = kill(&victim.pid).and("process", "sleep").and("sha256", &other_hash);
    right_name.run(&endpoint).failed("is another one");
    assert!(victim.runs());
}

#[test]
fn id_reused_while_killing_is_left_alone() {
    let Some(endpoint) = Endpoint::start() else { return };
    // Ends with SIGTERM; a second one takes its id at once, and would end by SIGKILL only.
    let script = "
import os, signal
first = os.fork()
if first == 0:
    os.execv('/bin/sleep', ['sleep', '1000'])
print(first, flush=True)
os.waitpid(first, 0)
while True:
    open('/proc/sys/kernel/ns_last_pid', 'w').write(str(first - 1))
    second = os.fork()
    if second == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.execv('/bin/sleep', ['sleep', '1000'])
    if second == first:
        break
    os.kill(second, signal.SIGKILL)
    os.waitpid(second, 0)
print('reused', flush=True)
os.waitpid(second, 0)
print('it was killed', flush=True)
";
    let mut victim = Victim::start(&endpoint, "python3", &["-c", script]);
    kill(&victim.pid).and("process", "sleep").run(&endpoint).is("done");
    assert_eq!(victim.line(), "reused");
    endpoint.sh(&format!("grep -q '^State:.S' /proc/{}/status", victim.pid));
}

#[test]
fn needed_processes_are_never_killed() {
    let Some(endpoint) = Endpoint::start() else { return };
    kill("1").and("process", "cat").run(&endpoint).failed("it is init");
    let home = endpoint.home();
    let home = home.display();
    endpoint.sh(&format!(
        "mkdir {home}/bin {home}/../x; cp /bin/sleep {home}/bin/wazuh-agentd; cp /bin/sleep {home}/bin/any
        cp /bin/sleep {home}/../x/wazuh-modulesd; cp /bin/dash {home}/../x/sshd; cp /bin/sleep {home}/../x/nosshd"
    ));
    for (program, name) in [
        ("bin/wazuh-agentd", "wazuh-agentd"),
        ("bin/any", "any"),
        ("../x/wazuh-modulesd", "wazuh-modulesd"),
    ] {
        let mut daemon = Victim::shell(&endpoint, &format!("exec {home}/{program} 1000"));
        kill(&daemon.pid)
            .and("process", name)
            .run(&endpoint)
            .failed("it belongs to the Wazuh agent");
        assert!(daemon.runs());
    }
    // The listener, and under it the process of one session.
    let sshd = format!("{home}/../x/sshd");
    let script = format!("echo $$; {sshd} -c 'echo $$; sleep 1000; true'; true");
    let mut listener = Victim::start(&endpoint, &sshd, &["-c", &script]);
    let session = listener.line();
    kill(&listener.pid).and("process", "sshd").run(&endpoint).failed("it is the sshd that listens");
    kill(&session).and("process", "sshd").run(&endpoint).is("done");
    let other = Victim::shell(&endpoint, &format!("exec {home}/../x/nosshd 1000"));
    kill(&other.pid).and("process", "nosshd").run(&endpoint).is("done");
}

#[test]
fn parents_of_the_script_are_never_killed() {
    let Some(endpoint) = Endpoint::start() else { return };
    // As execd: it starts the script, and its id is asked for.
    let line = kill("PARENT").and("process", "bash").line("add");
    let script = format!(
        "cd {}; echo $$; line='{}'; {{ echo \"${{line/PARENT/$$}}\"; sleep 1; }} | active-response/bin/countersign-kill; echo alive",
        endpoint.home().display(),
        line.trim()
    );
    let mut parent = Victim::start(&endpoint, "bash", &["-c", &script]);
    assert_eq!(parent.line(), "alive");
    assert!(endpoint.log().concat().contains("it runs this script"), "{:?}", endpoint.log());
}

#[test]
fn threads_are_no_processes() {
    let Some(endpoint) = Endpoint::start() else { return };
    let script = "
import os, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
print(os.getpid(), flush=True)
time.sleep(1000)
";
    let process = Victim::start(&endpoint, "python3", &["-c", script]);
    let list = format!("ls /proc/{}/task | grep -vx {}", process.pid, process.pid);
    let thread = endpoint.sh(&list).trim().to_owned();
    let name = endpoint.sh(&format!("cat /proc/{thread}/comm")).trim().to_owned();
    kill(&thread).and("process", &name).run(&endpoint).failed("it is a thread");
}

#[test]
fn kill_takes_an_id_and_a_proof() {
    let Some(endpoint) = Endpoint::start() else { return };
    for pid in
        ["", "0", "-1", "01", "1 ", "1.0", "0x10", "12345678", "self", "../1", "$$", "$(reboot)"]
    {
        kill(pid).and("process", "sleep").run(&endpoint).failed("alert.data.pid is no process id");
    }
    kill("4711").run(&endpoint).failed("neither process nor sha256");
    for sha256 in ["abc", &"A".repeat(64), &"a".repeat(63), &"g".repeat(64), "*"] {
        kill("4711").and("sha256", sha256).run(&endpoint).failed("is no SHA-256");
    }
    kill("4711").and("process", "sleep").over().run(&endpoint).failed("it cannot be undone");
    kill("4000000").and("process", "sleep").run(&endpoint).is("already");
}
