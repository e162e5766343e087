//! The second factor on the page of one's own account: on, off, other recovery codes.

use askama::Template;
use axum::{http::StatusCode, response::Response};

use super::{PasswordField, answer, with_password};
use crate::web::{
    admin::reauthenticate::{FormResult, SessionForm},
    error::PageError,
    layout::page::{Layout, page},
};

/// Recovery codes, shown once: the broker keeps only their hashes.
#[derive(Debug, Template)]
#[template(path = "pages/recovery_codes.html")]
pub(in crate::web) struct RecoveryCodesPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) codes: Vec<String>,
}

/// Switches it on, and shows the recovery codes.
pub(in crate::web) async fn switch_on(
    form: SessionForm<PasswordField>,
) -> Result<Response, PageError> {
    let done = async {
        let who = with_password(&form).await?;
        Ok(form.app.broker.switch_second_factor_on(&who).await?)
    };
    codes(&form, done.await).await
}

/// Makes other recovery codes, and shows them.
pub(in crate::web) async fn renew(form: SessionForm<PasswordField>) -> Result<Response, PageError> {
    let done = async {
        let who = with_password(&form).await?;
        Ok(form.app.broker.renew_recovery_codes(&who).await?)
    };
    codes(&form, done.await).await
}

/// Switches it off.
pub(in crate::web) async fn switch_off(
    form: SessionForm<PasswordField>,
) -> Result<Response, PageError> {
    let done = async {
        let who = with_password(&form).await?;
        Ok(form.app.broker.switch_second_factor_off(&who).await?)
    };
    answer(&form, done.await).await
}

async fn codes(
    form: &SessionForm<PasswordField>,
    done: FormResult<Vec<String>>,
) -> Result<Response, PageError> {
    match done {
        Ok(codes) => {
            let layout = Layout::new(&form.app, &form.session, "Your recovery codes").await?;
            page(StatusCode::OK, &RecoveryCodesPage { layout: layout.without_refresh(), codes })
        }
        Err(error) => answer(form, Err(error)).await,
    }
}
