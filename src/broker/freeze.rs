//! The kill switch, thrown and released by people on the page.

use super::{Broker, BrokerError, sign_in::SignedIn};
use crate::domain::facts::{Resource, Verb};

impl Broker {
    /// Stops everything: nothing is claimed and nothing is sent.
    pub async fn freeze(&self, who: &SignedIn, reason: &str) -> Result<(), BrokerError> {
        self.authorize(&who.principal(self.clock().now()), Verb::Freeze, &Resource::System)?;
        self.keeper().freeze(&who.actor(), reason).await
    }

    /// Lets it go on.
    pub async fn unfreeze(&self, who: &SignedIn, reason: &str) -> Result<(), BrokerError> {
        self.authorize(&who.principal(self.clock().now()), Verb::Unfreeze, &Resource::System)?;
        self.keeper().unfreeze(&who.actor(), reason).await
    }
}
