//! Hostile text through every field that takes text from outside, to every page, every answer to an
//! agent and the terminal: it hides nothing, is no markup, and no two texts look alike.

mod agent_answers;
mod command_line;
mod fixtures;
mod hostile_texts;
mod lookalikes;
mod manager_texts;
mod pages;
mod visible_checks;
