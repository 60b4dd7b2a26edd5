//! Whether a template covers a sentence to the last word.

use super::names::{Lists, Name};
use super::quantity::{self, Found};
use super::table::{Class, FILLERS, LISTS, QUESTION_FILLERS, ROWS, RULES, Row};
use super::template::{Part, parse};
use super::words::{Word, words};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Arguments that a template sets by a rule of this name.
const CONSTANTS: &[(&str, &str, Constant)] = &[
    ("rate-one", "factor", Constant::Number(1.0)),
    ("rate-fast", "factor", Constant::Number(0.0)),
    (
        "turn-half",
        "angle_rad",
        Constant::Number(std::f64::consts::PI),
    ),
    (
        "turn-full",
        "angle_rad",
        Constant::Number(std::f64::consts::TAU),
    ),
    ("fault-freeze", "fault", Constant::Text("Freeze")),
    ("fault-bias", "fault", Constant::Text("Bias")),
    ("fault-scale", "fault", Constant::Text("Scale")),
    ("fault-delay", "fault", Constant::Text("Delay")),
    ("fault-dropout", "fault", Constant::Text("DropOut")),
    (
        "set-speed",
        "parameter",
        Constant::Text("controller.speed_m_s"),
    ),
    ("w-surprise", "what", Constant::Text("surprise")),
    ("w-coherence", "what", Constant::Text("coherence")),
    ("w-speed", "what", Constant::Text("speed")),
    ("w-event", "what", Constant::Text("event")),
    ("how-above", "how", Constant::Text("above")),
    ("how-below", "how", Constant::Text("below")),
    ("how-rises", "how", Constant::Text("rises")),
    ("how-falls", "how", Constant::Text("falls")),
    ("how-silent", "how", Constant::Text("silent")),
    ("on-day", "on", Constant::Text("day")),
    ("most-one", "most", Constant::Whole(1)),
    ("ev-fault", "event", Constant::Text("fault")),
    ("ev-goal", "event", Constant::Text("goal")),
    ("ev-alarm", "event", Constant::Text("alarm")),
    (
        "p-speed",
        "parameter",
        Constant::Text("controller.speed_m_s"),
    ),
];

#[derive(Clone, Copy, Debug)]
enum Constant {
    Number(f64),
    Whole(u64),
    Text(&'static str),
}

/// A part, ready for use.
#[derive(Clone, Debug)]
enum Node {
    /// Nothing.
    Empty,
    Word(String),
    Row(Vec<Node>),
    Either(Vec<Node>),
    Maybe(Box<Node>),
    Rule(usize),
    Set(usize),
    /// Words for values.
    List(String, usize),
    Slot(String, Kind),
}

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Agent,
    Assistant,
    Sensor,
    Channel,
    Place,
    Scene,
    Parameter,
    FullParameter,
    OtherParameter,
    Recording,
    Number,
    Integer,
    Distance(bool),
    Angle(bool),
    SignedAngle,
    Speed(bool),
    Duration,
    Interval,
    Factor,
    Share,
    Coordinate,
    Amount,
    Time,
    Text,
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "agent" => Kind::Agent,
        "assistant" => Kind::Assistant,
        "sensor" => Kind::Sensor,
        "channel" => Kind::Channel,
        "place" => Kind::Place,
        "scene" => Kind::Scene,
        "parameter" => Kind::Parameter,
        "fullparameter" => Kind::FullParameter,
        "otherparameter" => Kind::OtherParameter,
        "recording" => Kind::Recording,
        "number" => Kind::Number,
        "integer" => Kind::Integer,
        "distance" => Kind::Distance(false),
        "-distance" => Kind::Distance(true),
        "angle" => Kind::Angle(false),
        "-angle" => Kind::Angle(true),
        "signed_angle" => Kind::SignedAngle,
        "speed" => Kind::Speed(false),
        "-speed" => Kind::Speed(true),
        "duration" => Kind::Duration,
        "interval" => Kind::Interval,
        "factor" => Kind::Factor,
        "share" => Kind::Share,
        "coordinate" => Kind::Coordinate,
        "amount" => Kind::Amount,
        "time" => Kind::Time,
        "text" => Kind::Text,
        _ => return None,
    })
}

