//! An endpoint made of namespaces: its own network, processes, mounts, `/etc`, and a Wazuh folder
//! that holds the scripts.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use wazuh_simulator::namespaces::{Namespaces, succeed};

/// What the tests take beside a bare Debian.
const TOOLS: [&str; 9] = [
    "unshare",
    "nsenter",
    "ip",
    "nft",
    "iptables-nft",
    "iptables-legacy",
    "gawk",
    "xmllint",
    "python3",
];

pub(crate) struct Endpoint {
    space: Namespaces,
    folder: TempDir,
}

/// Another host on the endpoint's network.
pub(crate) struct Peer {
    space: Namespaces,
}

/// A listener that is stopped at the end.
pub(crate) struct Listener(Child);

/// Set where a test that skips must fail.
fn required() -> bool {
    std::env::var_os("COUNTERSIGN_SCRIPTS").is_some_and(|value| value == "required")
}

/// Why these tests cannot run here.
fn missing() -> Option<String> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout != b"0\n" {
        return Some("it takes root".to_owned());
    }
    let on_path = |tool: &&&str| {
        Command::new("sh")
            .args(["-c", "command -v \"$0\"", tool])
            .output()
            .unwrap()
            .status
            .success()
    };
    let absent: Vec<_> = TOOLS.iter().filter(|tool| !on_path(tool)).copied().collect();
    (!absent.is_empty()).then(|| format!("missing: {}", absent.join(", ")))
}

impl Endpoint {
    /// A new endpoint; none, after saying why, where none can be made.
    pub(crate) fn start() -> Option<Self> {
        if let Some(why) = missing() {
            assert!(!required(), "the scripts cannot be tested: {why}");
            // Past the harness, which keeps to itself what a passing test prints.
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            writeln!(std::io::stderr(), "SKIPPED {test}: {why}").unwrap();
            return None;
        }
        let folder = TempDir::new().unwrap();
        let at = folder.path().display();
        let setup = format!(
            "mount --make-rprivate /
            mount -t proc proc /proc
            mkdir {at}/real && mount --rbind /usr {at}/real
            cp -a /etc {at}/etc && mount --bind {at}/etc /etc
            grep -q '^wazuh:' /etc/group || echo 'wazuh:x:990:' >>/etc/group"
        );
        let space = Namespaces::start(&["--mount", "--pid"], &setup).unwrap();
        let endpoint = Self { space, folder };
        endpoint.install();
        Some(endpoint)
    }

    /// By the commands of the README.
    fn install(&self) {
        let home = self.home();
        for folder in ["active-response/bin", "etc/shared/linux", "logs"] {
            fs::create_dir_all(home.join(folder)).unwrap();
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/active-response");
        let readme = fs::read_to_string(source.join("README.md")).unwrap();
        let command = |beginning: &str| {
            let line = readme.lines().find(|line| line.trim().starts_with(beginning)).unwrap();
            line.replace("/var/ossec", home.to_str().unwrap())
        };
        // What the manager has in the folder of a group comes into `shared` of its agents.
        self.sh(&format!(
            "cd {} && {}\ncd {}/etc/shared && cp linux/* . && chmod 644 countersign*\n{}",
            source.display(),
            command("cp -L countersign* "),
            home.display(),
            command("install -o root "),
        ));
        fs::write(home.join("logs/active-responses.log"), "").unwrap();
        self.configure("<server><address>10.77.0.9</address></server>");
    }

    /// Writes an `ossec.conf` with this in its client section.
    pub(crate) fn configure(&self, client: &str) {
        let conf = format!("<ossec_config>\n<client>\n{client}\n</client>\n</ossec_config>\n");
        fs::write(self.home().join("etc/ossec.conf"), conf).unwrap();
    }

    /// Wazuh's folder.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("ossec")
    }

    /// What the scripts remember.
    pub(crate) fn state(&self) -> PathBuf {
        self.home().join("active-response/countersign")
    }

