//! What one person may see of what is stored: policy says which sites, the store shows no more.

use std::collections::BTreeSet;

use crate::{
    broker::{Broker, BrokerError, SignedIn, TokenHolder},
    domain::{actor::Person, site::Site},
    store::{Reader, requests},
};

impl Broker {
    /// A connection that shows a person what they may see and nothing else, whatever is read through it.
    pub(in crate::broker) async fn reader_for(
        &self,
        who: &SignedIn,
    ) -> Result<Reader, BrokerError> {
        self.reader_of_person(who.profile()).await
    }

    /// The same for a program: what the person may see who answers for it.
    pub(in crate::broker) async fn reader_for_token(
        &self,
        who: &TokenHolder,
    ) -> Result<Reader, BrokerError> {
        self.reader_of_person(who.owner()).await
    }

    async fn reader_of_person(&self, person: &Person) -> Result<Reader, BrokerError> {
        let mut reader = self.store().reader().await?;
        match self.visible_sites(&mut reader, person).await? {
            None => Ok(reader),
            Some(sites) => {
                // Whoever holds one of these and waits for one of those would hold up others.
                drop(reader);
                Ok(self.store().reader_of(person, &sites).await?)
            }
        }
    }

    /// Whether there is nothing that the person may not see.
    pub(in crate::broker) async fn sees_all(&self, person: &Person) -> Result<bool, BrokerError> {
        let mut reader = self.store().reader().await?;
        Ok(self.visible_sites(&mut reader, person).await?.is_none())
    }

    /// Whether a person may see an endpoint that is in these groups of a manager.
    pub(in crate::broker) fn sees(
        &self,
        person: &Person,
        manager: &str,
        groups: &[String],
    ) -> bool {
        self.engine().may_view(person, &Site::new(manager, groups))
    }

    /// Whether a person may see each of these sites.
    pub(in crate::broker) fn sees_all_of(&self, person: &Person, sites: &BTreeSet<Site>) -> bool {
        sites.iter().all(|site| self.engine().may_view(person, site))
    }

    /// The names of the managers that a person may see something of.
    pub async fn manager_names(&self, who: &SignedIn) -> Result<Vec<String>, BrokerError> {
        let known = requests::sites(&mut self.store().reader().await?).await?;
        let seen = |manager: &str| {
            let here = known.iter().filter(|site| site.manager == manager);
            self.sees(who.profile(), manager, &[])
                || here.into_iter().any(|site| self.engine().may_view(who.profile(), site))
        };
        let names = self.managers().iter().map(|manager| manager.name());
        Ok(names.filter(|name| seen(name)).map(str::to_owned).collect())
    }

    /// The sites that a person may see; none where these are all, and all that may come: of somebody in a
    /// team nobody knows that.
    async fn visible_sites(
        &self,
        reader: &mut Reader,
        person: &Person,
    ) -> Result<Option<BTreeSet<Site>>, BrokerError> {
        let engine = self.engine();
        let mut known = requests::sites(reader).await?;
        known.extend(self.managers().iter().map(|manager| Site::new(manager.name(), &[])));
        let all = known.len();
        known.retain(|site| engine.may_view(person, site));
        let everything = person.teams.is_empty()
            && known.len() == all
            && engine.may_view(person, &Site::anywhere());
        Ok((!everything).then_some(known))
    }
}