/// Words for a value, without fillers.
type ListOf = Vec<(Vec<String>, &'static str)>;

/// All templates.
#[derive(Debug)]
pub(super) struct Templates {
    rules: Vec<Node>,
    lists: Vec<ListOf>,
    rows: Vec<Template>,
    /// What may stand before a question.
    before_question: Node,
    /// What may stand before all others.
    before: Node,
    /// What may stand after all.
    after: Node,
    /// Words of the templates: their bits in a set.
    bits: HashMap<String, usize>,
}

/// A template of a row.
#[derive(Debug)]
struct Template {
    row: &'static Row,
    node: Node,
    /// Of each of these sets a sentence has a word, or the template does not cover it.
    needs: Vec<Bits>,
}

/// A set of words.
type Bits = Box<[u64]>;

struct Reader {
    rules: HashMap<&'static str, usize>,
}

impl Reader {
    fn node(&self, part: Part) -> Result<Node, String> {
        let all = |parts: Vec<Part>| {
            parts
                .into_iter()
                .map(|part| self.node(part))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(match part {
            Part::Word(word) if FILLERS.contains(&word.as_str()) => Node::Empty,
            Part::Word(word) => Node::Word(word),
            Part::Row(parts) => Node::Row(all(parts)?),
            Part::Either(parts) => Node::Either(all(parts)?),
            Part::Any(parts) => Node::Either(orders(&all(parts)?)),
            Part::Maybe(part) => Node::Maybe(Box::new(self.node(*part)?)),
            Part::Rule(name) => match self.rules.get(name.as_str()) {
                Some(index) => Node::Rule(*index),
                None => {
                    let constant = CONSTANTS
                        .iter()
                        .position(|(constant, ..)| *constant == name);
                    Node::Set(constant.ok_or_else(|| format!("found no rule `{name}`"))?)
                }
            },
            Part::Slot(name, of) => {
                match (kind(&of), LISTS.iter().position(|(list, _)| *list == of)) {
                    (Some(kind), _) => Node::Slot(name, kind),
                    (None, Some(list)) => Node::List(name, list),
                    (None, None) => return Err(format!("found no type `{of}`")),
                }
            }
        })
    }
}

/// All orders of some parts.
fn orders(parts: &[Node]) -> Vec<Node> {
    if parts.len() < 2 {
        return parts.to_vec();
    }
    let mut all = Vec::new();
    for first in 0..parts.len() {
        let mut rest = parts.to_vec();
        let node = rest.remove(first);
        for order in orders(&rest) {
            let mut row = vec![node.clone()];
            match order {
                Node::Row(parts) if rest.len() > 1 => row.extend(parts),
                other => row.push(other),
            }
            all.push(Node::Row(row));
        }
    }
    all
}

impl Templates {
    pub(super) fn read() -> Result<Self, String> {
        let mut reader = Reader {
            rules: HashMap::new(),
        };
        let mut rules = Vec::new();
        // A rule may use those before it.
        for (name, text) in RULES {
            let node = reader
                .node(parse(text)?)
                .map_err(|e| format!("rule `{name}`: {e}"))?;
            reader.rules.insert(name, rules.len());
            rules.push(node);
        }
        let wrap = |text: &str| parse(text).and_then(|part| reader.node(part));
        let mut bits = HashMap::new();
        rules.iter().for_each(|node| count(node, &mut bits));
        let mut rows = Vec::new();
        for row in ROWS {
            for template in row.templates {
                let node =
                    wrap(template).map_err(|e| format!("{}: `{template}`: {e}", row.kind))?;
                count(&node, &mut bits);
                rows.push(Template {
                    row,
                    node,
                    needs: Vec::new(),
                });
            }
        }
        let before_question = wrap("<hello> <could> <tell>")?;
        let before = wrap("<hello> <could>")?;
        let after = wrap("<thanks>")?;
        let list = |(_, all): &(&str, &'static [(&'static str, &'static str)])| -> ListOf {
            let form = |said: &str| {
                let words = words(said).into_iter().map(|word| word.text);
                words
                    .filter(|word| !FILLERS.contains(&word.as_str()))
                    .collect::<Vec<_>>()
            };
            all.iter()
                .map(|(said, value)| (form(said), *value))
                .collect()
        };
        let lists = LISTS.iter().map(list).collect();
        let mut templates = Self {
            rules,
            lists,
            rows: Vec::new(),
            before_question,
            before,
            after,
            bits,
        };
        for template in &mut rows {
            templates.needed(&template.node, &mut template.needs);
        }
        templates.rows = rows;
        Ok(templates)
    }

    /// The rows that cover a sentence, in the order of the table, with what they catch.
    pub(super) fn cover<'a>(
        &'a self,
        said: &'a [Word],
        sentence: &'a str,
        lists: &'a Lists,
    ) -> impl Iterator<Item = (&'static Row, Map<String, Value>)> + 'a {
        let mut has = self.no_bits();
        for word in said {
            set(&mut has, self.bits.get(word.text.as_str()).copied());
        }
        let cover = move |class: Class| Cover {
            templates: self,
            said,
            sentence,
            lists,
            class,
        };
        // Where what is meant begins: the same for all rows.
        let begins = |class: Class, before: &'a Node| {
            let mut begins: Vec<(usize, Caught<'a>)> = Vec::new();
            cover(class).match_node(before, 0, &mut Vec::new(), &mut |end, values| {
                if begins
                    .iter()
                    .all(|(known, caught)| *known != end || caught != values)
                {
                    begins.push((end, values.clone()));
                }
                false
            });
            begins
        };
        let begins_question = begins(Class::Question, &self.before_question);
        let begins_other = begins(Class::Act, &self.before);
        self.rows.iter().filter_map(move |template| {
            let is_possible = template
                .needs
                .iter()
                .all(|set| set.iter().zip(&has).any(|(set, has)| set & has != 0));
            if !is_possible {
                return None;
            }
            let cover = cover(template.row.class);
            let begins = if template.row.class == Class::Question {
                &begins_question
            } else {
                &begins_other
            };
            begins.iter().find_map(|(begin, caught)| {
                let mut whole = None;
                cover.match_node(
                    &template.node,
                    *begin,
                    &mut caught.clone(),
                    &mut |end, values| {
                        cover.match_node(&self.after, end, values, &mut |end, values| {
                            let is_whole = cover.rest_is_filler(end);
                            if is_whole {
                                whole = Some(Cover::caught(values));
                            }
                            is_whole
                        })
                    },
                );
                Some((template.row, whole?))
            })
        })
    }

    fn no_bits(&self) -> Bits {
        vec![0; self.bits.len() / 64 + 1].into_boxed_slice()
    }

    /// Adds sets of which a sentence needs a word each, for this node to cover a part of it.
    fn needed(&self, node: &Node, sets: &mut Vec<Bits>) {
        match node {
            Node::Row(parts) => parts.iter().for_each(|part| self.needed(part, sets)),
            Node::Word(_) | Node::Either(_) | Node::Rule(_) => {
                let mut any = self.no_bits();
                if self.one_of(node, &mut any) {
                    sets.push(any);
                }
            }
            // Of values it is not known before.
            Node::Empty | Node::Maybe(_) | Node::Set(_) | Node::List(..) | Node::Slot(..) => {}
        }
    }

    /// Adds words one of which this node needs; false where it may do without any.
    fn one_of(&self, node: &Node, any: &mut Bits) -> bool {
        match node {
            Node::Word(word) => {
                set(any, self.bits.get(word.as_str()).copied());
                true
            }
            // The first part that needs one will do.
            Node::Row(parts) => parts.iter().any(|part| {
                let before = any.clone();
                let needs = self.one_of(part, any);
                if !needs {
                    *any = before;
                }
                needs
            }),
            Node::Either(parts) => parts.iter().all(|part| self.one_of(part, any)),
            Node::Rule(rule) => self
                .rules
                .get(*rule)
                .is_some_and(|rule| self.one_of(rule, any)),
            Node::Empty | Node::Maybe(_) | Node::Set(_) | Node::List(..) | Node::Slot(..) => false,
        }
    }
}

/// Puts a word into a set.
fn set(bits: &mut Bits, bit: Option<usize>) {
    if let Some(bit) = bit
        && let Some(part) = bits.get_mut(bit / 64)
    {
        *part |= 1 << (bit % 64);
    }
}

/// Gives each word of a node a number.
fn count(node: &Node, bits: &mut HashMap<String, usize>) {
    match node {
        Node::Word(word) => {
            let next = bits.len();
            bits.entry(word.clone()).or_insert(next);
        }
        Node::Row(parts) | Node::Either(parts) => parts.iter().for_each(|part| count(part, bits)),
        Node::Maybe(part) => count(part, bits),
        Node::Empty | Node::Rule(_) | Node::Set(_) | Node::List(..) | Node::Slot(..) => {}
    }
}

/// A value that was caught: name, value.
type Caught<'a> = Vec<(&'a str, Value)>;

struct Cover<'a> {
    templates: &'a Templates,
    said: &'a [Word],
    sentence: &'a str,
    lists: &'a Lists,
    class: Class,
}

