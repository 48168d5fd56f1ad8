//! All numbers of the header.

pub(crate) use super::errors::*;
pub(crate) use super::policies::*;
pub(crate) use super::reports::*;
pub(crate) use super::sandboxes::*;
pub(crate) use super::stdio::*;
