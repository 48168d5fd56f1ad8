//! [`Store`], [`Image`] and [`Root`]: images of containers, as files of this user.
//!
//! They hold no thread and no process, so that a forked child may use them as well.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pyo3::prelude::*;
use stockade::oci::{self, Credentials, Name, Progress, PullOptions, Source};
use stockade::{Base, Error};

use crate::errors::{defect, raised};
use crate::gate;
use crate::policy::Policy;
use crate::signals;

/// A function that hears how far something is.
type Observer = Option<Py<PyAny>>;

/// Where images are kept.
#[pyclass(frozen, module = "stockade._native")]
pub(crate) struct Store {
    inner: oci::Store,
}

/// What an image says of itself.
#[pyclass(frozen, module = "stockade._native")]
pub(crate) struct Image {
    inner: oci::Image,
}

/// An image whose files are there.
#[pyclass(frozen, module = "stockade._native")]
pub(crate) struct Root {
    pub(crate) inner: Arc<oci::Root>,
}

fn parsed<T: FromStr<Err = Error>>(text: &str) -> PyResult<T> {
    text.parse().map_err(raised)
}

#[pymethods]
impl Store {
    /// Opens the store in a directory, or this user's.
    #[new]
    #[pyo3(signature = (path=None))]
    fn open(py: Python<'_>, path: Option<PathBuf>) -> PyResult<Self> {
        let open = || match path {
            Some(path) => oci::Store::open(&path),
            None => oci::Store::open(&oci::Store::default_dir(|key| env::var_os(key))?),
        };
        Ok(Self { inner: gate::detach(py, open).map_err(raised)? })
    }

    fn path(&self) -> OsString {
        self.inner.path().as_os_str().to_owned()
    }

    /// Loads what a text names, or what is at a path.
    #[pyo3(signature = (source, path, reference=None, name=None, progress=None))]
    fn load(
        &self,
        py: Python<'_>,
        source: Option<&str>,
        path: Option<PathBuf>,
        reference: Option<&str>,
        name: Option<&str>,
        progress: Observer,
    ) -> PyResult<Image> {
        let source = match (source, path) {
            (Some(text), _) => parsed(text)?,
            (None, Some(path)) => Source::at(&path, reference).map_err(raised)?,
            (None, None) => return Err(defect("nothing to load")),
        };
        let name: Option<Name> = name.map(parsed).transpose()?;
        let inner = self.working(py, progress, |store, observer| match &name {
            Some(name) => store.load_as(&source, name, observer),
            None => store.load(&source, observer),
        })?;
        Ok(Image { inner })
    }

    /// Pulls what a name means. Nobody's credentials are what Docker noted.
    #[pyo3(signature = (name, credentials=None, plain_http=false, stall=None, retries=None, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn pull(
        &self,
        py: Python<'_>,
        name: &str,
        credentials: Option<(String, String)>,
        plain_http: bool,
        stall: Option<f64>,
        retries: Option<u32>,
        progress: Observer,
    ) -> PyResult<Image> {
        let name: Name = parsed(name)?;
        let mut options = PullOptions::default();
        options.credentials = match credentials {
            Some((username, password)) => Some(Credentials { username, password }),
            None => Credentials::of_docker(&name, |key| env::var_os(key)).map_err(raised)?,
        };
        options.plain_http = plain_http;
        options.stall = stall.map_or(options.stall, Duration::from_secs_f64);
        options.retries = retries.unwrap_or(options.retries);
        let inner =
            self.working(py, progress, |store, observer| store.pull(&name, &options, observer))?;
        Ok(Image { inner })
    }

    fn find(&self, py: Python<'_>, name: &str) -> PyResult<Image> {
        let name = parsed(name)?;
        Ok(Image { inner: gate::detach(py, || self.inner.find(&name)).map_err(raised)? })
    }

    /// Every image, as JSON.
    fn list(&self, py: Python<'_>) -> PyResult<String> {
        let entries = gate::detach(py, || self.inner.list()).map_err(raised)?;
        serde_json::to_string(&entries).map_err(defect)
    }

    fn remove(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        let name = parsed(name)?;
        gate::detach(py, || self.inner.remove(&name)).map_err(raised)
    }

    /// What was removed, as JSON.
    fn collect_garbage(&self, py: Python<'_>) -> PyResult<String> {
        let freed = gate::detach(py, || self.inner.collect_garbage()).map_err(raised)?;
        serde_json::to_string(&freed).map_err(defect)
    }

    fn root(&self, py: Python<'_>, image: &Image) -> PyResult<Root> {
        let inner = self.working(py, None, |store, _| store.root(&image.inner))?;
        Ok(Root { inner: Arc::new(inner) })
    }
}

impl Store {
    /// Does what takes long, and ends it when a signal's handler or the observer raises.
    fn working<T: Send>(
        &self,
        py: Python<'_>,
        observer: Observer,
        work: impl FnOnce(&oci::Store, &mut dyn FnMut(Progress<'_>)) -> stockade::Result<T> + Send,
    ) -> PyResult<T> {
        let over = Arc::new(AtomicBool::new(false));
        let store = self.inner.as_long_as({
            let (over, look) = (Arc::clone(&over), signals::go_on());
            Arc::new(move || !over.load(Ordering::Relaxed) && look())
        });
        let done = gate::detach(py, || {
            work(&store, &mut |Progress { blob, done, size, .. }| {
                let Some(observer) = &observer else { return };
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let told = gate::attach(|py| observer.bind(py).call1((blob, done, size)).map(drop));
                if let Some(Err(error)) = told {
                    signals::keep(error);
                    over.store(true, Ordering::Relaxed);
                }
            })
        });
        signals::check()?;
        done.map_err(raised)
    }
}

#[pymethods]
impl Image {
    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.inner).map_err(defect)
    }
}

#[pymethods]
impl Root {
    fn path(&self) -> OsString {
        self.inner.path().as_os_str().to_owned()
    }

    /// The policy with what the image says put into it.
    fn policy(&self, start: &Policy, read_only: bool) -> PyResult<Policy> {
        let mut policy = (*start.inner).clone();
        self.inner.apply_to(&mut policy);
        if read_only {
            policy.filesystem.base = Base::Rootfs(self.inner.path().to_owned());
        }
        policy.validate().map_err(|error| raised(error.into()))?;
        Ok(Policy { inner: Arc::new(policy) })
    }

    /// The program and its arguments.
    fn command(&self, words: Vec<OsString>) -> PyResult<(OsString, Vec<OsString>)> {
        self.inner.image().command(&words).map_err(raised)
    }
}
