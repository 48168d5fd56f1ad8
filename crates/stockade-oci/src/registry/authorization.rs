//! Who asks, for registries that want to know.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_auth::ChallengeRef;
use http_auth::parser::ChallengeParser;
use serde::Deserialize;
use ureq::Body;
use ureq::http::header::WWW_AUTHENTICATE;
use ureq::http::{HeaderValue, Response, Uri};

use super::{Credentials, Registry, RegistryError, place};

/// Most bytes of an answer with a token.
const LARGEST_TOKEN: u64 = 1 << 20;

/// What a service gives, under the one name or the other.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry<'_> {
    /// What is to be sent to a registry that answered like this, if anything can be.
    pub(super) fn authorize(
        &self,
        response: &Response<Body>,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE).iter();
        for header in headers.filter_map(|header| header.to_str().ok()) {
            for challenge in ChallengeParser::new(header).map_while(Result::ok) {
                if challenge.scheme.eq_ignore_ascii_case("bearer") {
                    return self.token(&challenge).map(Some);
                }
                if challenge.scheme.eq_ignore_ascii_case("basic") {
                    return Ok(self.options.credentials.as_ref().and_then(basic));
                }
            }
        }
        Ok(None)
    }

    /// Gets a token for reading this repository, whatever the registry would have us ask for.
    fn token(&self, challenge: &ChallengeRef<'_>) -> Result<HeaderValue, RegistryError> {
        let parameter = |name: &str| {
            let mut parameters = challenge.params.iter();
            let found = parameters.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        let realm = parameter("realm").unwrap_or_default();
        let uri: Uri = self.allowed(&realm)?;
        let scope = format!("repository:{}:pull", self.repository);
        let service = parameter("service");
        let pairs = service.iter().map(|service| ("service", service)).chain([("scope", &scope)]);
        let query = pairs.map(|(key, value)| format!("{key}={}", encoded(value)));
        let joint = if uri.query().is_some() { '&' } else { '?' };
        let url = format!("{realm}{joint}{}", query.collect::<Vec<_>>().join("&"));
        let who = self.options.credentials.as_ref().and_then(basic);
        let response = self.fetch(&url, who.as_ref(), &[], Some(self.document_time()))?;
        if !response.status().is_success() {
            return Err(self.refused(&url, response));
        }
        let bad = || RegistryError::Token { place: place(&uri) };
        let bytes = self.whole(response, "the token".to_owned(), LARGEST_TOKEN)?;
        let Token { token, access_token } = serde_json::from_slice(&bytes).map_err(|_| bad())?;
        let token = token.or(access_token).filter(|token| !token.is_empty()).ok_or_else(bad)?;
        secret(&format!("Bearer {token}")).ok_or_else(bad)
    }
}

fn basic(Credentials { username, password }: &Credentials) -> Option<HeaderValue> {
    secret(&format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
}

/// A header that is shown to nobody.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A value of a query.
fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(byte.into());
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