    pub(crate) fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.home().join("logs/active-responses.log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }

    /// A command that runs on the endpoint.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        self.space.command(&["--mount", "--pid"], program, arguments)
    }

    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        succeed(&mut self.command("sh", &["-c", script])).unwrap()
    }

    /// The file behind a command.
    pub(crate) fn path_of(&self, tool: &str) -> String {
        self.sh(&format!("readlink -f \"$(command -v {tool})\"")).trim().to_owned()
    }

    /// Puts a file over one of the machine's tools, on this endpoint alone.
    fn cover(&self, tool: &str, name: &str, text: &str, mode: u32) {
        let file = self.folder.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        self.sh(&format!("mount --bind {} \"$(readlink -f {tool})\"", file.display()));
    }

    /// The endpoint does not have this tool.
    pub(crate) fn without(&self, tool: &str) {
        self.cover(tool, &format!("no-{}", tool.replace('/', "-")), "", 0o644);
    }

    /// The tool says that it did what it was asked to, and does nothing.
    pub(crate) fn lie(&self, tool: &str) {
        self.cover(tool, &format!("lie-{}", tool.replace('/', "-")), "#!/bin/sh\nexit 0\n", 0o755);
    }

    /// The same, but only where its arguments begin so.
    pub(crate) fn lie_about(&self, tool: &str, arguments: &str) {
        let real =
            format!("{}/real{}", self.folder.path().display(), tool.strip_prefix("/usr").unwrap());
        let script =
            format!("#!/bin/sh\ncase $* in '{arguments}'*) exit 0 ;; esac\nexec {real} \"$@\"\n");
        self.cover(tool, &format!("lie-{}", tool.replace('/', "-")), &script, 0o755);
    }

    /// The tool never ends.
    pub(crate) fn hang(&self, tool: &str) {
        let name = format!("hang-{}", tool.replace('/', "-"));
        self.cover(tool, &name, "#!/bin/sh\nexec tail -f /dev/null\n", 0o755);
    }

    /// What a command is called stands for another program on the endpoint.
    pub(crate) fn choose(&self, name: &str, program: &str) {
        self.sh(&format!("ln -sf {program} /etc/alternatives/{name}"));
    }

    /// From now on `interrupt` can cut off a script before and after each call of these tools.
    pub(crate) fn make_interruptible(&self, tools: &[&str]) {
        self.interrupt(0);
        for tool in tools {
            let at = self.folder.path().display();
            let real = self.path_of(tool);
            let own = format!("{at}/real{}", real.strip_prefix("/usr").unwrap());
            let point = format!(
                "read -r left <{at}/left; if [ \"$left\" -gt 0 ]; then left=$((left - 1)); \
                 echo \"$left\" >{at}/left; [ \"$left\" -gt 0 ] || kill -9 0; fi"
            );
            // A tool with many names does what its name says.
            let exec = format!(
                "#!/bin/bash\n{point}\n(exec -a \"$0\" {own} \"$@\")\nrc=$?\n{point}\nexit $rc\n"
            );
            self.cover(&real, &format!("at-{}", tool.replace('/', "-")), &exec, 0o755);
        }
    }

    /// Cuts off the next script at this point, counted from 1; never for 0.
    pub(crate) fn interrupt(&self, point: usize) {
        fs::write(self.folder.path().join("left"), format!("{point}\n")).unwrap();
    }

    /// Whether the point was reached. It is not cut off any more.
    pub(crate) fn was_interrupted(&self) -> bool {
        let left = fs::read_to_string(self.folder.path().join("left")).unwrap();
        self.interrupt(0);
        left.trim() == "0"
    }

    /// Another host, linked to the endpoint: on network 77 the endpoint is `10.77.0.1` and `fd77::1`,
    /// the other one `10.77.0.2` and `fd77::2`.
    pub(crate) fn link(&self, network: u8) -> Peer {
        let peer = Peer { space: Namespaces::start(&[], "").unwrap() };
        self.space.link(&peer.space, network).unwrap();
        peer.sh(&format!(
            "ip route add default via 10.{network}.0.1; ip -6 route add default via fd{network}::1"
        ));
        peer
    }

    pub(crate) fn listen(&self, address: &str, port: u16) -> Listener {
        listen(&self.space, address, port)
    }

    pub(crate) fn connects(&self, address: &str, port: u16) -> bool {
        connects(&self.space, address, port)
    }
}

impl Peer {
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        succeed(&mut self.space.command(&[], "sh", &["-c", script])).unwrap()
    }

    pub(crate) fn listen(&self, address: &str, port: u16) -> Listener {
        listen(&self.space, address, port)
    }

    pub(crate) fn connects(&self, address: &str, port: u16) -> bool {
        connects(&self.space, address, port)
    }

    /// Whether a datagram to another host arrives there.
    pub(crate) fn reaches(&self, other: &Self, address: &str) -> bool {
        // What came for a port on which nobody listens.
        let count = || other.sh("awk '/^Udp: [0-9]/ { print $3 }' /proc/net/snmp");
        let before = count();
        let send = format!("echo >/dev/udp/{address}/9");
        succeed(&mut self.space.command(&[], "bash", &["-c", &send])).unwrap();
        // This takes longer than the datagram.
        self.connects(address, 8022);
        count() != before
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ended = self.0.kill().is_ok() && self.0.wait().is_ok();
    }
}

/// Answers each line with the same line.
fn listen(space: &Namespaces, address: &str, port: u16) -> Listener {
    let program = "
import socket, sys, threading
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
print('ready', flush=True)
def echo(connection):
    while data := connection.recv(100): connection.sendall(data)
while True: threading.Thread(target=echo, args=server.accept()[:1], daemon=True).start()
";
    let mut child = space
        .command(&[], "python3", &["-c", program, address, &port.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    Listener(child)
}

/// Whether a connection opens, and a line comes back, within a second.
fn connects(space: &Namespaces, address: &str, port: u16) -> bool {
    let try_it = format!(
        "exec 3<>/dev/tcp/{address}/{port} && echo ping >&3 && read -r -t 1 said <&3 && [ $said = ping ]"
    );
    let mut command = space.command(&[], "timeout", &["1", "bash", "-c", &try_it]);
    command.stderr(Stdio::null()).status().unwrap().success()
}
