//! Names of entries: taken apart, and refused where they lead anywhere but down.

use super::Bounds;
use super::error::Refusal;

/// Bytes that file systems allow for one name.
const COMPONENT: usize = 255;

/// What begins the name of a whiteout, by the OCI image specification.
const WHITEOUT: &[u8] = b".wh.";

/// A name that leads from the root downwards, component by component.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    components: Vec<&'a [u8]>,
}

/// What the last component of an entry's name asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf<'a> {
    /// The root itself.
    Root,
    Plain(&'a [u8]),
    /// That what has this name in a lower layer is not there.
    Whiteout(&'a [u8]),
    /// That of the directory's entries none is of a lower layer.
    Opaque,
}

impl<'a> Name<'a> {
    /// `field` says whose name it is. A leading `/`, `.` and repeated slashes say nothing.
    pub(super) fn parse(
        name: &'a [u8],
        field: &'static str,
        bounds: &Bounds,
    ) -> Result<Self, Refusal> {
        if name.is_empty() {
            return Err(Refusal::Empty { field });
        }
        if name.contains(&0) {
            return Err(Refusal::Nul { field });
        }
        check_length(field, name.len(), bounds.path)?;
        let components: Vec<&[u8]> = components(name).collect();
        if components.contains(&b"..".as_slice()) {
            return Err(Refusal::Climbs);
        }
        if components.len() > bounds.depth {
            return Err(Refusal::TooDeep { depth: components.len(), bound: bounds.depth });
        }
        for component in &components {
            check_length("component of its name", component.len(), COMPONENT)?;
        }
        let parents = components.len().saturating_sub(1);
        if components[..parents].iter().any(|component| component.starts_with(WHITEOUT)) {
            return Err(Refusal::Reserved);
        }
        Ok(Self { components })
    }

    pub(super) fn leaf(&self) -> Result<Leaf<'a>, Refusal> {
        let Some(&last) = self.components.last() else { return Ok(Leaf::Root) };
        let Some(of) = last.strip_prefix(WHITEOUT) else { return Ok(Leaf::Plain(last)) };
        match of {
            b".wh..opq" => Ok(Leaf::Opaque),
            b"" | b"." | b".." => Err(Refusal::Reserved),
            _ if of.starts_with(WHITEOUT) => Err(Refusal::Reserved),
            _ => Ok(Leaf::Whiteout(of)),
        }
    }

    /// The directory that it is in; of the root, the root.
    pub(super) fn parent(&self) -> Vec<u8> {
        self.components[..self.components.len().saturating_sub(1)].join(&b'/')
    }

    /// All of it, in its shortest form.
    pub(super) fn whole(&self) -> Vec<u8> {
        self.components.join(&b'/')
    }
}

/// The components of a path that say something.
pub(super) fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b"."))
}

pub(super) fn check_length(
    field: &'static str,
    length: usize,
    bound: usize,
) -> Result<(), Refusal> {
    if length > bound {
        return Err(Refusal::TooLong { field, length: length as u64, bound: bound as u64 });
    }
    Ok(())
}
