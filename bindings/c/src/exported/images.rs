//! Images.
//!
//! A store keeps images of containers in a directory of this user's: loaded from a layout or an archive, or
//! pulled from a registry, every byte verified. stockade_store_root has the files of one, and
//! stockade_prepare_root runs its program in them. Stores, images and roots hold files and nothing else, so
//! a forked child may use them as well.

use std::ffi::{c_char, c_void};
use std::path::Path;
use std::ptr;
use std::time::Duration;

use stockade::oci::{Credentials, Name, PullOptions as Pulling, Source};

use super::callbacks::ProgressCallback;
use super::handles::{Error, Image, Policy, Prepared, Root, Sandbox, Store};
use super::pointers::{
    Place, always, answer, needed, optional_string, optional_text, strings, text,
};
use crate::failure::Failure;

/// Hears how far a call is: of the part `blob`, a digest or the name of a layer in an archive, `done` of
/// `size` bytes. It is called on the thread that is in the call, again and again for each part. The string is
/// there until it returns.
///
/// Returns 0 to go on; anything else ends the call, which fails with STOCKADE_IO and leaves nothing half
/// made.
pub type ProgressFunction = Option<
    unsafe extern "C" fn(user_data: *mut c_void, blob: *const c_char, done: u64, size: u64) -> i32,
>;

/// How an image is pulled. All zero is the default.
#[repr(C)]
pub struct PullOptions {
    /// Who asks; NULL is what `docker login` noted, else nobody.
    pub username: *const c_char,
    /// The password, or a token for it; needed with `username`.
    pub password: *const c_char,
    /// Nanoseconds for which nothing may come; 0 is 30 s.
    pub stall_ns: u64,
    /// How many failures that may pass are passed over; 0 is 4, and a negative number is none.
    pub retries: i32,
    /// Not 0: the registry is spoken to without encryption. One on this machine's loopback always is.
    pub plain_http: i32,
}

/// Opens a store. `path` is its directory, made with mode 0700 if it is missing; NULL is this user's: what
/// STOCKADE_IMAGES in the environment names, else /var/lib/stockade/images for root, and stockade/images
/// below XDG_DATA_HOME or ~/.local/share for others. Any number of processes and threads may use it.
///
/// Free it by stockade_store_free. Errors: STOCKADE_PERMISSION_DENIED for a directory that is another user's
/// or open to others; STOCKADE_INVALID_POLICY for a link or what is no directory; STOCKADE_NOT_FOUND;
/// STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_store_open(
    path: *const c_char,
    store: *mut *mut Store,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(store, "store")?;
        place.give(Store::open(optional_string(path).map(Path::new))?);
        Ok(())
    })
}

/// Its directory. The string belongs to the store; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_store_path(store: Option<&Store>) -> *const c_char {
    store.map_or(ptr::null(), |store| store.path.as_ptr())
}

/// Copies an image into the store, unless it is there. `source` is "oci:DIR", "oci:DIR:REF",
/// "docker-archive:FILE", "docker-archive:FILE:REF", or the name of one that is there. `name` is what it is
/// called in the store; NULL leaves that to the source. `progress` may be NULL.
///
/// Free the image by stockade_image_free. Errors: STOCKADE_NOT_FOUND if there is no such image;
/// STOCKADE_INVALID_POLICY for one that is malformed or not what its digests say, and for a source or a name
/// that is none; STOCKADE_UNSUPPORTED for one that is for another platform; STOCKADE_SETUP if the disk is
/// full; STOCKADE_PERMISSION_DENIED; STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_store_load(
    store: Option<&Store>,
    source: *const c_char,
    name: *const c_char,
    progress: ProgressFunction,
    user_data: *mut c_void,
    image: *mut *mut Image,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(image, "image")?;
        let store = needed(store, "store")?;
        let source: Source = text(source, "source")?.parse()?;
        let name = optional_text(name, "name")?.map(str::parse::<Name>).transpose()?;
        let progress = progress.map(|function| ProgressCallback::new(function, user_data));
        place.give(store.working(progress.as_ref(), |store, observer| match &name {
            Some(name) => store.load_as(&source, name, observer),
            None => store.load(&source, observer),
        })?);
        Ok(())
    })
}

