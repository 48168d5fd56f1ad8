//! [`Registry`]: asking a registry for documents and blobs, by the distribution specification.
//!
//! What it answers is not believed here: whoever asked compares it with a digest.

mod authorization;
mod credentials;
mod error;

use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stockade_core::Result;
use ureq::http::header::{AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use ureq::http::{HeaderValue, Response, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::blobs::{BlobError, LARGEST_DOCUMENT};
use crate::digest::Digest;
use crate::media;
use crate::name::Name;

use error::read_error;

pub use credentials::Credentials;
pub(crate) use error::RegistryError;

/// Where Docker's own registry is, which names without one mean.
const DOCKER: &str = "registry-1.docker.io";
/// How many times a request is sent on to somewhere else.
const MOST_REDIRECTS: usize = 5;
/// How many times as long as a stall a document may take altogether.
const DOCUMENT_TIMES: u32 = 4;
/// What registries are told.
const USER_AGENT: &str = concat!("stockade/", env!("CARGO_PKG_VERSION"));

/// How an image is pulled.
///
/// ```
/// use stockade_oci::PullOptions;
/// let mut options = PullOptions::default();
/// options.retries = 0;
/// assert_eq!(options.stall.as_secs(), 30);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PullOptions {
    /// Who asks; anybody, if nobody is named. They are sent to the registry when it asks for them, or to
    /// the service that it names as the giver of its tokens, and nowhere else.
    pub credentials: Option<Credentials>,
    /// Whether the registry is spoken to without encryption, so that everybody on the way may read and
    /// change what is not verified: the manifest of a tag. One on this machine's loopback always is.
    pub plain_http: bool,
    /// How long nothing may come before it counts as a failure.
    pub stall: Duration,
    /// How many failures that may pass are passed over, one after the other, without a MiB in between.
    pub retries: u32,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { credentials: None, plain_http: false, stall: Duration::from_secs(30), retries: 4 }
    }
}

/// One repository of a registry.
pub(crate) struct Registry<'a> {
    agent: Agent,
    options: &'a PullOptions,
    /// Its host, with its port if it has one.
    host: &'a str,
    /// Whether it is spoken to without encryption.
    plain: bool,
    repository: String,
    /// What it wants to see, once it said so.
    authorization: Mutex<Option<HeaderValue>>,
}

/// A document, as it came.
pub(crate) struct Document {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    /// What the registry says that its digest is.
    pub(crate) promised: Option<Digest>,
}

/// A blob, or the rest of one.
pub(crate) struct Answer {
    pub(crate) body: ureq::BodyReader<'static>,
    /// How many bytes the registry says will come.
    pub(crate) length: Option<u64>,
    /// How many of its bytes stand before this one.
    pub(crate) from: u64,
}

impl<'a> Registry<'a> {
    pub(crate) fn new(name: &'a Name, options: &'a PullOptions) -> Result<Self> {
        let stall = options.stall;
        if stall.is_zero() {
            return Err(RegistryError::NoPatience.into());
        }
        let (host, repository) = match (name.registry(), name.path()) {
            (Some(host), path) => (host, path.to_owned()),
            (None, path) if path.contains('/') => (DOCKER, path.to_owned()),
            (None, path) => (DOCKER, format!("library/{path}")),
        };
        let plain = options.plain_http || is_loopback(host_of(host));
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .user_agent(USER_AGENT)
            // The environment is not asked behind the caller's back.
            .proxy(None)
            .http_status_as_error(false)
            // Where a request goes is decided here, each time.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(stall))
            .timeout_recv_response(Some(stall))
            .timeout_per_read(Some(stall))
            .timeout_per_write(Some(stall));
        let agent = agent.build().new_agent();
        let authorization = Mutex::new(None);
        Ok(Self { agent, options, host, plain, repository, authorization })
    }

    /// A manifest or an index, by its tag or digest, whole and no larger than a document may be.
    pub(crate) fn manifest(&self, reference: &str) -> Result<Document, RegistryError> {
        let accept = media::MANIFESTS.join(", ");
        let path = format!("manifests/{reference}");
        let response = self.get(&path, &[("accept", &accept)], Some(self.document_time()))?;
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let media_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_owned();
        let promised = header("docker-content-digest").and_then(|text| text.parse().ok());
        let what = format!("the manifest {reference}");
        let bytes = self.whole(response, what, LARGEST_DOCUMENT)?;
        Ok(Document { media_type, bytes, promised })
    }

    /// A blob that is a document.
    pub(crate) fn document(&self, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
        let response = self.get(&format!("blobs/{digest}"), &[], Some(self.document_time()))?;
        self.whole(response, digest.to_string(), LARGEST_DOCUMENT)
    }

