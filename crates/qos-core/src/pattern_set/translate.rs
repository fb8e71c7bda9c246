//! From what was read to expressions of automatons: the same meaning where they can have it, a wider one where they cannot.

use super::bytes::Bytes;
use super::syntax::Node;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};

/// Largest count in an expression.
const COUNTED: u32 = 200;

/// A pattern as an expression that matches wherever the pattern does.
pub(super) struct Translation {
    pub expression: Hir,
    /// Whether it matches nowhere else.
    pub exact: bool,
}

/// The same search without repeating what need not be repeated at both ends.
pub(super) fn trimmed(node: Node) -> Node {
    without_optional_head(without_optional_tail(node))
}

/// Translates a pattern that is searched anywhere in a subject.
pub(super) fn translate(node: &Node) -> Translation {
    let mut exact = true;
    let expression = expression(node, true, &mut exact);
    Translation { expression, exact }
}

/// Whether a match can begin at the start of the subject only.
pub(super) fn is_anchored(expression: &Hir) -> bool {
    expression.properties().look_set_prefix().contains(Look::Start)
}

/// `at_end`: nothing follows that takes a byte.
fn expression(node: &Node, at_end: bool, exact: &mut bool) -> Hir {
    match node {
        Node::Byte(bytes) => class(*bytes),
        Node::Start => Hir::look(Look::Start),
        Node::End => Hir::look(Look::End),
        // A condition that takes no byte; at the very end it may as well take the newline.
        Node::LineEnd if at_end => Hir::concat(vec![repeat(class(Bytes::one(b'\n')), 0, Some(1)), Hir::look(Look::End)]),
        Node::WordBoundary(true) => Hir::look(Look::WordAscii),
        Node::WordBoundary(false) => Hir::look(Look::WordAsciiNegate),
        Node::Sequence(nodes) => {
            let last = nodes.len().saturating_sub(1);
            Hir::concat(nodes.iter().enumerate().map(|(at, node)| expression(node, at_end && at == last, exact)).collect())
        }
        Node::Choice(nodes) => Hir::alternation(nodes.iter().map(|node| expression(node, at_end, exact)).collect()),
        // Many repetitions make large tables: a wider expression leaves the counting to the program.
        Node::Repeat { node, min, max, .. } if max.unwrap_or(*min) > COUNTED => {
            *exact = false;
            repeat(expression(node, false, exact), (*min).min(COUNTED), None)
        }
        Node::Repeat { node, min, max, .. } => repeat(expression(node, false, exact), *min, *max),
        Node::LineEnd | Node::LookAround { .. } => {
            *exact = false;
            Hir::empty()
        }
        Node::Restricted(node) => {
            *exact = false;
            expression(node, at_end, exact)
        }
        Node::Group(_, node) => expression(node, at_end, exact),
        Node::BackReference(..) => {
            *exact = false;
            repeat(class(Bytes::all()), 0, None)
        }
    }
}

fn repeat(expression: Hir, min: u32, max: Option<u32>) -> Hir {
    Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(expression) })
}

pub(super) fn class(bytes: Bytes) -> Hir {
    let ranges = (0..=u8::MAX).filter(|byte| bytes.contains(*byte)).map(|byte| ClassBytesRange::new(byte, byte));
    Hir::class(Class::Bytes(ClassBytes::new(ranges)))
}

/// A search need not look how often the last part is repeated.
fn without_optional_tail(node: Node) -> Node {
    trim(node, Vec::pop, &|nodes, node| nodes.push(node), &without_optional_tail)
}

/// An unanchored search need not look how often the first part is repeated.
fn without_optional_head(node: Node) -> Node {
    let take = |nodes: &mut Vec<Node>| if nodes.is_empty() { None } else { Some(nodes.remove(0)) };
    trim(node, take, &|nodes, node| nodes.insert(0, node), &without_optional_head)
}

fn trim(node: Node, take: impl Fn(&mut Vec<Node>) -> Option<Node>, give: &dyn Fn(&mut Vec<Node>, Node), again: &dyn Fn(Node) -> Node) -> Node {
    match node {
        Node::Repeat { min: 0, .. } => Node::Sequence(Vec::new()),
        Node::Repeat { node, min, greedy, .. } => Node::Repeat { node, min, max: Some(min), greedy },
        Node::Choice(nodes) => Node::Choice(nodes.into_iter().map(again).collect()),
        Node::Sequence(mut nodes) => {
            while let Some(node) = take(&mut nodes) {
                let node = again(node);
                if node != Node::Sequence(Vec::new()) {
                    give(&mut nodes, node);
                    break;
                }
            }
            Node::Sequence(nodes)
        }
        other => other,
    }
}
