//! A person with a browser that speaks cookies and forms.

#![expect(clippy::string_slice, reason = "cut at ASCII characters that were searched for")]

use std::{collections::BTreeMap, fmt::Write as _, sync::OnceLock};

use reqwest::{Client, Response, StatusCode, header, redirect::Policy};

/// A person's browser.
pub(crate) struct PersonClient {
    http: Client,
    url: String,
    pub(crate) cookie: String,
}

/// A page as it came.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) html: String,
}

impl Page {
    /// The hidden fields of the form with this action; none when the page does not offer it.
    pub(crate) fn form(&self, action: &str) -> Option<BTreeMap<String, String>> {
        let start = self.html.match_indices("<form").map(|(at, _)| at).find(|at| {
            attribute(tag(&self.html[*at..]), "action").is_some_and(|a| a.ends_with(action))
        })?;
        let form = &self.html[start..];
        let form = &form[..form.find("</form>")?];
        let hidden = form.match_indices("<input").filter_map(|(at, _)| {
            let tag = tag(&form[at..]);
            (attribute(tag, "type")? == "hidden")
                .then(|| Some((attribute(tag, "name")?, attribute(tag, "value")?)))?
        });
        Some(hidden.collect())
    }
}

fn tag(html: &str) -> &str {
    &html[..=html.find('>').unwrap()]
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = &tag[start..];
    Some(value[..value.find('"')?].replace("&#x2F;", "/").replace("&#47;", "/"))
}

/// A client that follows no redirect and keeps no cookies: tests look at both. It is made once:
/// each one would read all certificates of this machine.
pub(crate) fn http_client() -> Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    let client = CLIENT.get_or_init(|| {
        // reqwest wants a provider even where no TLS is spoken.
        let _already_there = rustls::crypto::ring::default_provider().install_default().is_err();
        // No connection is used twice: after a form that is too large the server hangs up while
        // the rest of it is still being sent. Nor does any outlive the runtime of its test.
        let client = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0);
        client.no_proxy().build().unwrap()
    });
    client.clone()
}

impl PersonClient {
    /// Somebody who has not signed in.
    pub(crate) fn stranger(url: &str) -> Self {
        Self { http: http_client(), url: url.to_owned(), cookie: String::new() }
    }

    pub(crate) async fn sign_in(url: &str, name: &str, password: &str) -> Self {
        let mut person = Self::stranger(url);
        let page = person.try_sign_in(name, password).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{name} cannot sign in: {}", page.html);
        person
    }

    pub(crate) async fn try_sign_in(&mut self, name: &str, password: &str) -> Page {
        let fields = [("name", name), ("password", password)].map(owned).into();
        let response = self.send_form("/sign-in", &fields).await;
        if let Some(cookie) = response.headers().get(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            cookie.split(';').next().unwrap().clone_into(&mut self.cookie);
        }
        page(response).await
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        let request = self.http.get(format!("{}{path}", self.url));
        page(request.header(header::COOKIE, &self.cookie).send().await.unwrap()).await
    }

    /// Posts fields as a form of our own page would.
    pub(crate) async fn post(&self, path: &str, fields: &BTreeMap<String, String>) -> Page {
        page(self.send_form(path, fields).await).await
    }

    async fn send_form(&self, path: &str, fields: &BTreeMap<String, String>) -> Response {
        let body: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, &self.url)
            .header("sec-fetch-site", "same-origin")
            .body(body.join("&"));
        request.send().await.unwrap()
    }

    /// The fields of a vote's form as the request page shows it now.
    pub(crate) async fn form(&self, id: &str, verb: &str) -> BTreeMap<String, String> {
        let page = self.get(&format!("/requests/{id}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        page.form(&format!("/{verb}")).unwrap_or_else(|| panic!("no form to {verb}: {}", page.html))
    }

    /// Whether the request page offers a form.
    pub(crate) async fn offered(&self, id: &str, verb: &str) -> bool {
        self.get(&format!("/requests/{id}")).await.form(&format!("/{verb}")).is_some()
    }

    /// Uses a form of the request page.
    pub(crate) async fn vote(&self, id: &str, verb: &str, more: &[(&str, &str)]) -> Page {
        let mut fields = self.form(id, verb).await;
        fields.extend(more.iter().copied().map(owned));
        self.post(&format!("/requests/{id}/{verb}"), &fields).await
    }

    pub(crate) async fn approve(&self, id: &str) {
        let page = self.vote(id, "approve", &[("comment", "")]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    }

    pub(crate) async fn reject(&self, id: &str, reason: &str) {
        let page = self.vote(id, "reject", &[("comment", reason)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    }
}

async fn page(response: Response) -> Page {
    let location = response.headers().get(header::LOCATION);
    let location = location.map(|value| value.to_str().unwrap().to_owned());
    Page { status: response.status(), location, html: response.text().await.unwrap() }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A text as it may stand in a form or in an address: every byte by its number.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        write!(all, "%{byte:02X}").unwrap();
        all
    })
}
