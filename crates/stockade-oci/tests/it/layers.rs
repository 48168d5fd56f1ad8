//! Unpacking: layers written by hand, since those who mean harm do the same.

mod bounds;
mod broken;
mod fixture;
mod hostile;
mod ordinary;
mod permissions;
mod property;
mod removal;
mod whiteouts;
