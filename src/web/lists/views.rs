//! The views that a person keeps, at the top of each list.

use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::{
    broker::admin::saved_views::VIEW_NAME_CHARS_MAX,
    web::{
        AppState, admin::reauthenticate::SessionForm, error::PageError, http::session::PageSession,
    },
};

/// The views that a person keeps, and the one that is shown.
#[derive(Debug, Default)]
pub(in crate::web) struct ViewsBar {
    /// Names and addresses.
    pub(in crate::web) saved: Vec<(String, String)>,
    /// The address of what is shown.
    pub(in crate::web) here: String,
    /// Whether that is more than the bare list.
    pub(in crate::web) can_save: bool,
}

impl ViewsBar {
    pub(in crate::web) async fn new(
        app: &AppState,
        session: &PageSession,
        here: String,
    ) -> Result<Self, PageError> {
        let saved = app.broker.saved_views(&session.who).await?;
        let saved = saved.into_iter().map(|view| (view.name, view.address)).collect();
        let can_save = here.contains('?');
        Ok(Self { saved, here, can_save })
    }

    /// The longest name, in characters.
    pub(in crate::web) const fn name_chars() -> usize {
        VIEW_NAME_CHARS_MAX
    }
}

/// A view to keep.
#[derive(Deserialize)]
pub(in crate::web) struct SaveViewFields {
    view: String,
    address: String,
}

/// Keeps the view that is shown.
pub(in crate::web) async fn save(form: SessionForm<SaveViewFields>) -> Result<Response, PageError> {
    let SessionForm { app, session, fields } = &form;
    app.broker.save_view(&session.who, &fields.view, &fields.address).await?;
    Ok(Redirect::to(&fields.address).into_response())
}

/// A view to delete.
#[derive(Deserialize)]
pub(in crate::web) struct DeleteViewFields {
    view: String,
}

/// Deletes a view.
pub(in crate::web) async fn delete(
    form: SessionForm<DeleteViewFields>,
) -> Result<Response, PageError> {
    let SessionForm { app, session, fields } = &form;
    app.broker.delete_view(&session.who, &fields.view).await?;
    Ok(Redirect::to("/").into_response())
}
