//! The stylesheet, the script and the icon, part of the program.

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse as _, Response},
};

use crate::{domain::digest::Digest, web::error::PageError};

/// A file that pages refer to.
#[derive(Debug)]
pub(in crate::web) struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

/// How the page looks.
pub(in crate::web) const STYLE: Asset = Asset {
    name: "style.css",
    kind: "text/css; charset=utf-8",
    text: include_str!("../../../templates/static/style.css"),
};

/// What the page does by itself, where scripts run. Nothing depends on it.
pub(in crate::web) const SCRIPT: Asset = Asset {
    name: "page.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("../../../templates/static/page.js"),
};

/// What browsers put on a tab.
pub(in crate::web) const ICON: Asset = Asset {
    name: "icon.svg",
    kind: "image/svg+xml",
    text: include_str!("../../../templates/static/icon.svg"),
};

/// Where a file is. The address changes with the file, so browsers may keep it for good.
pub(in crate::web) fn address(asset: &Asset) -> String {
    format!("/static/{}?{}", asset.name, Digest::of(asset.text.as_bytes()).prefix())
}

/// Hands out a file.
pub(in crate::web) async fn serve(Path(name): Path<String>) -> Result<Response, PageError> {
    let asset = [STYLE, SCRIPT, ICON].into_iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(PageError::not_found)?;
    let keep = "public, max-age=31536000, immutable";
    let headers = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, keep)];
    Ok((headers, asset.text).into_response())
}
