//! What people typed into forms that were not carried out, kept until they are: in memory, for the
//! person who typed it, bounded and for an hour. It never stands in an address, and no password is
//! ever kept.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::StatusCode;
use chrono::TimeDelta;

use crate::domain::{Time, id::PersonId};

pub(super) mod confirmations;

/// How long a text is kept.
const KEEP: TimeDelta = TimeDelta::hours(1);
/// How many texts one person has at most; the oldest goes first.
const PER_PERSON_MAX: usize = 20;
/// How many bytes all texts have at most; the oldest goes first.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest text, and the longest address of a page, in bytes. No form takes as much.
const TEXT_BYTES_MAX: usize = 16 * 1024;
const PAGE_BYTES_MAX: usize = 8 * 1024;

/// Which form on which page was filled in, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DraftKey {
    pub(super) person: PersonId,
    /// The address of the page that the form is on.
    pub(super) page: String,
    /// The last part of the form's address.
    pub(super) form: String,
}

impl DraftKey {
    pub(super) fn new(person: PersonId, page: &str, form: &str) -> Self {
        Self { person, page: page.to_owned(), form: form.to_owned() }
    }
}

/// What was typed, and why the form was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) text: String,
    /// The version that was on the screen, where the form says it.
    pub(super) displayed: Option<u64>,
    /// In a sentence for the page; none once it was shown, for it is soon no longer so.
    pub(super) problem: Option<(StatusCode, String)>,
    pub(super) at: Time,
}

/// All that is kept. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Drafts(Arc<Mutex<KeptDrafts>>);

#[derive(Debug, Default)]
struct KeptDrafts {
    texts: BTreeMap<DraftKey, Draft>,
}

impl Drafts {
    fn kept(&self) -> MutexGuard<'_, KeptDrafts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a text in the place of an earlier one of the same form. False where it is too long.
    pub(super) fn keep(&self, key: DraftKey, draft: Draft) -> bool {
        if draft.text.len() > TEXT_BYTES_MAX || key.page.len() > PAGE_BYTES_MAX {
            return false;
        }
        let mut kept = self.kept();
        let (now, person) = (draft.at, key.person);
        kept.texts.retain(|_, draft| now - draft.at < KEEP);
        kept.texts.insert(key, draft);
        while kept.texts.keys().filter(|key| key.person == person).count() > PER_PERSON_MAX {
            kept.remove_oldest(Some(person));
        }
        while kept.bytes() > BYTES_MAX {
            kept.remove_oldest(None);
        }
        true
    }

    /// Why the form was not carried out, where nobody was told yet.
    pub(super) fn take_problem(&self, key: &DraftKey) -> Option<(StatusCode, String)> {
        self.kept().texts.get_mut(key)?.problem.take()
    }

    /// When the text of a form was kept, where one is.
    pub(super) fn kept_at(&self, key: &DraftKey) -> Option<Time> {
        self.kept().texts.get(key).map(|draft| draft.at)
    }

    /// Forgets the text of a form that was carried out, where it is the one that was kept before: in
    /// another browser of the person the same form may have failed meanwhile, and say so.
    pub(super) fn forget(&self, key: &DraftKey, before: Option<Time>) {
        let mut kept = self.kept();
        if before.is_some() && kept.texts.get(key).map(|draft| draft.at) == before {
            kept.texts.remove(key);
        }
    }

    /// The texts of one person on one page, each with its form.
    pub(super) fn of(&self, person: PersonId, page: &str, now: Time) -> Vec<(String, Draft)> {
        let kept = self.kept();
        let own = kept.texts.iter().filter(|(key, draft)| {
            key.person == person && key.page == page && now - draft.at < KEEP
        });
        own.map(|(key, draft)| (key.form.clone(), draft.clone())).collect()
    }
}

impl KeptDrafts {
    fn bytes(&self) -> usize {
        self.texts.iter().map(|(key, draft)| key.page.len() + draft.text.len()).sum()
    }

    fn remove_oldest(&mut self, of: Option<PersonId>) {
        let own = self.texts.iter().filter(|(key, _)| of.is_none_or(|of| key.person == of));
        let oldest = own.min_by_key(|(_, draft)| draft.at).map(|(key, _)| key.clone());
        match oldest {
            Some(key) => drop(self.texts.remove(&key)),
            None => self.texts.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn key(person: u128, page: u128) -> DraftKey {
        DraftKey {
            person: PersonId::from(Uuid::from_u128(person)),
            page: format!("/plans/{page}"),
            form: "reject".to_owned(),
        }
    }

    fn draft(text: &str, minutes: i64) -> Draft {
        Draft {
            text: text.to_owned(),
            displayed: None,
            problem: Some((StatusCode::CONFLICT, "it changed".to_owned())),
            at: Time::UNIX_EPOCH + TimeDelta::minutes(minutes),
        }
    }

    fn texts(drafts: &Drafts, key: &DraftKey, minutes: i64) -> Vec<String> {
        let found = drafts.of(key.person, &key.page, draft("", minutes).at);
        found.into_iter().map(|(_, draft)| draft.text).collect()
    }

    #[test]
    fn draft_is_for_its_person_and_an_hour() {
        let drafts = Drafts::default();
        drafts.keep(key(1, 7), draft("ours", 0));
        assert_eq!(texts(&drafts, &key(1, 7), 59), ["ours"]);
        assert!(texts(&drafts, &key(1, 7), 60).is_empty());
        assert!(
            texts(&drafts, &key(2, 7), 1).is_empty() && texts(&drafts, &key(1, 8), 1).is_empty()
        );
        drafts.forget(&key(1, 7), drafts.kept_at(&key(1, 7)));
        assert!(texts(&drafts, &key(1, 7), 1).is_empty());
    }

    #[test]
    fn draft_of_another_browser_is_not_forgotten() {
        let drafts = Drafts::default();
        let before = drafts.kept_at(&key(1, 7));
        drafts.keep(key(1, 7), draft("of the other", 0));
        drafts.forget(&key(1, 7), before);
        assert_eq!(texts(&drafts, &key(1, 7), 1), ["of the other"]);
    }

    #[test]
    fn problem_of_a_draft_is_told_once() {
        let drafts = Drafts::default();
        drafts.keep(key(1, 7), draft("ours", 0));
        assert!(drafts.take_problem(&key(1, 7)).is_some_and(|(_, why)| why == "it changed"));
        assert_eq!(drafts.take_problem(&key(1, 7)), None);
        assert_eq!(texts(&drafts, &key(1, 7), 1), ["ours"]);
    }

    #[test]
    fn too_long_text_or_address_is_not_kept() {
        let drafts = Drafts::default();
        assert!(!drafts.keep(key(1, 7), draft(&"x".repeat(TEXT_BYTES_MAX + 1), 0)));
        let long = DraftKey { page: "x".repeat(PAGE_BYTES_MAX + 1), ..key(1, 7) };
        assert!(!drafts.keep(long, draft("ours", 0)));
        assert!(drafts.kept().texts.is_empty());
    }

    #[test]
    fn drafts_are_bounded_and_oldest_goes_first() {
        let drafts = Drafts::default();
        for number in 0..30 {
            assert!(drafts.keep(key(1, number), draft("one", i64::try_from(number).unwrap())));
        }
        assert!(texts(&drafts, &key(1, 9), 30).is_empty());
        assert_eq!(texts(&drafts, &key(1, 10), 30), ["one"]);
        for number in 0..400 {
            drafts.keep(key(100 + number, 1), draft(&"x".repeat(TEXT_BYTES_MAX), 31));
        }
        assert!(drafts.kept().bytes() <= BYTES_MAX);
    }
}
