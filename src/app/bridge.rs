//! The stdio bridge: standard input and output on one side, a broker on the other.

use tokio::io::{stdin, stdout};

use super::AppError;
use crate::{
    connector::{Relay, Secret, Tls},
    mcp::bridge::{self, BrokerAnswer, PostMessage},
};

/// Relays until standard input ends.
pub async fn run(url: &str, token: String, tls: Option<Tls>) -> Result<(), AppError> {
    let relay = Relay::new(url, Secret::new(token), tls)?;
    let what = "standard input or output".to_owned();
    bridge::run(stdin(), stdout(), ToBroker(relay))
        .await
        .map_err(|source| AppError::Io { what, source })
}

struct ToBroker(Relay);

impl PostMessage for ToBroker {
    async fn post(
        &self,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<BrokerAnswer, String> {
        let (status, content_type, body) = self.0.post(headers, body).await?;
        Ok(BrokerAnswer { status, content_type, body })
    }
}
