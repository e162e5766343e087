//! A person, or a program with a token, says something about a request without voting.

use super::vote::VoteContext;
use crate::{
    broker::{Broker, BrokerError, SignedIn, TokenHolder, signed_in::token::Objector},
    domain::{
        actor::{Actor, api_token::TokenScope},
        audit::{AuditDetail, AuditEvent, EventKind, detail::request::CommentFacts},
        facts::Verb,
        id::{ApiTokenId, RequestId},
        lifecycle::Refusal,
        proposal::{InvalidField, REASON_CHARS_MAX, check_text},
        request::Request,
    },
    store::{Tx, audit},
};

pub mod triage;

/// A comment that a program sends, which may send it again.
#[derive(Debug, Clone, Copy)]
pub struct KeyedComment<'a> {
    /// What is said: 1 to [`REASON_CHARS_MAX`] characters.
    pub text: &'a str,
    /// The program's own name for it: 1 to [`COMMENT_KEY_CHARS_MAX`] printable characters of ASCII.
    /// Sent again with it, the comment is kept once.
    pub idempotency_key: Option<&'a str>,
}

/// The longest name of a comment, in characters.
pub const COMMENT_KEY_CHARS_MAX: usize = 64;

impl Broker {
    /// Writes a comment down beside the request, which stays as it is, whatever its state. Agents
    /// never see it.
    pub async fn comment(
        &self,
        who: &SignedIn,
        id: RequestId,
        comment: &str,
    ) -> Result<Request, BrokerError> {
        let comment = KeyedComment { text: comment, idempotency_key: None };
        Ok(self.comment_as(Objector::Person(who), id, comment).await?.0)
    }

    /// The same for a program with a token. Whether it was written now: false where it has been before.
    pub async fn comment_with_token(
        &self,
        who: &TokenHolder,
        id: RequestId,
        comment: KeyedComment<'_>,
    ) -> Result<bool, BrokerError> {
        who.ensure_scope(TokenScope::Comment)?;
        Ok(self.comment_as(Objector::Program(who), id, comment).await?.1)
    }

    async fn comment_as(
        &self,
        who: Objector<'_>,
        id: RequestId,
        comment: KeyedComment<'_>,
    ) -> Result<(Request, bool), BrokerError> {
        let KeyedComment { text, idempotency_key } = comment;
        let now = self.clock().now();
        check_text("comment", text, &format!("1 to {REASON_CHARS_MAX} characters"))?;
        idempotency_key.map(check_key).transpose()?;
        let done = self.store().write(|tx| {
            Box::pin(async move {
                let VoteContext { request, may, person, token, .. } =
                    self.objection_context(tx, who, id, (Verb::Comment, now)).await?;
                if !may.allowed {
                    return Err(Refusal::NotAllowed { why: may.why() }.into());
                }
                if let (Some(key), Some(token)) = (idempotency_key, &token)
                    && let Some(earlier) = earlier_comment(tx, id, (token.id, key)).await?
                {
                    return same_text(&earlier, text).map(|()| (request, false));
                }
                let actor = Actor::with_token(&person, token.as_ref());
                let facts = CommentFacts {
                    role: person.role,
                    comment: text.to_owned(),
                    token,
                    idempotency_key: idempotency_key.map(str::to_owned),
                };
                let mut event = AuditEvent::new(actor, None, AuditDetail::CommentAdded(facts));
                event.request = Some(id);
                audit::append(tx, &event, now).await?;
                Ok((request, true))
            })
        });
        self.record_refused_objection(who, id, Verb::Comment, done.await).await
    }
}

/// The comment that this token wrote under this name.
async fn earlier_comment(
    tx: &mut Tx<'_>,
    id: RequestId,
    (token, key): (ApiTokenId, &str),
) -> Result<Option<String>, BrokerError> {
    let entries = audit::of_request(tx, &id.to_string()).await?;
    let comments = entries.iter().filter(|entry| entry.kind == EventKind::CommentAdded.name());
    let of_this = |detail| {
        let AuditDetail::CommentAdded(facts) = detail else { return None };
        let same = facts.token.is_some_and(|by| by.id == token)
            && facts.idempotency_key.as_deref() == Some(key);
        same.then_some(facts.comment)
    };
    Ok(comments.filter_map(|entry| entry.typed_detail().ok()).find_map(of_this))
}

fn same_text(earlier: &str, text: &str) -> Result<(), BrokerError> {
    if earlier == text {
        return Ok(());
    }
    Err(InvalidField {
        field: "idempotency_key".to_owned(),
        problem: "it names another comment of yours on this request".to_owned(),
        allowed: "a new one for each comment".to_owned(),
    }
    .into())
}

fn check_key(key: &str) -> Result<(), InvalidField> {
    let sound = |byte: u8| byte.is_ascii_graphic();
    if (1..=COMMENT_KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(sound) {
        return Ok(());
    }
    Err(InvalidField {
        field: "idempotency_key".to_owned(),
        problem: format!("`{}` is not allowed", key.chars().take(40).collect::<String>()),
        allowed: format!("1 to {COMMENT_KEY_CHARS_MAX} printable characters of ASCII, no space"),
    })
}
