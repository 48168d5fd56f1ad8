//! [`Credentials`]: a name and a password, given or noted by Docker.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use stockade_core::{Error, ErrorKind, Result};

use crate::failure;
use crate::name::Name;

/// Most bytes of the file.
const LARGEST: u64 = 1 << 20;
/// What Docker's own registry is called there.
const DOCKERS: [&str; 3] = ["index.docker.io", "docker.io", super::DOCKER];

/// Who asks a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user, to the registry.
    pub username: String,
    /// The password, or a token that stands for it.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What is wrong with Docker's file.
#[derive(Debug, thiserror::Error)]
enum CredentialsError {
    #[error("{} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} has more than {LARGEST} bytes", path.display())]
    Large { path: PathBuf },
    #[error("{} is not what Docker writes", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("{} has an entry for {registry:?} that holds no name and password", path.display())]
    Entry { path: PathBuf, registry: String },
}

impl From<CredentialsError> for Error {
    fn from(error: CredentialsError) -> Self {
        let (kind, hint) = match &error {
            CredentialsError::Unreadable { source, .. } => failure::of_file(source),
            _ => (ErrorKind::InvalidPolicy, "log in again, or say who you are"),
        };
        Self::new(kind, error).with_hint(hint)
    }
}

/// What is read of Docker's file. Helpers, which are programs that it names, are not run.
#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: HashMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl Credentials {
    /// What `docker login` noted for the registry of a name, in `$DOCKER_CONFIG/config.json` or
    /// `$HOME/.docker/config.json`; none if it noted nothing, or left it to a credential helper.
    ///
    /// The environment is asked by `variable` alone.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] if the file is not what Docker writes, else what reading it says.
    pub fn of_docker(
        name: &Name,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>> {
        let given = |key| variable(key).filter(|value| !value.is_empty()).map(PathBuf::from);
        let directory =
            given("DOCKER_CONFIG").or_else(|| given("HOME").map(|at| at.join(".docker")));
        match directory {
            Some(directory) => Self::in_file(name, &directory.join("config.json")),
            None => Ok(None),
        }
    }

    fn in_file(name: &Name, path: &Path) -> Result<Option<Self>> {
        let unreadable = |source| CredentialsError::Unreadable { path: path.to_owned(), source };
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(unreadable)?,
        };
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > LARGEST {
            return Err(CredentialsError::Large { path: path.to_owned() }.into());
        }
        let config: DockerConfig = serde_json::from_slice(&bytes)
            .map_err(|source| CredentialsError::Json { path: path.to_owned(), source })?;
        let mut auths = config.auths.into_iter();
        let Some((registry, entry)) = auths.find(|(key, _)| means(key, name)) else {
            return Ok(None);
        };
        let wrong = || CredentialsError::Entry { path: path.to_owned(), registry };
        entry.read().map_err(|()| wrong().into())
    }
}

impl Entry {
    fn read(self) -> Result<Option<Credentials>, ()> {
        match self {
            Self { auth: Some(auth), .. } if !auth.is_empty() => {
                let bytes = STANDARD.decode(auth).map_err(|_| ())?;
                let text = String::from_utf8(bytes).map_err(|_| ())?;
                let (username, password) = text.split_once(':').ok_or(())?;
                // Some wrote a NUL at the end.
                let (username, password) =
                    (username.to_owned(), password.trim_end_matches('\0').to_owned());
                Ok(Some(Credentials { username, password }))
            }
            Self { username: Some(username), password: Some(password), .. } => {
                Ok(Some(Credentials { username, password }))
            }
            // A helper has it.
            _ => Ok(None),
        }
    }
}

/// Whether a key of the file means the registry of a name: hosts, and addresses of old.
fn means(key: &str, name: &Name) -> bool {
    let address = key.split_once("://").map_or(key, |(_, rest)| rest);
    let host = address.split('/').next().unwrap_or_default();
    match name.registry() {
        Some(registry) => registry == host,
        None => DOCKERS.contains(&host),
    }
}
