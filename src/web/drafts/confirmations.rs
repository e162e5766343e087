//! Forms that wait until the identity provider has asked again who sends them: in memory, for the
//! session that sent them, bounded and for minutes. No password is kept.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::TimeDelta;

use crate::domain::{Time, digest::Digest, id::PersonId};

/// How long a form is kept: no confirmation takes longer, or is good for longer.
const KEEP: TimeDelta = TimeDelta::minutes(10);
/// How many forms of one person are kept at most; the oldest goes first.
const PER_PERSON_MAX: usize = 8;
/// How many bytes the forms of one person take at most; the oldest goes first.
const PERSON_BYTES_MAX: usize = 512 * 1024;
/// What a field takes beside its text, in bytes.
const FIELD_BYTES: usize = size_of::<(String, String)>();
/// The fields that prove something: they are not what is done.
const PROOFS: [&str; 3] = ["form_token", "password", CONFIRMATION];
/// The field that names what was confirmed.
pub(in crate::web) const CONFIRMATION: &str = "confirmation";

/// A form as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct SentForm {
    /// Where to.
    pub(in crate::web) path: String,
    /// What it says, without what proves who sends it.
    pub(in crate::web) fields: Vec<(String, String)>,
    /// What it says was confirmed, where it does.
    pub(in crate::web) confirmation: Option<Digest>,
}

impl SentForm {
    /// What came.
    pub(in crate::web) fn new(path: &str, fields: Vec<(String, String)>) -> Self {
        let named = fields.iter().find(|(name, _)| name == CONFIRMATION);
        let confirmation = named.and_then(|(_, id)| Digest::parse(id));
        let proves = |(name, _): &(String, String)| PROOFS.contains(&name.as_str());
        let fields = fields.into_iter().filter(|field| !proves(field)).collect();
        Self { path: path.to_owned(), fields, confirmation }
    }

    /// What is confirmed: where it goes, and all that it says.
    pub(in crate::web) fn digest(&self) -> Digest {
        let mut parts = vec!["countersign form", &self.path];
        parts.extend(self.fields.iter().flat_map(|(name, value)| [name.as_str(), value]));
        // Each part with its length: no two forms are the same bytes.
        let bytes = parts.iter().map(|part| format!("{}:{part}", part.len()));
        Digest::of(bytes.collect::<String>().as_bytes())
    }

    fn bytes(&self) -> usize {
        let texts = self.fields.iter().map(|(name, value)| FIELD_BYTES + name.len() + value.len());
        self.path.len() + texts.sum::<usize>()
    }
}

/// A form that is kept, and whose it is.
#[derive(Debug)]
struct KeptForm {
    id: Digest,
    person: PersonId,
    form: SentForm,
    at: Time,
}

/// All that is kept. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct Confirmations(Arc<Mutex<VecDeque<KeptForm>>>);

impl Confirmations {
    fn kept(&self) -> MutexGuard<'_, VecDeque<KeptForm>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a form of a person under a name. Nobody's forms make those of somebody else go.
    pub(in crate::web) fn keep(&self, id: Digest, person: PersonId, form: SentForm, now: Time) {
        let mut kept = self.kept();
        kept.retain(|one| now - one.at < KEEP);
        kept.push_back(KeptForm { id, person, form, at: now });
        loop {
            let own = kept.iter().filter(|one| one.person == person);
            let (number, bytes) =
                own.fold((0, 0), |(number, bytes), one| (number + 1, bytes + one.form.bytes()));
            if number <= PER_PERSON_MAX && bytes <= PERSON_BYTES_MAX {
                return;
            }
            let oldest = kept.iter().position(|one| one.person == person);
            let Some(_forgotten) = oldest.and_then(|oldest| kept.remove(oldest)) else { return };
        }
    }

    /// The form of that name, which is forgotten with that.
    pub(in crate::web) fn take(&self, id: Digest) -> Option<SentForm> {
        let mut kept = self.kept();
        let place = kept.iter().position(|one| one.id == id)?;
        kept.remove(place).map(|one| one.form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(path: &str, fields: &[(&str, &str)]) -> SentForm {
        let owned = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        SentForm::new(path, owned.collect())
    }

    #[test]
    fn digest_of_form_holds_every_field_and_no_proof() {
        let one = form("/requests/1/approve", &[("version", "1"), ("comment", "seen")]);
        let proofs =
            [("form_token", "a"), ("version", "1"), ("password", "b"), ("comment", "seen")];
        assert_eq!(form("/requests/1/approve", &proofs).digest(), one.digest());
        for other in [
            form("/requests/2/approve", &[("version", "1"), ("comment", "seen")]),
            form("/requests/1/approve", &[("version", "2"), ("comment", "seen")]),
            form("/requests/1/approve", &[("version", "1")]),
            form("/requests/1/approve", &[("version", "1comment"), ("", "seen")]),
            form("/requests/1/approve", &[("comment", "seen"), ("version", "1")]),
        ] {
            assert_ne!(other.digest(), one.digest(), "{other:?}");
        }
    }

    #[test]
    fn forms_of_one_person_are_bounded_by_themselves() {
        let kept = Confirmations::default();
        let (now, person) = (Time::UNIX_EPOCH, |n| PersonId::from(uuid::Uuid::from_u128(n)));
        let name = |at: usize| Digest::of(format!("form {at}").as_bytes());
        kept.keep(name(99), person(2), form("/", &[("comment", "of somebody else")]), now);
        let empty = vec![("", ""); PERSON_BYTES_MAX / FIELD_BYTES / 2];
        for at in 0..3 {
            kept.keep(name(at), person(1), form("/", &empty), now);
        }
        assert_eq!(kept.kept().len(), 1 + 2, "what is empty takes room, too");
        for at in 3..20 {
            kept.keep(name(at), person(1), form("/", &[]), now);
        }
        assert_eq!(kept.kept().len(), 1 + PER_PERSON_MAX);
        assert_eq!(kept.take(name(0)), None);
        assert!(kept.take(name(19)).is_some() && kept.take(name(99)).is_some());
        assert_eq!(kept.take(name(19)), None, "once");
    }
}
