//! What surrounds every page: its title, the way around, who is signed in, the kill switch.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse as _, Response},
};

use crate::{
    domain::{
        Time,
        actor::{Person, Role},
        halt::Halt,
        kill_switch::{Extent, Freeze},
        request::Request,
    },
    web::{
        AppState,
        error::{PageError, no_approval},
        http::{assets, session::PageSession},
        layout::moment,
    },
};

/// A page that leads to others.
#[derive(Debug)]
pub(in crate::web) struct Section {
    /// Its address.
    pub(in crate::web) href: &'static str,
    /// Its name.
    pub(in crate::web) name: &'static str,
    /// The sign before it.
    pub(in crate::web) icon: &'static str,
}

const fn section(href: &'static str, name: &'static str, icon: &'static str) -> Section {
    Section { href, name, icon }
}

/// The pages that are used every hour. On a phone they are the bar at the bottom, which has room for
/// four.
const OFTEN: [Section; 4] = [
    section("/", "Inbox", "inbox"),
    section("/in-force", "Active responses", "shield-check"),
    section("/requests", "Requests", "list-checks"),
    section("/audit", "Audit", "scroll-text"),
];

/// The others.
const SELDOM: [Section; 6] = [
    section("/overview", "Overview", "layout-dashboard"),
    section("/policy", "Policy", "scale"),
    section("/system", "System", "server"),
    section("/people", "People", "users"),
    section("/agents", "Agents", "bot"),
    section("/help", "Help", "circle-question-mark"),
];

/// What surrounds a page.
#[derive(Debug)]
pub(in crate::web) struct Layout {
    /// The page's name.
    pub(in crate::web) title: String,
    /// The address of the section that the page belongs to.
    pub(in crate::web) section: &'static str,
    /// Who is signed in.
    pub(in crate::web) person: Option<Person>,
    /// How many requests wait for that person.
    pub(in crate::web) waiting: u64,
    /// The token that every form carries.
    pub(in crate::web) form_token: String,
    /// What the kill switch stops.
    pub(in crate::web) freezes: Vec<Freeze>,
    /// Why nothing at all is sent, the kill switch aside.
    pub(in crate::web) halted: Option<Halt>,
    /// What does not work now, in sentences.
    pub(in crate::web) troubles: Vec<String>,
    /// The state of the store that the page shows; none for a page that never reloads by itself.
    pub(in crate::web) seen: Option<u64>,
    /// Where its "Reload" leads; empty is the address that the page has.
    pub(in crate::web) refresh_url: String,
    /// Where the stylesheet is.
    pub(in crate::web) style: String,
    /// Where the script is.
    pub(in crate::web) script: String,
    /// Where the icon of the tab is.
    pub(in crate::web) icon: String,
}

impl Layout {
    /// For a person who is signed in.
    pub(in crate::web) async fn new(
        app: &AppState,
        session: &PageSession,
        title: impl Into<String>,
    ) -> Result<Self, PageError> {
        let waiting = app.broker.pending_count(&session.who).await?;
        Self::counted(app, session, title, waiting).await
    }

    /// The same where it is known already how many requests wait for that person.
    pub(in crate::web) async fn counted(
        app: &AppState,
        session: &PageSession,
        title: impl Into<String>,
        waiting: u64,
    ) -> Result<Self, PageError> {
        Ok(Self {
            waiting,
            person: Some(session.who.profile().clone()),
            form_token: session.form_token(app.broker.clock().random()),
            freezes: app.broker.frozen().await?,
            halted: app.broker.halted(),
            troubles: app.broker.outages_for(&session.who).await?,
            seen: Some(session.seen),
            ..Self::anonymous(title)
        })
    }

