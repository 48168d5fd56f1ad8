//! The devices of `/dev` (null(4), full(4), random(4)).

use rustix::rand::{GetRandomFlags, getrandom};

use super::errno::{Errno, Outcome};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    Null,
    Zero,
    Full,
    Random,
}

/// Their names.
pub(super) const DEVICES: [(&str, Device); 5] = [
    ("null", Device::Null),
    ("zero", Device::Zero),
    ("full", Device::Full),
    ("random", Device::Random),
    ("urandom", Device::Random),
];

impl Device {
    pub(super) fn read(self, into: &mut [u8]) -> Outcome<usize> {
        match self {
            Self::Null => return Ok(0),
            Self::Zero | Self::Full => into.fill(0),
            Self::Random => {
                let mut done = 0;
                while done < into.len() {
                    done += getrandom(&mut into[done..], GetRandomFlags::empty())?;
                }
            }
        }
        Ok(into.len())
    }

    pub(super) fn write(self, bytes: &[u8]) -> Outcome<usize> {
        match self {
            Self::Full => Err(Errno::NoSpace.into()),
            _ => Ok(bytes.len()),
        }
    }
}
