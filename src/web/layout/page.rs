//! What surrounds every page: its title, the way around, who is signed in, the kill switch.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse as _, Response},
};

use crate::{
    domain::{
        actor::{Person, Role},
        halt::Halt,
        kill_switch::{Extent, Freeze},
    },
    web::{
        AppState,
        error::PageError,
        http::{assets, session::PageSession},
    },
};

/// The pages that lead to all others: address and name.
const SECTIONS: [(&str, &str); 9] = [
    ("/", "Inbox"),
    ("/overview", "Overview"),
    ("/in-force", "Active responses"),
    ("/requests", "Requests"),
    ("/audit", "Audit"),
    ("/policy", "Policy"),
    ("/system", "System"),
    ("/people", "People"),
    ("/agents", "Agents"),
];

/// What surrounds a page.
#[derive(Debug)]
pub(in crate::web) struct Layout {
    /// The page's name.
    pub(in crate::web) title: String,
    /// The entry of [`SECTIONS`] that the page belongs to.
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
    /// Where the icon is.
    pub(in crate::web) icon: String,
}

impl Layout {
    /// For a person who is signed in.
    pub(in crate::web) async fn new(
        app: &AppState,
        session: &PageSession,
        title: impl Into<String>,
    ) -> Result<Self, PageError> {
        Ok(Self {
            waiting: app.broker.pending_count(&session.who).await?,
            person: Some(session.who.profile().clone()),
            form_token: session.form_token(),
            freezes: app.broker.frozen().await?,
            halted: app.broker.halted(),
            troubles: app.broker.outages(),
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

    pub(in crate::web) fn sections(&self) -> &'static [(&'static str, &'static str)] {
        match &self.person {
            // Nothing ever waits for an auditor, whose home is the audit.
            Some(Person { role: Role::Auditor, must_change_password: false, .. }) => {
                SECTIONS.get(1..).unwrap_or_default()
            }
            Some(person) if !person.must_change_password => &SECTIONS,
            Some(_) | None => &[],
        }
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
