//! Names of parameters, which grow and shrink on the way through a text (filters.md section 7.3).

use super::reader::{Quoted, resolve};
use crate::parameters::escaped_length;

/// The name of the value that is read now.
#[derive(Debug)]
pub struct Name {
    text: Vec<u8>,
    /// With what its escapes stand for.
    resolved: Vec<u8>,
    size: Size,
}

/// How much of a name belongs to a value.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    text: usize,
    resolved: usize,
    escaped: usize,
    /// Whether it has escapes.
    escapes: bool,
}

impl Name {
    /// The one of the whole text.
    pub fn root() -> Name {
        let mut name = Name { text: Vec::new(), resolved: Vec::new(), size: Size { text: 0, resolved: 0, escaped: 0, escapes: false } };
        name.add(b"J");
        name
    }

    pub fn size(&self) -> Size {
        self.size
    }

    /// Takes back what was added since.
    pub fn cut(&mut self, size: Size) {
        self.text.truncate(size.text);
        self.resolved.truncate(size.resolved);
        self.size = size;
    }

    fn add(&mut self, plain: &[u8]) {
        self.text.extend_from_slice(plain);
        self.resolved.extend_from_slice(plain);
        self.size.text += plain.len();
        self.size.resolved += plain.len();
        self.size.escaped += escaped_length(plain);
    }

    /// The member of an object.
    pub fn member(&mut self, key: Quoted<'_>) {
        self.add(b"_o_");
        if !key.escapes {
            return self.add(key.raw);
        }
        self.text.extend_from_slice(key.raw);
        resolve(key.raw, &mut self.resolved);
        self.size = Size { text: self.text.len(), resolved: self.resolved.len(), escaped: self.size.escaped + escaped_length(key.raw), escapes: true };
    }

    /// The element of an array, from 0.
    pub fn element(&mut self, index: usize) {
        self.add(format!("_a{index}").as_bytes());
    }

    /// Its length in the line of parameters.
    pub fn escaped(&self) -> usize {
        self.size.escaped
    }

    /// Whether it has escapes.
    pub fn escapes(&self) -> bool {
        self.size.escapes
    }

    /// As a parameter has it, with the kind of its value.
    pub fn with(&self, kind: &[u8]) -> Vec<u8> {
        [&self.text, kind].concat()
    }

    /// With what its escapes stand for, and the kind of its value.
    pub fn resolved(&self, kind: &[u8]) -> Vec<u8> {
        [&self.resolved, kind].concat()
    }
}
