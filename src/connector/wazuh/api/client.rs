//! One HTTP client of a manager. Every call passes the rate budget.

use std::sync::Arc;

use reqwest::RequestBuilder;

use super::{
    manager_error::refusal,
    rate_budget::{CallPurpose, RateBudget},
};
use crate::{
    connector::http::{
        client::{CallEffect, HttpClient, Reply, TransportError},
        error::ConnectorError,
    },
    domain::Time,
};

/// A client behind the rate budget.
#[derive(Debug)]
pub(in crate::connector::wazuh) struct ManagerClient {
    pub(in crate::connector::wazuh) http: HttpClient,
    pub(in crate::connector::wazuh) budget: Arc<RateBudget>,
}

impl ManagerClient {
    /// Makes a call, if the gate lets it through, and tells the gate how it ended.
    pub(in crate::connector::wazuh) async fn send(
        &self,
        request: RequestBuilder,
        mib_max: usize,
        purpose: CallPurpose,
        now: Time,
    ) -> Result<Reply, TransportError> {
        let circuit = |error| TransportError { effect: CallEffect::None, error };
        self.budget.admit(purpose, now).map_err(circuit)?;
        let answer = self.http.send(request, mib_max).await;
        match &answer {
            Ok(reply) if reply.status == 429 => self.budget.refused(now),
            Ok(reply) if reply.status == 500 => {
                let error = refusal(&self.http, reply, "");
                if matches!(error, ConnectorError::Busy { .. }) {
                    self.budget.failed(&error, now);
                } else {
                    self.budget.answered(now);
                }
            }
            Ok(_) | Err(TransportError { error: ConnectorError::TooLarge { .. }, .. }) => {
                self.budget.answered(now);
            }
            // It says nothing about the manager.
            Err(TransportError { error: ConnectorError::Local { .. }, .. }) => {}
            Err(TransportError { error, .. }) => self.budget.failed(error, now),
        }
        answer
    }
}
