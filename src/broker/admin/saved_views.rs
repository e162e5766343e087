//! The views of lists that a person keeps: names and addresses, for nobody else. They open nothing
//! that the person may not read anyway.

use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::proposal::InvalidField,
    store::accounts::{self, SavedView},
};

/// A person has at most this many.
pub const VIEWS_MAX: u32 = 20;
/// The longest name, in characters.
pub const VIEW_NAME_CHARS_MAX: usize = 40;
/// The longest address, in bytes.
pub const VIEW_ADDRESS_BYTES_MAX: usize = 2000;
/// The lists that have views.
pub const VIEW_PATHS: [&str; 4] = ["/", "/requests", "/in-force", "/audit"];

impl Broker {
    /// The views that the person keeps, by name.
    pub async fn saved_views(&self, who: &SignedIn) -> Result<Vec<SavedView>, BrokerError> {
        Ok(accounts::saved_views(&mut self.store().reader().await?, who.id()).await?)
    }

    /// Keeps a view, in place of one with that name.
    pub async fn save_view(
        &self,
        who: &SignedIn,
        name: &str,
        address: &str,
    ) -> Result<(), BrokerError> {
        let view = SavedView { name: check_name(name)?, address: check_address(address)? };
        let (view, now) = (&view, self.clock().now());
        self.store()
            .write_quietly(|tx| {
                Box::pin(async move {
                    let person = who.active(tx, now).await?.person().id;
                    if accounts::save_view(tx, person, view, (VIEWS_MAX, now)).await? {
                        return Ok::<_, BrokerError>(());
                    }
                    let problem = format!("you have {VIEWS_MAX} already");
                    let allowed = "delete one, or use its name".to_owned();
                    Err(InvalidField { field: "view".to_owned(), problem, allowed }.into())
                })
            })
            .await
    }

    /// Deletes a view.
    pub async fn delete_view(&self, who: &SignedIn, name: &str) -> Result<(), BrokerError> {
        let now = self.clock().now();
        self.store()
            .write_quietly(|tx| {
                Box::pin(async move {
                    let person = who.active(tx, now).await?.person().id;
                    if accounts::delete_view(tx, person, name).await? {
                        return Ok::<_, BrokerError>(());
                    }
                    let problem = "you have none with this name".to_owned();
                    let allowed = "a view that you keep".to_owned();
                    Err(InvalidField { field: "name".to_owned(), problem, allowed }.into())
                })
            })
            .await
    }
}

fn check_name(name: &str) -> Result<String, InvalidField> {
    let name = name.trim();
    if (1..=VIEW_NAME_CHARS_MAX).contains(&name.chars().count()) {
        return Ok(name.to_owned());
    }
    Err(InvalidField {
        field: "name".to_owned(),
        problem: "it is missing or too long".to_owned(),
        allowed: format!("1 to {VIEW_NAME_CHARS_MAX} characters"),
    })
}

/// A link to one of the lists, and to nowhere else.
fn check_address(address: &str) -> Result<String, InvalidField> {
    let path = address.split('?').next().unwrap_or_default();
    let plain = address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if VIEW_PATHS.contains(&path) && plain && address.len() <= VIEW_ADDRESS_BYTES_MAX {
        return Ok(address.to_owned());
    }
    let paths = VIEW_PATHS.join(", ");
    Err(InvalidField {
        field: "address".to_owned(),
        problem: "it is none of a list, or too long".to_owned(),
        allowed: format!("{paths} and a filter, at most {VIEW_ADDRESS_BYTES_MAX} bytes"),
    })
}
