//! The overview: what waits, what people decided and how fast, what was active, by agent and policy.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use super::record::{
    AgentRecord, DaysQuery, agents, by_fate, choices, day, series, time_to_decide,
};
use crate::{
    broker::queries::request::record::{Overview, RecordDays},
    domain::{decision::Tier, request::Fate},
    web::{
        AppState,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::{
            chart::{BarChart, Series},
            page::{Layout, page},
        },
    },
};

/// The classes of age of what waits.
const AGES: [&str; 5] =
    ["under 15 min", "15 min to 1 h", "1 h to 4 h", "4 h to 1 day", "over 1 day"];

#[derive(Debug, Template)]
#[template(path = "pages/overview.html")]
pub(in crate::web) struct OverviewPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) days: RecordDays,
    pub(in crate::web) waiting: BarChart,
    pub(in crate::web) asked: BarChart,
    pub(in crate::web) decided: BarChart,
    pub(in crate::web) active: BarChart,
    pub(in crate::web) time_to_decide: String,
    pub(in crate::web) agents: Vec<AgentRecord>,
    pub(in crate::web) policies: Vec<AgentRecord>,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(asked): QueryParams<DaysQuery>,
) -> Result<Response, PageError> {
    let days = asked.read(&app)?;
    let found = app.broker.overview(&session.who, days).await?;
    let layout = Layout::new(&app, &session, "Overview").await?.section("/overview");
    page(StatusCode::OK, &OverviewPage::new(layout.without_refresh(), days, found))
}

impl OverviewPage {
    pub(in crate::web) fn new(layout: Layout, days: RecordDays, found: Overview) -> Self {
        let Overview { waiting, record, decided, active, policies } = found;
        let by_day = |id, title: &str, unit, series| {
            BarChart::by_day(id, (title.to_owned(), unit), (days.since, days.days), series)
        };
        let tiers = [
            (Some(Tier::High), 3, "high"),
            (Some(Tier::Medium), 4, "medium"),
            (Some(Tier::Low), 2, "low"),
            (None, 5, "of an earlier version"),
        ];
        let of_tier = |(tier, look, name): (Option<Tier>, u8, &str)| {
            let values = (0..AGES.len()).map(|age| waiting.get(&(tier, age)).copied().unwrap_or(0));
            Series { name: name.to_owned(), values: values.collect(), look }
        };
        let known = |series: &Series| series.look != 5 || series.values.iter().any(|one| *one > 0);
        let people = vec![
            series(&decided, days, (2, "approved"), &[Fate::Approved]),
            series(&decided, days, (3, "rejected"), &[Fate::Rejected]),
        ];
        let active = Series { name: "active".to_owned(), values: active, look: 1 };
        Self {
            layout,
            days,
            waiting: BarChart {
                id: "waiting",
                title: "Waiting for people now, by tier and age".to_owned(),
                unit: "request",
                across: "age",
                labels: AGES.map(str::to_owned).into(),
                series: tiers.map(of_tier).into_iter().filter(known).collect(),
            },
            asked: by_day(
                "asked",
                "Asked, and what became of it",
                "request",
                by_fate(&record.days, days),
            ),
            decided: by_day("decided", "Decided by people", "request", people),
            active: by_day(
                "active",
                "Active at the end of the day; today, now",
                "response",
                vec![active],
            ),
            time_to_decide: time_to_decide(record.time_to_decide),
            agents: agents(&record.agents),
            policies: agents(&policies),
        }
    }

    /// The first of the days, in UTC.
    fn since(&self) -> String {
        day(self.days.since)
    }

    /// The choices of days: address, number, whether it is shown.
    fn choices(&self) -> Vec<(String, usize, bool)> {
        choices("/overview", self.days)
    }
}
