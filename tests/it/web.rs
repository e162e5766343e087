//! The page, over real HTTP with cookies and forms: a broker with its shipped policies, a simulated
//! manager, a clock that is moved by hand.

mod after;
mod browser;
mod comment;
mod crawl;
mod deciding;
mod glass;
mod guards;
mod lists;
mod reading;
mod room;
mod routes;
mod scan;
mod sessions;
mod switches;
mod together;
