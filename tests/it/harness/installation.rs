//! The built program as [`World`](super::World) is for the broker alone: set up on a simulated
//! manager.

use wazuh_simulator::{Server, Simulator};

use super::{
    fixtures::{loopback, simulated},
    program::Program,
};

/// The program in a folder of its own, set up on a manager that listens. No server runs yet.
pub(crate) struct Installation {
    pub(crate) program: Program,
    pub(crate) manager: Simulator,
    /// The agent's.
    pub(crate) token: String,
    server: Server,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        let manager = Simulator::new(simulated());
        let server = manager.listen(loopback()).await.unwrap();
        let program = Program::new();
        let token = program.set_up(&server.url());
        Self { program, manager, token, server }
    }

    /// Adds these lines to the configuration.
    pub(crate) fn configure(&self, more: &str) {
        let configuration = self.program.configuration(&self.server.url());
        self.program.write("countersign.toml", &format!("{configuration}{more}"));
    }

    /// Configures the manager's indexer.
    pub(crate) fn configure_indexer(&self) {
        self.program.write("indexer.password", "indexer-pw");
        self.configure(&format!(
            "[manager.main.indexer]\nurl = \"{}\"\nuser = \"admin\"\n\
             password_file = \"indexer.password\"\n",
            self.server.url()
        ));
    }

    /// Adds a key to `[server]` of the configuration.
    pub(crate) fn configure_server(&self, key: &str) {
        let configuration = self.program.configuration(&self.server.url());
        let configuration = configuration.replace("[server]\n", &format!("[server]\n{key}\n"));
        self.program.write("countersign.toml", &configuration);
    }
}
