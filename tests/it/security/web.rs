//! Attacks on the page, over every route and every link.

pub(crate) mod every_route;
mod forged_forms;
mod link_crawl;
pub(crate) mod route_scan;