/// Gets an image from the registry that its name names: "[REGISTRY/]PATH[:TAG][@DIGEST]". What the store has
/// is not asked for; a layer that breaks off is asked for from there on, also by the next pull. There are up
/// to five threads of the library meanwhile. `options` may be NULL, and so may `progress`, which is the way
/// to end it.
///
/// Free the image by stockade_image_free. Errors: as stockade_store_load; STOCKADE_PERMISSION_DENIED also if
/// the registry does not give it to who asks, and STOCKADE_IO if it cannot be reached, stalls or fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_store_pull(
    store: Option<&Store>,
    name: *const c_char,
    options: Option<&PullOptions>,
    progress: ProgressFunction,
    user_data: *mut c_void,
    image: *mut *mut Image,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(image, "image")?;
        let store = needed(store, "store")?;
        let name: Name = text(name, "name")?.parse()?;
        let options = pulling(options, &name)?;
        let progress = progress.map(|function| ProgressCallback::new(function, user_data));
        place.give(
            store.working(progress.as_ref(), |store, observer| {
                store.pull(&name, &options, observer)
            })?,
        );
        Ok(())
    })
}

unsafe fn pulling(given: Option<&PullOptions>, name: &Name) -> Result<Pulling, Failure> {
    let mut options = Pulling::default();
    let username = given.map(|given| optional_text(given.username, "options.username"));
    options.credentials = match (given, username.transpose()?.flatten()) {
        (Some(given), Some(username)) => {
            let password = text(given.password, "options.password")?.to_owned();
            Some(Credentials { username: username.to_owned(), password })
        }
        (Some(given), None) if !given.password.is_null() => {
            return Err(Failure::argument("options.password", "has no `options.username`"));
        }
        _ => Credentials::of_docker(name, |key| std::env::var_os(key))?,
    };
    if let Some(given) = given {
        options.plain_http = given.plain_http != 0;
        if given.stall_ns != 0 {
            options.stall = Duration::from_nanos(given.stall_ns);
        }
        if given.retries != 0 {
            options.retries = given.retries.max(0).unsigned_abs();
        }
    }
    Ok(options)
}

/// An image of the store by its name. No registry is asked.
///
/// Free the image by stockade_image_free. Errors: STOCKADE_NOT_FOUND, and the hint says what there is;
/// STOCKADE_INVALID_POLICY for a name that is none; STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_store_find(
    store: Option<&Store>,
    name: *const c_char,
    image: *mut *mut Image,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(image, "image")?;
        let name: Name = text(name, "name")?.parse()?;
        place.give(Image { inner: needed(store, "store")?.inner.find(&name)? });
        Ok(())
    })
}

/// Every image of the store, as a JSON list of objects with `name`, `digest` and `size`, which is in bytes, or
/// null if the manifest cannot be read.
///
/// Errors: STOCKADE_INVALID_POLICY for an index that others wrote to; STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_store_list_json(
    store: Option<&Store>,
    json: *mut *mut c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(json, "json")?;
        let entries = needed(store, "store")?.inner.list()?;
        place.give_text(serde_json::to_string(&entries).map_err(Failure::defect)?);
        Ok(())
    })
}

/// Takes a name away from an image. What no name needs stays until stockade_store_collect_garbage.
///
/// Errors: STOCKADE_NOT_FOUND if nothing has this name; STOCKADE_INVALID_POLICY; STOCKADE_IO;
/// STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_store_remove(
    store: Option<&Store>,
    name: *const c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let name: Name = text(name, "name")?.parse()?;
        Ok(needed(store, "store")?.inner.remove(&name)?)
    })
}

/// Removes what no image needs, and what processes left that are dead. What is being loaded, unpacked or run
/// stays. `json`, if it is not NULL, gets what was removed: `blobs`, `roots`, `unfinished`, and `bytes` of the
/// blobs.
///
/// Errors: those of reading an image of the store, since nobody knows what that needs: then nothing is
/// removed; STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_store_collect_garbage(
    store: Option<&Store>,
    json: *mut *mut c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let freed = needed(store, "store")?.inner.collect_garbage()?;
        if !json.is_null() {
            let text = serde_json::to_string(&freed).map_err(Failure::defect)?;
            Place::new(json, "json")?.give_text(text);
        }
        Ok(())
    })
}

