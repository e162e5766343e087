//! Which forms the page offers to the person who looks at it, and why not the others.

use super::{FormAsks, FormState, RequestPage};
use crate::{
    broker::{queries::view::Permission, requests::undo::UndoOption, signed_in::passkey::signs},
    domain::{facts::Verb, halt::HaltCause, kill_switch::Freeze, request::StateName},
    web::{error::no_approval, layout::page::Layout},
};

impl RequestPage {
    /// What of the kill switch keeps it from being sent, while it could be.
    pub(in crate::web::request) fn stopped(&self) -> Option<&Freeze> {
        let request = &self.view.request;
        let open = !request.state.name().terminal();
        self.layout.stop_of(request).filter(|_| open)
    }

    /// Whether it may run and the kill switch alone keeps it from being sent.
    pub(in crate::web::request) fn held_by_kill_switch(&self) -> bool {
        let state = self.view.request.state.name();
        matches!(state, StateName::Approved | StateName::Dispatching) && self.stopped().is_some()
    }

    /// Why nobody may now, whatever policy says.
    fn halted(&self, verb: Verb) -> Option<String> {
        if matches!(verb, Verb::Approve | Verb::BreakGlass)
            && let Some(stop) = self.stopped()
        {
            return Some(Layout::stopped_text(stop));
        }
        if matches!(verb, Verb::Approve | Verb::Reject | Verb::BreakGlass)
            && !self.changed_since.is_empty()
        {
            let words = "It has changed since you opened it. Look at it again before you decide.";
            return Some(words.to_owned());
        }
        let halt = self.layout.halted.as_ref()?;
        if matches!(verb, Verb::Approve | Verb::BreakGlass) {
            return Some(no_approval(halt));
        }
        let full = matches!(halt.cause, HaltCause::DiskFull | HaltCause::DiskLow);
        (verb == Verb::Undo && full)
            .then(|| format!("It cannot be taken back now, because {halt}."))
    }

    pub(in crate::web) fn offer(&self, verb: Verb, what: &str) -> FormState {
        let form = |asks| self.halted(verb).map_or(FormState::Form(asks), FormState::Refused);
        match self.view.permission(verb) {
            Permission::Now => form(FormAsks::default()),
            Permission::WithPassword => {
                let passkey = self.viewer.has_passkeys && signs(verb);
                form(FormAsks { password: true, provider: false, passkey })
            }
            Permission::WithProvider => {
                let passkey = self.viewer.has_passkeys && signs(verb);
                form(FormAsks { password: false, provider: true, passkey })
            }
            Permission::WithPasskey => form(FormAsks { passkey: true, ..FormAsks::default() }),
            Permission::Denied(_) if self.asked_by_viewer() && verb == Verb::Resolve => {
                let why = "you asked for it yourself, so another person has to";
                FormState::Refused(format!("You may not {what}: {why}."))
            }
            Permission::Denied(why) => FormState::Refused(format!("You may not {what}: {why}.")),
        }
    }

    pub(in crate::web::request) fn approve(&self) -> FormState {
        let pending = self.view.request.state.name() == StateName::Pending;
        match self.mine() {
            None if pending => self.offer(Verb::Approve, "approve it"),
            None | Some(_) => FormState::Nothing,
        }
    }

    pub(in crate::web::request) fn reject(&self) -> FormState {
        if self.view.request.is_open() {
            self.offer(Verb::Reject, "reject it")
        } else {
            FormState::Nothing
        }
    }

    pub(in crate::web::request) fn retract(&self) -> FormState {
        match self.mine() {
            Some(_) if self.is_before_claim() && self.view.request.parent().is_none() => {
                self.offer(Verb::Retract, "take your approval back")
            }
            Some(_) | None => FormState::Nothing,
        }
    }

    pub(in crate::web::request) fn cancel(&self) -> FormState {
        match self.offer(Verb::Cancel, "cancel it") {
            form @ FormState::Form(_) if self.view.request.is_open() => form,
            // Cancelling is for the agent's side: to everybody else it is no offer that is missing.
            FormState::Form(_) | FormState::Refused(_) | FormState::Nothing => FormState::Nothing,
        }
    }

    pub(in crate::web::request) fn undo(&self) -> FormState {
        match self.view.undo {
            UndoOption::Possible { .. } if self.view.request.may_be_undone() => {
                self.offer(Verb::Undo, "take it back")
            }
            UndoOption::Possible { .. } => {
                FormState::Refused("It can be taken back once it has been sent.".to_owned())
            }
            UndoOption::Impossible { .. } | UndoOption::Nothing => FormState::Nothing,
        }
    }

    fn asked_by_viewer(&self) -> bool {
        let asker = self.view.request.asked_by.as_ref();
        asker.is_some_and(|asker| asker.person == self.viewer.id)
    }

    pub(in crate::web::request) fn resolve(&self) -> FormState {
        if self.needing_attention().is_empty() {
            FormState::Nothing
        } else {
            self.offer(Verb::Resolve, "record what happened")
        }
    }
}
