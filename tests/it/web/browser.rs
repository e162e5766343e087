//! A browser: a person who keeps the page that came last, and fills in the forms on it.

use reqwest::{Method, RequestBuilder, Response, header};

use crate::harness::{
    PersonClient,
    page::{Page, filled_in},
};

/// Somebody's browser. A page of it is what came last.
pub(crate) struct Browser {
    pub(crate) person: PersonClient,
    pub(crate) page: Page,
}

impl Browser {
    pub(crate) fn new(origin: &str) -> Self {
        Self { person: PersonClient::stranger(origin), page: Page::default() }
    }

    /// Goes to a page and follows where it leads.
    pub(crate) async fn open(&mut self, path: &str) -> &Page {
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let answer = self.request(Method::GET, &path).send().await.unwrap();
            self.take(answer).await;
            next = self.page.location.clone();
        }
        &self.page
    }

    /// Sends the form of the present page that leads to `action`, its hidden fields included, and
    /// does not follow.
    pub(crate) async fn submit(&mut self, action: &str, typed: &[(&str, &str)]) -> &Page {
        let mut fields = self.page.hidden_fields(action);
        for (name, value) in typed {
            fields.retain(|(other, _)| other != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        self.post(action, &fields).await
    }

    /// Sends fields as this browser would, whatever page it shows.
    pub(crate) async fn post(&mut self, action: &str, fields: &[(String, String)]) -> &Page {
        let request = self.request(Method::POST, action).header(header::ORIGIN, &self.person.url);
        let answer = form(request, fields).send().await.unwrap();
        self.take(answer).await;
        self.page = self.person.refused(std::mem::take(&mut self.page)).await;
        &self.page
    }

    /// A bare request with this browser's cookie.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.person.request(method, path)
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> &Page {
        self.open("/sign-in").await;
        self.submit("/sign-in", &[("name", name), ("password", password)]).await
    }

    async fn take(&mut self, answer: Response) {
        self.page = self.person.take(answer).await;
    }
}

/// Adds a form's fields, several of which may have one name.
pub(crate) fn form(request: RequestBuilder, fields: &[(String, String)]) -> RequestBuilder {
    filled_in(request, fields.iter().map(|(name, value)| (name, value)))
}
