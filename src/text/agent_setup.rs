//! What an agent's client is told, ready to be pasted: where the broker is, and the agent's token.

use serde_json::{Value, json};

use crate::domain::public_url::PublicUrl;

/// What one client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSetup {
    /// The word for programs: `claude_code`.
    pub key: &'static str,
    /// The client, and where the text goes.
    pub place: &'static str,
    /// The text.
    pub text: String,
}

/// What the clients are told that docs/agents.md names.
pub fn client_setups(url: &PublicUrl, token: &str) -> [ClientSetup; 3] {
    let bearer = format!("Bearer {token}");
    let over_http = json!({ "servers": { "countersign": {
        "type": "http", "url": format!("{url}/mcp"), "headers": { "Authorization": bearer },
    } } });
    let over_stdio = json!({ "mcpServers": { "countersign": {
        "command": "/usr/local/bin/countersign", "args": ["stdio"],
        "env": { "COUNTERSIGN_URL": url.to_string(), "COUNTERSIGN_TOKEN": token },
    } } });
    [
        ClientSetup {
            key: "claude_code",
            place: "Claude Code, in a shell",
            text: format!(
                "claude mcp add --transport http countersign {url}/mcp \
                 --header \"Authorization: {bearer}\""
            ),
        },
        ClientSetup {
            key: "vs_code",
            place: "VS Code, in .vscode/mcp.json",
            text: pretty(&over_http),
        },
        ClientSetup {
            key: "claude_desktop",
            place: "Claude Desktop and others that start a program, in claude_desktop_config.json; \
                    the command is where countersign is on that machine",
            text: pretty(&over_stdio),
        },
    ]
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setups_are_those_of_the_manual() {
        let url = PublicUrl::parse("https://countersign.example").unwrap();
        let dense = |text: &str| text.replace('\\', "").split_whitespace().collect::<String>();
        let manual = dense(include_str!("../../docs/agents.md"));
        for setup in client_setups(&url, "cs_…") {
            let text = match serde_json::from_str::<Value>(&setup.text) {
                Ok(value) => value,
                Err(_no_json) => {
                    assert!(manual.contains(&dense(&setup.text)), "{}", setup.text);
                    continue;
                }
            };
            let blocks = include_str!("../../docs/agents.md").split("```json").skip(1);
            let mut blocks = blocks.filter_map(|block| block.split("```").next());
            let same =
                |block: &str| serde_json::from_str::<Value>(block).ok() == Some(text.clone());
            assert!(blocks.any(same), "{}", setup.text);
        }
    }
}