/// The files of an image: its layers, unpacked on first use, each verified. They stay as long as the root, or
/// what was prepared with it.
///
/// Free it by stockade_root_free. Errors: STOCKADE_NOT_FOUND if the store has lost the image;
/// STOCKADE_INVALID_POLICY if a layer is malformed, hostile or not what its digest says; STOCKADE_SETUP if
/// the disk is full; STOCKADE_IO; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_store_root(
    store: Option<&Store>,
    image: Option<&Image>,
    root: *mut *mut Root,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(root, "root")?;
        place.give(Root::of(needed(store, "store")?, needed(image, "image")?)?);
        Ok(())
    })
}

/// Frees a store. Its images, and what runs in them, go on. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_store_free(store: Option<Box<Store>>) {
    always((), || drop(store));
}

/// What an image says of itself, as JSON: `digest` of its manifest, `size` in bytes, and `config` with
/// `entrypoint`, `cmd`, `env` as a list of pairs, `working_dir`, `user`, which is not followed, `labels`,
/// `architecture` and `os`.
///
/// Errors: STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_image_json(
    image: Option<&Image>,
    json: *mut *mut c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let image = needed(image, "image")?;
        Place::new(json, "json")?.give_text(image.to_json()?);
        Ok(())
    })
}

/// Frees an image, which stays in its store. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_image_free(image: Option<Box<Image>>) {
    always((), || drop(image));
}

/// The directory with the image's files, which everyone who uses the image shares: do not write to it. For
/// stockade_policy_set_rootfs, if the program is not to write to its root.
///
/// The string belongs to the root; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_root_path(root: Option<&Root>) -> *const c_char {
    root.map_or(ptr::null(), |root| root.path().as_ptr())
}

/// Puts into a policy what the image says: its root, its environment and its working directory. What is set
/// afterwards counts more. The program may write to the root; what it writes is in memory, counts towards the
/// limit on disk and is gone with the run. Ports, volumes and the user are not followed.
///
/// Errors: STOCKADE_INVALID_POLICY, and then the policy is as it was; STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_root_apply_to(
    root: Option<&Root>,
    policy: Option<&mut Policy>,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || needed(root, "root")?.apply_to(needed(policy, "policy")?))
}

/// As stockade_prepare, of the image's program: its own command, or its entrypoint with `arguments`, which end
/// with NULL and are in the place of the command that the image has; NULL is none. It is a native program,
/// whatever the host has under its name. `policy` is one that stockade_root_apply_to was asked for with this
/// root; NULL is the default one with what the image says.
///
/// Free it by stockade_prepared_free. Errors: as stockade_prepare; STOCKADE_INVALID_POLICY also if nobody says
/// what to run, and STOCKADE_INVALID_ARGUMENT for a policy with another root.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_prepare_root(
    sandbox: Option<&Sandbox>,
    policy: Option<&Policy>,
    root: Option<&Root>,
    arguments: *const *const c_char,
    prepared: *mut *mut Prepared,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let place = Place::new(prepared, "prepared")?;
        let sandbox = needed(sandbox, "sandbox")?;
        let root = needed(root, "root")?;
        let words = strings(arguments);
        place.give(match policy {
            Some(policy) if root.is_in(policy) => sandbox.prepare_root(policy, root, &words)?,
            Some(_) => {
                let wrong = "has another root; stockade_root_apply_to puts this one into it";
                return Err(Failure::argument("policy", wrong));
            }
            None => {
                let mut policy = Policy::default();
                root.apply_to(&mut policy)?;
                sandbox.prepare_root(&policy, root, &words)?
            }
        });
        Ok(())
    })
}

/// Frees a root. What was prepared or started with it goes on, and has its files. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_root_free(root: Option<Box<Root>>) {
    always((), || drop(root));
}
