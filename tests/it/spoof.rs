//! Hostile text through every field that takes text from outside, to every page, every answer to an
//! agent and the terminal: it hides nothing, is no markup, and no two texts look alike.

mod answers;
mod corpus;
mod manager;
mod oracle;
mod pages;
mod same;
mod stage;
mod terminal;
