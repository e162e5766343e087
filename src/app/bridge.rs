//! The stdio bridge: standard input and output on one side, a broker on the other.

use tokio::io::{stdin, stdout};

use super::AppError;
use crate::{
    connector::{Relay, RelayAnswer, Secret, Tls},
    mcp::bridge::{self, AnswerBody, BrokerAnswer, PostMessage, Unfit},
};

/// Relays until standard input ends. Fails at once where address or token lead to no broker.
pub async fn run(url: &str, token: String, tls: Option<Tls>) -> Result<(), AppError> {
    let broker = ToBroker(Relay::new(url, Secret::new(token), tls)?);
    bridge::check(&broker).await.map_err(|unfit| AppError::Bridge(sentence(&unfit, url)))?;
    let what = "standard input or output".to_owned();
    bridge::run(stdin(), stdout(), broker).await.map_err(|source| AppError::Io { what, source })
}

fn sentence(unfit: &Unfit, url: &str) -> String {
    match unfit {
        Unfit::Token => format!(
            "COUNTERSIGN_TOKEN is not accepted by the broker at `{url}`: it is wrong, was replaced \
             or revoked. Allowed: the token that an admin issues on the page Agents, such as cs_ and \
             64 hexadecimal digits"
        ),
        Unfit::Address(why) => format!(
            "COUNTERSIGN_URL is `{url}`: {why}. Allowed: the address that people use for the page, \
             such as https://countersign.example"
        ),
    }
}

struct ToBroker(Relay);

impl PostMessage for ToBroker {
    type Body = RelayAnswer;

    async fn post(
        &self,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<BrokerAnswer<RelayAnswer>, String> {
        let answer = self.0.post(headers, body).await?;
        let (status, content_type) = (answer.status(), answer.content_type());
        Ok(BrokerAnswer { status, content_type, body: answer })
    }
}

impl AnswerBody for RelayAnswer {
    async fn piece(&mut self) -> Result<Option<Vec<u8>>, String> {
        Self::piece(self).await
    }
}
