//! Images of containers.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stockade::oci::{self, Progress};

use crate::exported::callbacks::ProgressCallback;
use crate::exported::handles::{Image, Policy, Root, Store};
use crate::failure::{Failure, text};

/// A path as C has it. One with a NUL in it cannot be opened in the first place.
fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

impl Store {
    /// The store in a directory, or this user's.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let inner = match path {
            Some(path) => oci::Store::open(path)?,
            None => oci::Store::open(&oci::Store::default_dir(|key| std::env::var_os(key))?)?,
        };
        Ok(Self { path: c_path(inner.path()), inner })
    }

    /// Does what takes long, and tells the host how far it is until that wants no more.
    pub(crate) fn working(
        &self,
        progress: Option<&ProgressCallback>,
        work: impl FnOnce(&oci::Store, &mut dyn FnMut(Progress<'_>)) -> stockade::Result<oci::Image>,
    ) -> Result<Image, Failure> {
        let Some(progress) = progress else {
            return Ok(Image { inner: work(&self.inner, &mut |_| {})? });
        };
        let over = Arc::new(AtomicBool::new(false));
        let store = self.inner.as_long_as({
            let over = Arc::clone(&over);
            Arc::new(move || !over.load(Ordering::Relaxed))
        });
        let inner = work(&store, &mut |Progress { blob, done, size, .. }| {
            if !over.load(Ordering::Relaxed) && !progress.call(&text(blob), done, size) {
                over.store(true, Ordering::Relaxed);
            }
        })?;
        Ok(Image { inner })
    }
}

impl Image {
    pub(crate) fn to_json(&self) -> Result<String, Failure> {
        serde_json::to_string(&self.inner).map_err(Failure::defect)
    }
}

impl Root {
    pub(crate) fn of(store: &Store, image: &Image) -> Result<Self, Failure> {
        let inner = store.inner.root(&image.inner)?;
        Ok(Self { path: c_path(inner.path()), inner: Arc::new(inner) })
    }

    pub(crate) fn path(&self) -> &CStr {
        &self.path
    }

    /// Puts into a policy what the image says, unless that makes no sense.
    pub(crate) fn apply_to(&self, policy: &mut Policy) -> Result<(), Failure> {
        let mut asked = policy.asked.clone();
        self.inner.apply_to(&mut asked);
        asked.validate()?;
        policy.asked = asked;
        Ok(())
    }

    /// Whether this is the root that a policy has.
    pub(crate) fn is_in(&self, policy: &Policy) -> bool {
        policy.asked.filesystem.base.rootfs() == Some(self.inner.path())
    }
}
