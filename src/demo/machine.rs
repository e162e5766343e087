//! A real machine for the demo: namespaces in which an endpoint's scripts run as execd runs them.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use wazuh_simulator::namespaces::{Namespaces, execute, succeed};

/// What the story takes of `deploy/active-response`.
const FILES: [(&str, &str); 4] = [
    ("countersign.sh", include_str!("../../deploy/active-response/countersign.sh")),
    (
        "countersign-message.awk",
        include_str!("../../deploy/active-response/countersign-message.awk"),
    ),
    ("countersign-block", include_str!("../../deploy/active-response/countersign-block")),
    ("countersign-isolate", include_str!("../../deploy/active-response/countersign-isolate")),
];
/// Whether there is a firewall that the scripts use, as they look for it.
const FIREWALL: &str = "PATH=/usr/sbin:/usr/bin:/sbin:/bin; nft list tables || iptables -w 2 -S";
/// The networks of the other hosts.
const NEIGHBOUR: u8 = 77;
const MANAGER: u8 = 78;
/// The endpoint that it is.
pub(super) const ENDPOINT: &str = "015";
/// The neighbour's public address, from which it knocks.
pub(super) const ATTACKER: &str = "198.51.100.111";

/// A machine with a neighbour and a manager, each with a network of its own.
#[derive(Debug)]
pub(super) struct Machine {
    space: Namespaces,
    neighbour: Namespaces,
    /// It is there to answer.
    _manager: Namespaces,
    folder: TempDir,
}

/// What reaches the machine, and what it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    /// Whether its neighbour reaches it.
    pub(super) neighbour: bool,
    /// Whether it reaches its manager.
    pub(super) manager: bool,
}

impl Machine {
    /// Makes it; an error where this is not root, or tools are missing.
    pub(super) fn start() -> io::Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err(io::Error::other("it takes root"));
        }
        let folder = TempDir::new()?;
        let at = folder.path().display();
        let setup = format!(
            "mount --make-rprivate /
            mount -t proc proc /proc
            cp -a /etc {at}/etc && mount --bind {at}/etc /etc"
        );
        let space = Namespaces::start(&["--mount", "--pid"], &setup)?;
        if succeed(&mut space.command(&[], "sh", &["-c", FIREWALL])).is_err() {
            return Err(io::Error::other("it takes nft (Debian's nftables) or iptables"));
        }
        let (neighbour, manager) = (Namespaces::start(&[], "")?, Namespaces::start(&[], "")?);
        space.link(&neighbour, NEIGHBOUR)?;
        space.link(&manager, MANAGER)?;
        for (host, script) in [
            (&space, format!("ip route add {ATTACKER} dev link{NEIGHBOUR}")),
            (
                &neighbour,
                format!(
                    "ip address add {ATTACKER}/32 dev link{NEIGHBOUR} &&
                    ip route replace 10.{NEIGHBOUR}.0.0/24 dev link{NEIGHBOUR} src {ATTACKER}"
                ),
            ),
        ] {
            succeed(&mut host.command(&[], "sh", &["-c", &script]))?;
        }
        let machine = Self { space, neighbour, _manager: manager, folder };
        machine.install()?;
        Ok(machine)
    }

    fn install(&self) -> io::Result<()> {
        let home = self.home();
        let bin = home.join("active-response/bin");
        for folder in [&bin, &home.join("etc"), &home.join("logs")] {
            fs::create_dir_all(folder)?;
        }
        for (name, text) in FILES {
            fs::write(bin.join(name), text)?;
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o750))?;
        }
        for name in ["countersign-block", "countersign-isolate"] {
            fs::copy(bin.join(name), bin.join(format!("{name}-undo")))?;
        }
        let client = format!("<server><address>10.{MANAGER}.0.2</address></server>");
        let settings = format!("<ossec_config><client>{client}</client></ossec_config>\n");
        fs::write(home.join("etc/ossec.conf"), settings)?;
        fs::write(home.join("logs/active-responses.log"), "")
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("ossec")
    }

    /// Runs a script with a message of execd, and gives what it reported.
    pub(super) fn run(&self, script: &str, message: &Value) -> io::Result<Value> {
        let line = |command: Option<&str>| {
            let mut message = message.as_object().cloned().unwrap_or_default();
            // execd writes a number, and the scripts log a text.
            message.insert("version".to_owned(), json!(1));
            message.extend(command.map(|command| ("command".to_owned(), json!(command))));
            format!("{}\n", Value::Object(message))
        };
        let start = format!("cd {} && exec active-response/bin/{script}", self.home().display());
        let command = self.space.command(&["--mount", "--pid"], "sh", &["-c", &start]);
        execute(command, line(None).as_bytes(), Some(line(Some("continue")).as_bytes()))?;
        let log = fs::read_to_string(self.home().join("logs/active-responses.log"))?;
        let said = log.lines().last().and_then(|line| line.split_once(": "));
        let (_, report) = said.ok_or_else(|| io::Error::other("it logged nothing"))?;
        serde_json::from_str(report).map_err(io::Error::other)
    }

    /// Tries who reaches whom now.
    pub(super) fn reach(&self) -> io::Result<Reach> {
        let manager = format!("10.{MANAGER}.0.2/1514");
        Ok(Reach {
            neighbour: answers(&self.neighbour, &format!("10.{NEIGHBOUR}.0.1/22"))?,
            manager: answers(&self.space, &manager)?,
        })
    }
}

/// Whether a host answers. Nobody listens there, and a host that is reached says so.
fn answers(from: &Namespaces, to: &str) -> io::Result<bool> {
    let knock = format!("exec 3<>/dev/tcp/{to}");
    let mut knock = from.command(&[], "timeout", &["1", "bash", "-c", &knock]);
    let said = knock.env("LC_ALL", "C").output()?.stderr;
    Ok(String::from_utf8_lossy(&said).contains("refused"))
}