    /// For a page without a session.
    pub(in crate::web) fn anonymous(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: "",
            person: None,
            waiting: 0,
            form_token: String::new(),
            freezes: Vec::new(),
            halted: None,
            troubles: Vec::new(),
            seen: None,
            refresh_url: String::new(),
            style: assets::address(&assets::STYLE),
            script: assets::address(&assets::SCRIPT),
            icon: assets::address(&assets::ICON),
        }
    }

    /// Marks the place that the page belongs to.
    pub(in crate::web) fn section(self, here: &'static str) -> Self {
        Self { section: here, ..self }
    }

    /// For a page that may be the answer to a form: the address that this was sent to shows nothing.
    pub(in crate::web) fn refresh_url(self, again: impl Into<String>) -> Self {
        Self { refresh_url: again.into(), ..self }
    }

    /// A page that does not reload by itself.
    pub(in crate::web) fn without_refresh(self) -> Self {
        Self { seen: None, ..self }
    }

    /// Whether the kill switch stops more than some agents and actions.
    pub(in crate::web) fn stops_everything(&self) -> bool {
        self.freezes.iter().any(|freeze| match &freeze.extent {
            Extent::Everything | Extent::Manager(_) => true,
            Extent::Action(_) | Extent::Agent(_) => false,
        })
    }

    /// What of the kill switch stops a request.
    pub(in crate::web) fn stop_of(&self, request: &Request) -> Option<&Freeze> {
        self.freezes.iter().find(|freeze| freeze.extent.stops(request))
    }

    /// Why nobody may approve any of these now, whatever policy says.
    pub(in crate::web) fn no_approval<'a>(
        &self,
        mut requests: impl Iterator<Item = &'a Request>,
    ) -> Option<String> {
        let halted = self.halted.as_ref().map(no_approval);
        halted.or_else(|| requests.find_map(|one| self.stop_of(one)).map(Self::stopped_text))
    }

    /// "It is stopped: nothing is sent. Release the kill switch first."
    pub(in crate::web) fn stopped_text(freeze: &Freeze) -> String {
        format!("It is stopped: {}. Release the kill switch first.", Self::freeze_text(freeze))
    }

    /// Whether the person who looks decides nothing.
    pub(in crate::web) fn reads_only(&self) -> bool {
        self.person.as_ref().is_none_or(|person| person.role == Role::Auditor)
    }

    /// The agent that is stopped, where that is all.
    pub(in crate::web) fn agent_of(freeze: &Freeze) -> Option<&str> {
        match &freeze.extent {
            Extent::Agent(name) => Some(name),
            Extent::Everything | Extent::Manager(_) | Extent::Action(_) => None,
        }
    }

    /// Where the script for passkeys is.
    pub(in crate::web) fn passkey_script() -> &'static str {
        static ADDRESS: LazyLock<String> =
            LazyLock::new(|| assets::address(&assets::PASSKEY_SCRIPT));
        &ADDRESS
    }

    /// Where the signs before actions and pages are.
    pub(in crate::web) fn icons() -> &'static str {
        static ADDRESS: LazyLock<String> = LazyLock::new(|| assets::address(&assets::ICONS));
        &ADDRESS
    }

    /// "4 min ago"; none for what is not near.
    pub(in crate::web) fn near(time: Time) -> Option<String> {
        moment::near(time)
    }

    /// "14:02:31 UTC", with the day where it is not today.
    pub(in crate::web) fn exact(time: Time) -> String {
        moment::exact(time)
    }

    /// "nothing is sent", "nothing is sent to the manager paris".
    pub(in crate::web) fn freeze_text(freeze: &Freeze) -> String {
        match &freeze.extent {
            Extent::Everything => "nothing is sent".to_owned(),
            manager @ Extent::Manager(_) => format!("nothing is sent to {manager}"),
            action @ Extent::Action(_) => format!("no request for {action} is sent"),
            agent @ Extent::Agent(_) => format!("no request by {agent} is sent"),
        }
    }

    /// What the browser calls the page: what waits comes first, so that it shows on a narrow tab.
    pub(in crate::web) fn tab(&self) -> String {
        match self.waiting {
            0 => format!("{} · Countersign", self.title),
            number => format!("({number}) {} · Countersign", self.title),
        }
    }

    /// The pages that are used every hour, and the others.
    pub(in crate::web) fn sections(&self) -> Option<(&'static [Section], &'static [Section])> {
        match &self.person {
            // Nothing ever waits for an auditor, whose home is the audit.
            Some(Person { role: Role::Auditor, must_change_password: false, .. }) => {
                Some((OFTEN.get(1..).unwrap_or_default(), &SELDOM))
            }
            Some(person) if !person.must_change_password => Some((&OFTEN, &SELDOM)),
            Some(_) | None => None,
        }
    }

    /// Whether the page belongs to one of these.
    pub(in crate::web) fn is_in(&self, sections: &[Section]) -> bool {
        sections.iter().any(|one| one.href == self.section)
    }
}

/// Where a list of pages continues.
#[derive(Debug)]
pub(in crate::web) struct NextPage {
    /// The address of the list.
    pub(in crate::web) action: &'static str,
    /// The filter, as the form's fields.
    pub(in crate::web) fields: Vec<(&'static str, String)>,
    /// The key of the last row of this page.
    pub(in crate::web) before: String,
}

/// A template as an answer.
pub(in crate::web) fn page(
    status: StatusCode,
    template: &impl Template,
) -> Result<Response, PageError> {
    let html = template.render().map_err(|error| PageError::internal(&error))?;
    Ok((status, Html(html)).into_response())
}
