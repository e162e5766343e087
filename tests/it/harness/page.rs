//! A person who speaks cookies and forms, and the one reader of our pages.

#![expect(clippy::string_slice, reason = "cut at ASCII characters that were searched for")]

use std::{collections::BTreeMap, fmt::Write as _, net::IpAddr, sync::OnceLock};

use reqwest::{
    Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, header, redirect::Policy,
};

use super::PASSWORD;

/// A person who sends forms as our pages do. `web::browser` adds the page that was seen last.
pub(crate) struct PersonClient {
    http: Client,
    pub(crate) url: String,
    pub(crate) cookie: String,
}

/// A page as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    /// Where a redirect leads.
    pub(crate) location: Option<String>,
    pub(crate) html: String,
}

/// The names and values of a form's fields.
type Fields = Vec<(String, String)>;

impl Page {
    /// Reads an answer to its end.
    pub(crate) async fn of(response: Response) -> Self {
        let location = response.headers().get(header::LOCATION);
        let location = location.map(|value| value.to_str().unwrap().to_owned());
        Self { status: response.status(), location, html: response.text().await.unwrap() }
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// Fails with the page where the text is not on it.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        assert!(self.has(text), "{text:?} is not on the page ({}):\n{}", self.status, self.html);
    }

    /// Every address that a link of the page leads to.
    pub(crate) fn links(&self) -> Vec<String> {
        let after = self.html.split("href=\"").skip(1);
        after
            .filter_map(|rest| rest.split('"').next())
            .map(|link| link.replace("&amp;", "&"))
            .collect()
    }

    /// The address that a redirect leads to. Fails where the page is no redirect.
    #[track_caller]
    pub(crate) fn leads_to(&self) -> &str {
        self.location.as_deref().unwrap_or_else(|| panic!("{}: {}", self.status, self.html))
    }

    /// The hidden fields of the first form whose action ends so; none when the page does not offer
    /// it.
    pub(crate) fn form(&self, action: &str) -> Option<BTreeMap<String, String>> {
        Some(self.find_form(|found| found.ends_with(action))?.into_iter().collect())
    }

    pub(crate) fn has_form(&self, action: &str) -> bool {
        self.find_form(|found| found == action).is_some()
    }

    /// The hidden fields of the form with exactly this action, in their order. Several may have one
    /// name.
    #[track_caller]
    pub(crate) fn hidden_fields(&self, action: &str) -> Fields {
        let fields = self.find_form(|found| found == action);
        fields.unwrap_or_else(|| panic!("no form to {action} ({}):\n{}", self.status, self.html))
    }

    /// The token that every form of this session carries.
    #[track_caller]
    pub(crate) fn form_token(&self) -> String {
        let fields = self.hidden_fields("/sign-out");
        fields.into_iter().find(|(name, _)| name == "form_token").unwrap().1
    }

    /// The hidden fields of the first form with such an action.
    fn find_form(&self, is_it: impl Fn(&str) -> bool) -> Option<Fields> {
        let start = self.html.match_indices("<form").map(|(at, _)| at).find(|at| {
            attribute(tag(&self.html[*at..]), "action").is_some_and(|action| is_it(&action))
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
    Some(value[..value.find('"')?].replace("&#47;", "/").replace("&amp;", "&"))
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
        client().build().unwrap()
    });
    client.clone()
}

fn client() -> ClientBuilder {
    let client = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0);
    client.no_proxy()
}

impl PersonClient {
    /// Somebody who has not signed in.
    pub(crate) fn stranger(url: &str) -> Self {
        Self { http: http_client(), url: url.to_owned(), cookie: String::new() }
    }

    /// Somebody who has not signed in, with another client.
    pub(crate) fn stranger_by(url: &str, http: Client) -> Self {
        Self { http, url: url.to_owned(), cookie: String::new() }
    }

    /// The same with an address of its own, which is one of loopback.
    pub(crate) fn stranger_from(url: &str, address: IpAddr) -> Self {
        let http = client().local_address(address).build().unwrap();
        Self { http, ..Self::stranger(url) }
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
        self.take(response).await
    }

    /// A first password is changed before anything else is possible.
    pub(crate) async fn choose_password(&self, old: &str, new: &str) -> Page {
        let mut fields = self.get("/password").await.form("/password").expect("the form");
        fields.extend([("old", old), ("new", new)].map(owned));
        self.post("/password", &fields).await
    }

    /// Reads an answer and keeps the cookie that it sets.
    pub(crate) async fn take(&mut self, response: Response) -> Page {
        if let Some(cookie) = response.headers().get(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            // An empty value takes the cookie away.
            self.cookie = if pair.ends_with('=') { String::new() } else { pair.to_owned() };
        }
        Page::of(response).await
    }

    /// A bare request with this person's cookie.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        if self.cookie.is_empty() { request } else { request.header(header::COOKIE, &self.cookie) }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        Page::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// Posts fields as a form of our own page would.
    pub(crate) async fn post(&self, path: &str, fields: &BTreeMap<String, String>) -> Page {
        self.refused(Page::of(self.send_form(path, fields).await).await).await
    }

    /// The page that an answer leads to where it is that of a form which was not carried out.
    pub(crate) async fn refused(&self, page: Page) -> Page {
        match page.location.as_deref().filter(|place| place.ends_with("#problem")) {
            Some(place) => self.get(place.split('#').next().unwrap()).await,
            None => page,
        }
    }

    async fn send_form(&self, path: &str, fields: &BTreeMap<String, String>) -> Response {
        let request = self.request(Method::POST, path).header(header::ORIGIN, &self.url);
        let request = request.header("sec-fetch-site", "same-origin");
        filled_in(request, fields).send().await.unwrap()
    }

    /// The fields of a vote's form as the request page shows it now.
    pub(crate) async fn form(&self, id: &str, verb: &str) -> BTreeMap<String, String> {
        let page = self.get(&format!("/requests/{id}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        // As it was before the kill switch was thrown: the fields are those of the other form.
        let stopped =
            (verb == "approve" && page.has("Release first")).then(|| page.form("/reject"));
        let form = page.form(&format!("/{verb}")).or_else(|| stopped.flatten());
        form.unwrap_or_else(|| panic!("no form to {verb}: {}", page.html))
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

    /// Approves, with the password where the page asks for it.
    pub(crate) async fn approve(&self, id: &str) {
        let asks = self.get(&format!("/requests/{id}")).await.has("id=\"approve-password\"");
        let password = ("password", if asks { PASSWORD } else { "" });
        let page = self.vote(id, "approve", &[("comment", ""), password]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    }

    pub(crate) async fn reject(&self, id: &str, reason: &str) {
        let page = self.vote(id, "reject", &[("comment", reason)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    }
}

/// Adds a form's fields as a browser writes them.
pub(crate) fn filled_in<'a>(
    request: RequestBuilder,
    fields: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> RequestBuilder {
    let encoded: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    request
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(encoded.join("&"))
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A text as it may stand in a form or in an address: every byte by its number, letters and digits
/// apart.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() {
            all.push(char::from(byte));
        } else {
            write!(all, "%{byte:02X}").unwrap();
        }
        all
    })
}
