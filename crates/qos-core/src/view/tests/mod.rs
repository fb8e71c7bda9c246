//! The renderers: exact layouts, literal fragments, and hostile texts.

mod fixtures;
mod hostile;
mod layouts;
mod markup;
mod page;
