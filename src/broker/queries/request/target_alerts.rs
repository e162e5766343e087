//! How often alerts name what an open request acts on: asked of the indexer when a page is opened, and
//! never waited for long.

use crate::{
    broker::{
        Broker, BrokerError, SignedIn,
        in_memory::{AlertCount, CountKey},
    },
    domain::{facts::Verb, request::Request},
};

impl Broker {
    /// How often alerts of the last 24 hours name what an open request acts on, by an answer that is at
    /// most a minute old; the inner error says why that cannot be known now. None where it is no longer
    /// open, and where alerts name nothing of the kind.
    pub async fn target_alerts(
        &self,
        who: &SignedIn,
        request: &Request,
    ) -> Result<Option<Result<AlertCount, String>>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let action = &request.action;
        let address = action.address().map(|address| address.to_string());
        let account = || action.account().map(|account| account.as_str().to_owned());
        let of_account = address.is_none();
        let value = address.or_else(account).filter(|_| !request.state.name().terminal());
        let Some(value) = value else { return Ok(None) };
        let Some(manager) = self.manager(&request.manager) else {
            return Ok(Some(Err("its manager is no longer configured".to_owned())));
        };
        if !self.sees_all(who.profile()).await? {
            return Ok(Some(Err("the answer would count what your team does not see".to_owned())));
        }
        let clock = self.clock();
        let key = CountKey { manager: request.manager.clone(), of_account, value };
        let ask = manager.alerts_naming(action, clock.now());
        Ok(Some(self.alert_counts().answer(key, clock, ask).await))
    }
}
