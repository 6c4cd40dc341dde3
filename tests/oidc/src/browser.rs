//! A browser as far as the provider's pages need one: cookies, redirects, forms; HTTP on loopback only.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error as ClientError, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use crate::form::Form;

/// Pages and redirects of one visit.
const STEPS: usize = 24;
const LARGEST_PAGE: usize = 256 * 1024;

/// One person's browser; it remembers who is logged in until dropped.
#[derive(Debug)]
pub struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    /// By name and path.
    cookies: BTreeMap<(String, String), String>,
}

/// Why a visit did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// An address that is none, or not plain HTTP.
    #[error("the address {0:?} cannot be visited")]
    Address(String),
    /// The provider does not answer.
    #[error("{url} does not answer")]
    Connect {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: ClientError,
    },
    /// The page broke off or is too large.
    #[error("cannot read the page {url}: {why}")]
    Page {
        /// Where.
        url: String,
        /// Why.
        why: String,
    },
    /// The visit ended at another page than wanted.
    #[error("the visit ended at {url} with {status}: {text}")]
    Ended {
        /// Where.
        url: String,
        /// The page's status.
        status: StatusCode,
        /// The page's first thousand characters.
        text: String,
    },
}

/// What the person wants.
#[derive(Debug, Clone, Copy)]
enum Will<'a> {
    /// Logs in under this name and agrees to all.
    LogIn(&'a str),
    /// Presses "cancel" or "abort" where that is offered.
    Cancel,
}

/// Where a visit ended.
enum End {
    /// The provider sent the browser elsewhere.
    Left(String),
    Page(Page),
}

struct Page {
    url: Uri,
    status: StatusCode,
    text: String,
}

impl Default for Browser {
    fn default() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), cookies: BTreeMap::new() }
    }
}

impl Browser {
    /// Opens the address of `begin`, logs in as `person` and agrees; gives the redirect address with `code` and `state`.
    ///
    /// # Errors
    /// When the provider does not send the browser away.
    pub async fn log_in(&mut self, url: &str, person: &str) -> Result<String, BrowserError> {
        left(self.visit(url, Will::LogIn(person)).await?)
    }

    /// Opens the address of `begin` and cancels; gives the redirect address with `error` and `state`.
    ///
    /// # Errors
    /// When the provider does not send the browser away.
    pub async fn cancel(&mut self, url: &str) -> Result<String, BrowserError> {
        left(self.visit(url, Will::Cancel).await?)
    }

    /// Opens a device's complete address, logs in as `person` and approves.
    ///
    /// # Errors
    /// When the provider does not say that it worked.
    pub async fn approve_device(&mut self, url: &str, person: &str) -> Result<(), BrowserError> {
        self.device(url, Will::LogIn(person), "Sign-in Success").await
    }

    /// Opens a device's complete address and aborts.
    ///
    /// # Errors
    /// When the provider does not say that it was aborted.
    pub async fn deny_device(&mut self, url: &str) -> Result<(), BrowserError> {
        self.device(url, Will::Cancel, "was interrupted").await
    }

    async fn device(&mut self, url: &str, will: Will<'_>, wanted: &str) -> Result<(), BrowserError> {
        match self.visit(url, will).await? {
            End::Page(page) if page.text.contains(wanted) => Ok(()),
            End::Page(page) => Err(page.ended()),
            End::Left(url) => Err(BrowserError::Address(url)),
        }
    }

    async fn visit(&mut self, url: &str, will: Will<'_>) -> Result<End, BrowserError> {
        let mut request = (parse(url)?, None);
        let home = origin(&request.0);
        for _ in 0..STEPS {
            let (url, form) = request;
            let response = self.send(&url, form).await?;
            if let Some(location) = response.headers().get(LOCATION).and_then(|l| l.to_str().ok()) {
                let next = absolute(&home, location);
                if !next.starts_with(&format!("{home}/")) {
                    return Ok(End::Left(next));
                }
                request = (parse(&next)?, None);
                continue;
            }
            let page = read(url, response).await?;
            match answer(&page, will) {
                Some((action, body)) => request = (parse(&absolute(&home, &action))?, body),
                None => return Ok(End::Page(page)),
            }
        }
        Err(BrowserError::Page { url: request.0.to_string(), why: "too many pages".to_owned() })
    }

