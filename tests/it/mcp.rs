//! The door for agents, entered by HTTP, by rmcp's own client and by the stdio bridge.

mod answers;
mod bearer;
mod bridge;
mod case;
mod check;
mod endings;
mod flow;
mod scene;
mod schemas;
mod undo;
mod waiting;
