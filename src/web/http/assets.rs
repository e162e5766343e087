//! The stylesheet, the script and the icons, part of the program.

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

/// What passkeys need on the pages that use them.
pub(in crate::web) const PASSKEY_SCRIPT: Asset = Asset {
    name: "passkey.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("../../../templates/static/passkey.js"),
};

/// What browsers put on a tab.
pub(in crate::web) const ICON: Asset = Asset {
    name: "icon.svg",
    kind: "image/svg+xml",
    text: include_str!("../../../templates/static/icon.svg"),
};

/// The signs before actions and pages, each under its name.
pub(in crate::web) const ICONS: Asset = Asset {
    name: "icons.svg",
    kind: "image/svg+xml",
    text: include_str!("../../../templates/static/icons.svg"),
};

/// Where a file is. The address changes with the file, so browsers may keep it for good.
pub(in crate::web) fn address(asset: &Asset) -> String {
    format!("/static/{}?{}", asset.name, Digest::of(asset.text.as_bytes()).prefix())
}

/// Hands out a file.
pub(in crate::web) async fn serve(Path(name): Path<String>) -> Result<Response, PageError> {
    let asset =
        [STYLE, SCRIPT, PASSKEY_SCRIPT, ICON, ICONS].into_iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(PageError::not_found)?;
    let keep = "public, max-age=31536000, immutable";
    let headers = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, keep)];
    Ok((headers, asset.text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Icon;

    #[test]
    fn every_icon_of_the_catalogue_is_in_the_file() {
        let (actions, _pages) = ICONS.text.split_once("<!-- For pages. -->").unwrap();
        let names: Vec<_> = Icon::ALL.iter().map(|icon| icon.name()).collect();
        let found = actions.split("<symbol id=\"").skip(1);
        let found: Vec<_> = found.map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(found, names);
    }
}