    async fn send(&mut self, url: &Uri, form: Option<String>) -> Result<Response<Incoming>, BrowserError> {
        let sent = |c: &&(String, String)| url.path().starts_with(c.1.as_str());
        let cookies: Vec<String> =
            self.cookies.keys().filter(sent).map(|k| format!("{}={}", k.0, self.cookies[k])).collect();
        let request = Request::builder().uri(url).header(COOKIE, cookies.join("; "));
        let request = match form {
            Some(body) => request
                .method("POST")
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Full::from(body)),
            None => request.body(Full::default()),
        };
        let request = request.map_err(|_| BrowserError::Address(url.to_string()))?;
        let response = self.client.request(request).await;
        let response = response.map_err(|source| BrowserError::Connect { url: url.to_string(), source })?;
        for cookie in response.headers().get_all(SET_COOKIE).iter().filter_map(|c| c.to_str().ok()) {
            self.keep(cookie);
        }
        Ok(response)
    }

    fn keep(&mut self, cookie: &str) {
        let mut parts = cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let path = parts.find_map(|p| p.strip_prefix("path=")).unwrap_or("/");
        let key = (name.to_owned(), path.to_owned());
        if value.is_empty() {
            self.cookies.remove(&key);
        } else {
            self.cookies.insert(key, value.to_owned());
        }
    }
}

impl Page {
    fn ended(self) -> BrowserError {
        let text = self.text.chars().take(1000).collect();
        BrowserError::Ended { url: self.url.to_string(), status: self.status, text }
    }
}

/// What the person does with a page: where to go next and what to send there; nothing when it is the last one.
fn answer(page: &Page, will: Will<'_>) -> Option<(String, Option<String>)> {
    let mut form = Form::find(&page.text)?;
    match will {
        Will::LogIn(person) if form.has("login") => {
            form.fill("login", person);
            form.fill("password", "any");
        }
        // The code's page again, empty: the code was wrong, or the login was aborted.
        _ if form.has("user_code") && form.encoded().contains("user_code=&") => return None,
        _ if form.encoded().ends_with("user_code=") => return None,
        Will::Cancel if form.has("confirm") => form.fill("abort", "yes"),
        Will::Cancel if !form.has("user_code") => return Some((format!("{}/abort", page.url.path()), None)),
        Will::LogIn(_) | Will::Cancel => {}
    }
    Some((form.action.clone(), Some(form.encoded())))
}

fn left(end: End) -> Result<String, BrowserError> {
    match end {
        End::Left(url) => Ok(url),
        End::Page(page) => Err(page.ended()),
    }
}

async fn read(url: Uri, response: Response<Incoming>) -> Result<Page, BrowserError> {
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST_PAGE).collect().await;
    let body = body.map_err(|error| BrowserError::Page { url: url.to_string(), why: error.to_string() })?;
    Ok(Page { url, status, text: String::from_utf8_lossy(&body.to_bytes()).into_owned() })
}

fn parse(url: &str) -> Result<Uri, BrowserError> {
    let uri: Option<Uri> = url.parse().ok();
    uri.filter(|u| u.scheme_str() == Some("http")).ok_or_else(|| BrowserError::Address(url.to_owned()))
}

fn origin(url: &Uri) -> String {
    format!("http://{}", url.authority().map_or("", |a| a.as_str()))
}

fn absolute(home: &str, address: &str) -> String {
    if address.starts_with('/') { format!("{home}{address}") } else { address.to_owned() }
}
