//! Countersign: a policy-gated response broker with human approval for Wazuh.

pub mod simulator;
