//! What one person may see of the database: views in the place of the tables, on connections of their own.
//!
//! A statement that reads `request` reads the view there, whoever wrote it: no list, count, search or page
//! has to leave out anything by itself, and none can forget to. Only requests count of which the person
//! may see every site.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    domain::{
        actor::Person,
        audit::kind::{EventGroup, EventKind},
        site::Site,
    },
    store::{Reader, Store, StoreError, row::At, sqlite::query},
};

/// Tables whose rows belong to a request, which they name as `request_id`.
const OF_REQUESTS: [&str; 7] = [
    "request_endpoint",
    "request_site",
    "request_assignee",
    "request_snooze",
    "attempt",
    "decision_policy",
    "notice",
];

/// Deliveries of a notice about a request that is seen.
const DELIVERIES: &str = "
    CREATE TEMP VIEW delivery AS SELECT * FROM main.delivery AS one
    WHERE EXISTS (SELECT 1 FROM notice WHERE notice.id = one.notice_id);";

/// Tables that count, or name, what is beyond the eyes of some.
const OF_ALL: [&str; 2] = ["counter", "known_address"];

/// Events beside those of requests that are for everybody: what holds for all requests.
const FOR_EVERYBODY: [EventKind; 7] = [
    EventKind::Frozen,
    EventKind::ReleaseAsked,
    EventKind::Unfrozen,
    EventKind::PolicyActivated,
    EventKind::PolicyRefused,
    EventKind::ClockJumped,
    EventKind::Resumed,
];

/// A request of which every site is among those that are seen.
const REQUESTS: &str = "
    CREATE TEMP TABLE viewer (id TEXT NOT NULL, name TEXT NOT NULL);
    CREATE TEMP TABLE visible_site (
        manager TEXT NOT NULL, endpoint_groups TEXT NOT NULL,
        PRIMARY KEY (manager, endpoint_groups)) WITHOUT ROWID;
    CREATE TEMP VIEW request AS SELECT * FROM main.request AS one
    WHERE EXISTS (SELECT 1 FROM main.request_site WHERE request_id = one.id)
      AND NOT EXISTS (
        SELECT 1 FROM main.request_site AS it WHERE it.request_id = one.id AND NOT EXISTS (
            SELECT 1 FROM visible_site AS seen
            WHERE seen.manager = it.manager AND seen.endpoint_groups = it.endpoint_groups));";

/// A plan of which every step is seen, and every site that is.
const PLANS_AND_SITES: &str = "
    CREATE TEMP VIEW plan AS SELECT * FROM main.plan AS one
    WHERE NOT EXISTS (
        SELECT 1 FROM main.request AS step WHERE step.plan_id = one.id
          AND NOT EXISTS (SELECT 1 FROM request WHERE request.id = step.id));
    CREATE TEMP VIEW site AS SELECT * FROM main.site AS one
    WHERE EXISTS (SELECT 1 FROM visible_site AS seen
        WHERE seen.manager = one.manager AND seen.endpoint_groups = one.endpoint_groups);";

/// Votes on a request that is seen; and, without what was written with them, on one for whose endpoint,
/// which was away, such a one waits.
const VOTES: &str = "
    CREATE TEMP VIEW vote AS
    SELECT request_id, person_id, digest, role,
        CASE WHEN EXISTS (SELECT 1 FROM request WHERE request.id = one.request_id)
            THEN comment ELSE '' END AS comment,
        at, retracted_at, break_glass
    FROM main.vote AS one
    WHERE EXISTS (SELECT 1 FROM request WHERE request.id = one.request_id)
       OR EXISTS (SELECT 1 FROM request WHERE request.parent = one.request_id);";

/// What an endpoint did by itself, where the newest request about the endpoint is seen: nobody else says
/// which groups it is in.
const RULE_RESPONSES: &str = "
    CREATE TEMP VIEW rule_response AS SELECT * FROM main.rule_response AS one
    WHERE EXISTS (SELECT 1 FROM request WHERE request.id = (
        SELECT here.request_id
        FROM main.request_endpoint AS here
            CROSS JOIN main.request AS newest ON newest.id = here.request_id
        WHERE here.endpoint_id = one.endpoint_id AND newest.manager = one.manager
        ORDER BY here.request_id DESC LIMIT 1));";

/// The statements that make the views.
pub(super) fn views() -> String {
    let of_request = |table: &str| {
        format!(
            "CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} AS one
             WHERE EXISTS (SELECT 1 FROM request WHERE request.id = one.request_id);"
        )
    };
    let of_all =
        |table: &str| format!("CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} WHERE 0;");
    let quoted = |kinds: &mut dyn Iterator<Item = EventKind>| {
        kinds.map(|kind| format!("'{}'", kind.name())).collect::<Vec<_>>().join(", ")
    };
    let audit = format!(
        "CREATE TEMP VIEW audit AS SELECT * FROM main.audit AS one
         WHERE CASE WHEN one.request_id IS NOT NULL
             THEN EXISTS (SELECT 1 FROM request WHERE request.id = one.request_id)
             ELSE one.kind IN ({}) OR one.actor_id = (SELECT id FROM viewer)
                 OR (one.kind IN ({}) AND one.target = (SELECT name FROM viewer)) END;",
        quoted(&mut FOR_EVERYBODY.into_iter()),
        quoted(&mut EventGroup::Accounts.kinds()),
    );
    let tables = OF_REQUESTS.into_iter().map(of_request).chain(OF_ALL.into_iter().map(of_all));
    let tables: String = tables.collect();
    format!(
        "PRAGMA temp_store = MEMORY; {REQUESTS} {tables} {DELIVERIES} {VOTES} {PLANS_AND_SITES} {RULE_RESPONSES} {audit}"
    )
}

impl Store {
    /// A connection that shows what this person may see: what concerns these sites.
    pub async fn reader_of(
        &self,
        person: &Person,
        sites: &BTreeSet<Site>,
    ) -> Result<Reader, StoreError> {
        let mut reader = self.lend(&self.readers.visible).await?;
        let at = At { table: "site", id: &person.name };
        let row = |site: &Site| Ok(json!([site.manager, at.to_json(&site.groups)?]));
        let rows = sites.iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
        let set = [
            query("DELETE FROM visible_site"),
            query("INSERT INTO visible_site SELECT value ->> 0, value ->> 1 FROM json_each($1)")
                .bind(at.to_json(&rows)?),
            query("DELETE FROM viewer"),
            query("INSERT INTO viewer VALUES ($1, $2)")
                .bind(person.id.to_string())
                .bind(&person.name),
        ];
        for statement in set {
            statement.execute(&mut reader.0).await?;
        }
        Ok(reader)
    }
}
