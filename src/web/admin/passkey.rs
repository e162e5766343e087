//! What the script of a page takes to a passkey, and brings back.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    broker::{
        SignedIn,
        signed_in::passkey::{PasskeyAnswer, PasskeyQuestion},
    },
    domain::proposal::InvalidField,
};

/// What a browser needs to ask an authenticator.
#[derive(Debug, Serialize)]
pub(in crate::web) struct QuestionForBrowser {
    nonce: String,
    challenge: String,
    relying_party: String,
    credentials: Vec<String>,
    /// What authenticators call the person.
    user: String,
    name: String,
}

impl QuestionForBrowser {
    /// To one of the person; to anybody's where nobody has signed in yet.
    pub(in crate::web) fn new(question: PasskeyQuestion, who: Option<&SignedIn>) -> Self {
        let PasskeyQuestion { nonce, challenge, party, credentials } = question;
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        Self {
            nonce,
            challenge: text(challenge.bytes()),
            relying_party: party.id,
            credentials: credentials.iter().map(|id| text(id)).collect(),
            user: who.map(|who| who.id().to_string()).unwrap_or_default(),
            name: who.map(|who| who.profile().name.clone()).unwrap_or_default(),
        }
    }
}

/// What the script of the page brings back of a passkey that was used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerFromBrowser {
    nonce: String,
    credential: String,
    #[serde(default)]
    user: String,
    client_data: String,
    authenticator_data: String,
    signature: String,
}

/// Reads it.
pub(in crate::web) fn passkey_answer(text: &str) -> Result<PasskeyAnswer, InvalidField> {
    let answer: AnswerFromBrowser = from_script(text)?;
    Ok(PasskeyAnswer {
        nonce: answer.nonce,
        credential: bytes(&answer.credential)?,
        user: bytes(&answer.user)?,
        client_data: bytes(&answer.client_data)?,
        authenticator_data: bytes(&answer.authenticator_data)?,
        signature: bytes(&answer.signature)?,
    })
}

/// What the script of the page wrote.
pub(super) fn from_script<T: DeserializeOwned>(text: &str) -> Result<T, InvalidField> {
    serde_json::from_str(text).map_err(|_unreadable| unreadable())
}

/// Bytes as browsers write them.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, InvalidField> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_unreadable| unreadable())
}

fn unreadable() -> InvalidField {
    InvalidField {
        field: "passkey".to_owned(),
        problem: "it cannot be read".to_owned(),
        allowed: "what the script of this page makes of an authenticator's answer".to_owned(),
    }
}