impl<'a> Cover<'a> {
    fn is_filler(&self, at: usize) -> bool {
        self.said.get(at).is_some_and(|word| {
            FILLERS.contains(&word.text.as_str())
                || (self.class == Class::Question && QUESTION_FILLERS.contains(&word.text.as_str()))
        })
    }

    fn rest_is_filler(&self, at: usize) -> bool {
        (at..self.said.len()).all(|at| self.is_filler(at))
    }

    fn caught(values: &Caught<'_>) -> Map<String, Value> {
        values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    /// Calls `done` with each end of the part; true as soon as it takes one.
    fn match_node(
        &self,
        node: &'a Node,
        at: usize,
        values: &mut Caught<'a>,
        done: &mut dyn FnMut(usize, &mut Caught<'a>) -> bool,
    ) -> bool {
        match node {
            Node::Empty => done(at, values),
            Node::Row(parts) => self.match_row(parts, at, values, done),
            Node::Either(parts) => parts
                .iter()
                .any(|part| self.match_node(part, at, values, done)),
            // With it first: the longest is the best.
            Node::Maybe(part) => self.match_node(part, at, values, done) || done(at, values),
            Node::Rule(rule) => self
                .templates
                .rules
                .get(*rule)
                .is_some_and(|rule| self.match_node(rule, at, values, done)),
            Node::Set(constant) => {
                let Some((_, name, value)) = CONSTANTS.get(*constant) else {
                    return false;
                };
                let value = match value {
                    Constant::Number(x) => json!(x),
                    Constant::Whole(n) => json!(n),
                    Constant::Text(text) => json!(text),
                };
                with(values, name, value, |values| done(at, values))
            }
            Node::Word(word) => {
                let mut at = at;
                loop {
                    if self.said.get(at).is_some_and(|said| said.text == *word)
                        && done(at + 1, values)
                    {
                        return true;
                    }
                    if !self.is_filler(at) {
                        return false;
                    }
                    at += 1;
                }
            }
            Node::List(name, list) => {
                let forms = self.templates.lists.get(*list).into_iter().flatten();
                forms.into_iter().any(|(form, value)| {
                    let end = self.form_end(form, at);
                    end.is_some_and(|end| {
                        with(values, name, json!(value), |values| done(end, values))
                    })
                })
            }
            Node::Slot(name, kind) => {
                let mut at = at;
                loop {
                    for (end, value) in self.values(*kind, at) {
                        if with(values, name, value, |values| done(end, values)) {
                            return true;
                        }
                    }
                    if !self.is_filler(at) {
                        return false;
                    }
                    at += 1;
                }
            }
        }
    }

    fn match_row(
        &self,
        parts: &'a [Node],
        at: usize,
        values: &mut Caught<'a>,
        done: &mut dyn FnMut(usize, &mut Caught<'a>) -> bool,
    ) -> bool {
        match parts.split_first() {
            None => done(at, values),
            Some((first, rest)) => self.match_node(first, at, values, &mut |end, values| {
                self.match_row(rest, end, values, done)
            }),
        }
    }

    /// Where these words end, with fillers between them.
    fn form_end(&self, form: &[String], mut at: usize) -> Option<usize> {
        for word in form {
            while self.said.get(at).is_some_and(|said| said.text != *word) && self.is_filler(at) {
                at += 1;
            }
            if self.said.get(at).is_none_or(|said| said.text != *word) {
                return None;
            }
            at += 1;
        }
        Some(at)
    }

    fn names<'n>(&self, all: &'n [Name], at: usize) -> Vec<(usize, Value)> {
        let ends = |name: &'n Name| {
            let ends: Vec<_> = name.ends(self.said, at).collect();
            ends.into_iter().map(move |end| (end, json!(name.value)))
        };
        let mut found: Vec<_> = all.iter().flat_map(ends).collect();
        found.sort_by_key(|(end, _)| std::cmp::Reverse(*end));
        found
    }

    /// Values of a type from a place on, the longest first.
    fn values(&self, kind: Kind, at: usize) -> Vec<(usize, Value)> {
        let said = self.said;
        let longest = |mut found: Found| -> Vec<(usize, Value)> {
            found.sort_by_key(|(end, _)| std::cmp::Reverse(*end));
            found.into_iter().map(|(end, x)| (end, json!(x))).collect()
        };
        let negative = |found: Found, is_negative: bool| -> Vec<(usize, Value)> {
            // `back -2 m` is not two metres forward.
            let found = found.into_iter().filter(|(_, x)| !is_negative || *x >= 0.0);
            longest(
                found
                    .map(|(end, x)| (end, if is_negative { -x } else { x }))
                    .collect(),
            )
        };
        let text = |at: usize| said.get(at).map_or("", |word| word.text.as_str());
        match kind {
            Kind::Agent => self.names(&self.lists.agents, at),
            Kind::Assistant => self.names(&self.lists.assistant, at),
            Kind::Sensor => self.names(&self.lists.sensors, at),
            Kind::Channel => self.names(&self.lists.channels, at),
            Kind::Place => self.names(&self.lists.places, at),
            Kind::Scene => self.names(&self.lists.scenes, at),
            Kind::Parameter => self.names(&self.lists.parameters, at),
            Kind::FullParameter => match text(at) {
                "controller" => self.names(&self.lists.parameters, at),
                _ => Vec::new(),
            },
            Kind::OtherParameter => {
                // What is called a speed may be the machine's own.
                let mut found = self.names(&self.lists.parameters, at);
                found.retain(|(_, name)| name.as_str().is_some_and(|name| !name.contains("speed")));
                found
            }
            Kind::Recording => self.names(&self.lists.recordings, at),
            Kind::Number => longest(quantity::number(said, at)),
            Kind::Integer => {
                let whole = quantity::number(said, at)
                    .into_iter()
                    .filter(|(_, x)| x.fract() == 0.0 && *x >= 0.0 && *x < 1e15);
                whole.map(|(end, x)| (end, json!(x as u64))).collect()
            }
            Kind::Distance(is_negative) => negative(quantity::distance(said, at), is_negative),
            Kind::Angle(is_negative) => {
                let positive = quantity::angle(said, at)
                    .into_iter()
                    .filter(|(_, x)| *x >= 0.0);
                negative(positive.collect(), is_negative)
            }
            Kind::SignedAngle => {
                // Without a direction: a sign, or radians as programs have them.
                let is_signed =
                    text(at).starts_with('-') || matches!(text(at), "minus" | "negative" | "plus");
                let at = if text(at) == "plus" { at + 1 } else { at };
                let all = quantity::angle(said, at).into_iter();
                longest(
                    all.filter(|(end, _)| {
                        is_signed || matches!(text(end - 1), "rad" | "rads" | "radian" | "radians")
                    })
                    .collect(),
                )
            }
            Kind::Speed(is_negative) => negative(quantity::speed(said, at), is_negative),
            Kind::Duration => longest(
                quantity::duration(said, at)
                    .into_iter()
                    .filter(|(_, x)| *x > 0.0)
                    .collect(),
            ),
            Kind::Interval => {
                let mut found = quantity::duration(said, at);
                // `every hour`
                let one = Word {
                    text: "1".to_owned(),
                    at: 0,
                };
                let unit = [
                    one,
                    Word {
                        text: text(at).to_owned(),
                        at: 0,
                    },
                ];
                found.extend(
                    quantity::duration(&unit, 0)
                        .into_iter()
                        .filter(|(end, _)| *end == 2)
                        .map(|(_, x)| (at + 1, x)),
                );
                if text(at) == "half" && text(at + 1) == "hour" {
                    found.push((at + 2, 1800.0));
                }
                longest(found.into_iter().filter(|(_, x)| *x > 0.0).collect())
            }
            Kind::Factor => longest(quantity::factor(said, at)),
            Kind::Share => {
                let mut found = quantity::factor(said, at);
                found.extend(match text(at) {
                    "third" => Some((at + 1, 1.0 / 3.0)),
                    "all" | "every" => Some((at + 1, 1.0)),
                    _ => None,
                });
                longest(found.into_iter().filter(|(_, x)| *x <= 1.0).collect())
            }
            Kind::Coordinate => {
                let plain = quantity::number(said, at);
                longest(
                    plain
                        .into_iter()
                        .chain(quantity::distance(said, at))
                        .collect(),
                )
            }
            Kind::Amount => {
                let mut found: Vec<(usize, Value)> = Vec::new();
                for (unit, read) in [
                    ("speed", quantity::speed(said, at)),
                    ("distance", quantity::distance(said, at)),
                    ("duration", quantity::duration(said, at)),
                    ("angle", quantity::angle(said, at)),
                ] {
                    let read = read.into_iter().filter(|(end, _)| *end > at + 1);
                    found.extend(read.map(|(end, x)| (end, json!({"number": x, "unit": unit}))));
                }
                found.extend(
                    quantity::number(said, at)
                        .into_iter()
                        .map(|(end, x)| (end, json!({"number": x}))),
                );
                found.sort_by_key(|(end, _)| std::cmp::Reverse(*end));
                found
            }
            Kind::Time => longest(quantity::time_of_day(said, at)),
            Kind::Text => {
                let text = said.get(at).and_then(|word| self.sentence.get(word.at..));
                let text = text.map(|text| text.trim().trim_end_matches('.').to_owned());
                text.filter(|text| !text.is_empty())
                    .map(|text| (said.len(), json!(text)))
                    .into_iter()
                    .collect()
            }
        }
    }
}

/// Sets a value while something is tried.
fn with<'a>(
    values: &mut Caught<'a>,
    name: &'a str,
    value: Value,
    then: impl FnOnce(&mut Caught<'a>) -> bool,
) -> bool {
    // One thing cannot have two values.
    if values
        .iter()
        .any(|(known, old)| *known == name && *old != value)
    {
        return false;
    }
    values.push((name, value));
    let taken = then(values);
    values.pop();
    taken
}
