//! An entry's bytes: magic, authentication code, artifact.

/// Changes with the layout of entries.
const MAGIC: [u8; 8] = *b"stockw\x00\x01";
const HEADER: usize = MAGIC.len() + blake3::OUT_LEN;

/// An artifact that this user's key vouches for.
///
/// It owns its bytes, so they are those that were looked at. [`unseal`] alone makes one.
pub(crate) struct Verified(Vec<u8>);

impl Verified {
    pub(super) fn artifact(&self) -> &[u8] {
        self.0.get(HEADER..).unwrap_or_default()
    }
}

/// What stands before the artifact in its entry.
pub(super) fn seal(key: &[u8; 32], name: &[u8; 32], artifact: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..MAGIC.len()].copy_from_slice(&MAGIC);
    header[MAGIC.len()..].copy_from_slice(code(key, name, artifact).as_bytes());
    header
}

/// The artifact, if the entry was sealed with this key under this name.
pub(super) fn unseal(key: &[u8; 32], name: &[u8; 32], entry: Vec<u8>) -> Option<Verified> {
    let rest = entry.strip_prefix(&MAGIC)?;
    let (found, artifact) = rest.split_first_chunk::<{ blake3::OUT_LEN }>()?;
    let genuine = code(key, name, artifact) == blake3::Hash::from_bytes(*found);
    genuine.then_some(Verified(entry))
}

/// The name is covered, or an entry could be put in another one's place.
fn code(key: &[u8; 32], name: &[u8; 32], artifact: &[u8]) -> blake3::Hash {
    blake3::Hasher::new_keyed(key).update(name).update(artifact).finalize()
}
