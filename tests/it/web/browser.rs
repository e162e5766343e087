//! A browser: keeps its cookie, follows what it is told, fills in the forms that it sees.

use reqwest::{Client, Method, RequestBuilder, Response, header};

use crate::harness::page::http_client;

/// Somebody's browser. A page of it is what came last.
pub(crate) struct Browser {
    client: Client,
    origin: String,
    pub(crate) cookie: String,
    pub(crate) page: Page,
}

/// What came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) html: String,
}

impl Browser {
    pub(crate) fn new(origin: &str) -> Self {
        let (client, page) = (http_client(), Page::default());
        Self { client, origin: origin.to_owned(), cookie: String::new(), page }
    }

    /// Goes to a page and follows where it leads.
    pub(crate) async fn open(&mut self, path: &str) -> &Page {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        self.take(answer).await;
        while !self.page.location.is_empty() {
            let next = self.page.location.clone();
            let answer = self.request(Method::GET, &next).send().await.unwrap();
            self.take(answer).await;
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
        let request = self.request(Method::POST, action).header(header::ORIGIN, &self.origin);
        let answer = form(request, fields).send().await.unwrap();
        self.take(answer).await;
        &self.page
    }

    /// A bare request with this browser's cookie.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.origin));
        if self.cookie.is_empty() { request } else { request.header(header::COOKIE, &self.cookie) }
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> &Page {
        self.open("/sign-in").await;
        self.submit("/sign-in", &[("name", name), ("password", password)]).await
    }

    async fn take(&mut self, answer: Response) {
        let text = |name| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        if let Some(cookie) = text(header::SET_COOKIE) {
            let pair = cookie.split(';').next().unwrap();
            self.cookie = if pair.ends_with('=') { String::new() } else { pair.to_owned() };
        }
        let location = text(header::LOCATION).unwrap_or_default();
        let status = answer.status().as_u16();
        self.page = Page { status, location, html: answer.text().await.unwrap() };
    }
}

impl Page {
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

    /// The token that every form of this session carries.
    pub(crate) fn form_token(&self) -> String {
        let fields = self.hidden_fields("/sign-out");
        fields.into_iter().find(|(name, _)| name == "form_token").unwrap().1
    }

    pub(crate) fn has_form(&self, action: &str) -> bool {
        self.has(&format!("action=\"{action}\""))
    }

    pub(crate) fn hidden_fields(&self, action: &str) -> Vec<(String, String)> {
        let start = format!("action=\"{action}\"");
        let (_, form) = self
            .html
            .split_once(&start)
            .unwrap_or_else(|| panic!("no form to {action} ({}):\n{}", self.status, self.html));
        let form = form.split("</form>").next().unwrap();
        let inputs = form.split("<input ").skip(1).map(|tag| tag.split('>').next().unwrap());
        inputs
            .filter(|tag| tag.contains("type=\"hidden\""))
            .map(|tag| (attribute(tag, "name"), attribute(tag, "value")))
            .collect()
    }
}

fn attribute(tag: &str, name: &str) -> String {
    let (_, rest) = tag.split_once(&format!("{name}=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Adds a form's fields as a browser writes them.
pub(crate) fn form(request: RequestBuilder, fields: &[(String, String)]) -> RequestBuilder {
    let encoded: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    request
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(encoded.join("&"))
}

fn encode(text: &str) -> String {
    let byte = |b: u8| {
        if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }
    };
    text.bytes().map(byte).collect()
}