    /// A blob, from one of its bytes on if the registry knows how.
    pub(crate) fn blob(&self, digest: &Digest, from: u64) -> Result<Answer, RegistryError> {
        let range = format!("bytes={from}-");
        let wanted: &[_] = if from > 0 { &[(RANGE.as_str(), range.as_str())] } else { &[] };
        let response = self.get(&format!("blobs/{digest}"), wanted, None)?;
        let from = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                begin(&response).ok_or_else(|| RegistryError::Range { digest: digest.clone() })?
            }
            _ => 0,
        };
        let length = response.body().content_length();
        Ok(Answer { body: response.into_body().into_reader(), length, from })
    }

    /// Ends whatever is under way, in any thread.
    pub(crate) fn shut(&self) {
        self.agent.clone().shutdown();
    }

    fn document_time(&self) -> Duration {
        self.options.stall.saturating_mul(DOCUMENT_TIMES)
    }

    /// Asks for something of the repository. A registry that wants to know who asks is told, once.
    fn get(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        time: Option<Duration>,
    ) -> Result<Response<Body>, RegistryError> {
        let scheme = if self.plain { "http" } else { "https" };
        let url = format!("{scheme}://{}/v2/{}/{path}", self.host, self.repository);
        let known = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut response = self.fetch(&url, known.as_ref(), headers, time)?;
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(given) = self.authorize(&response)?
        {
            response = self.fetch(&url, Some(&given), headers, time)?;
            *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(given);
        }
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(self.refused(&url, response))
        }
    }

    /// Sends a request, and sends it again to where it is sent on. Who asks is said at the first place
    /// alone: what a registry sends on to is another's, and says by its address who may have it.
    fn fetch(
        &self,
        url: &str,
        authorization: Option<&HeaderValue>,
        headers: &[(&str, &str)],
        time: Option<Duration>,
    ) -> Result<Response<Body>, RegistryError> {
        let first = self.allowed(url)?;
        let mut at = first.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut request = self.agent.get(at.clone());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(authorization) = authorization
                && same_place(&at, &first)
            {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            if time.is_some() {
                request = request.config().timeout_recv_body(time).build();
            }
            let response = request.call();
            let response =
                response.map_err(|source| RegistryError::Request { place: place(&at), source })?;
            match response.headers().get(LOCATION) {
                Some(location) if response.status().is_redirection() => {
                    let location = location.to_str().unwrap_or_default();
                    at = self.allowed(&resolved(&at, location))?;
                }
                _ => return Ok(response),
            }
        }
        Err(RegistryError::Redirects { place: place(&first) })
    }

    /// An address that may be spoken to. Without encryption those alone that the caller let be: the
    /// registry, and this machine if the registry is there.
    fn allowed(&self, url: &str) -> Result<Uri, RegistryError> {
        let bad = || RegistryError::Address { address: crate::digest::shown(url) };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let host = uri.host().ok_or_else(bad)?;
        let own = host_of(self.host);
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http")
                if self.plain && (host == own || is_loopback(own) && is_loopback(host)) =>
            {
                Ok(uri)
            }
            Some("http") => Err(RegistryError::Plain { place: place(&uri) }),
            _ => Err(bad()),
        }
    }

    /// The bytes of an answer, if they are no more than this.
    fn whole(
        &self,
        response: Response<Body>,
        what: String,
        most: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        let read = response.into_body().into_reader().take(most + 1).read_to_end(&mut bytes);
        read.map_err(|error| read_error(self.host, error))?;
        let size = bytes.len() as u64;
        if size > most {
            return Err(RegistryError::TooLarge(BlobError::TooLarge { what, size }));
        }
        Ok(bytes)
    }

    /// What a reader of a blob says, as what it means.
    pub(crate) fn broken(&self, error: io::Error) -> RegistryError {
        read_error(self.host, error)
    }
}

/// The host of what may have a port.
fn host_of(registry: &str) -> &str {
    match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn same_place(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && one.host() == other.host() && port(one) == port(other)
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 })
}

/// An address for messages, without its query: that may be a key.
fn place(uri: &Uri) -> String {
    let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default());
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    crate::digest::shown(&format!("{scheme}://{host}{port}{}", uri.path()))
}

/// Where a redirect leads, seen from where it was met.
fn resolved(from: &Uri, to: &str) -> String {
    let scheme = from.scheme_str().unwrap_or_default();
    let authority = from.authority().map(ToString::to_string).unwrap_or_default();
    if to.starts_with("//") {
        format!("{scheme}:{to}")
    } else if to.starts_with('/') {
        format!("{scheme}://{authority}{to}")
    } else {
        to.to_owned()
    }
}

/// Where a part of a blob begins, by its `Content-Range`.
fn begin(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests;
