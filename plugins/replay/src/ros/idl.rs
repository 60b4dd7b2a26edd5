//! IDL notation, as in schemas `ros2idl`: modules, structures, enumerations, constants and type definitions of OMG IDL
//! 4.2. Unions, bit masks, inheritance and lists of lists are refused by name.

use super::definition::{Field, Kind, MAX_TYPES, Many, Message, Primitive, Types, plain_name};
use std::collections::HashMap;

/// Deepest nesting of modules.
const MAX_DEPTH: usize = 32;

struct Parser<'a> {
    words: Vec<&'a str>,
    at: usize,
    modules: Vec<&'a str>,
    types: Types,
    /// Type definitions, by plain name.
    aliases: HashMap<String, (Kind, Many)>,
    constants: HashMap<&'a str, usize>,
    /// Whether `@final` stands before the next structure.
    is_final: bool,
}

/// Parses the text of a schema.
pub(super) fn parse(text: &str) -> Result<Types, String> {
    let mut parser = Parser {
        words: words(text),
        at: 0,
        modules: Vec::new(),
        types: Types::default(),
        aliases: HashMap::new(),
        constants: HashMap::new(),
        is_final: false,
    };
    while parser.at < parser.words.len() {
        parser.item()?;
    }
    parser.resolve()
}

/// Words and signs, without comments and preprocessor lines.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    let mut at_line_start = true;
    loop {
        let trimmed = rest.trim_start();
        at_line_start |= rest[..rest.len() - trimmed.len()].contains('\n');
        rest = trimmed;
        let Some(first) = rest.chars().next() else {
            return words;
        };
        let skip_to = |end: &str, from: usize| {
            let found = rest.get(from..).and_then(|r| r.find(end));
            found.map_or(rest.len(), |at| from + at + end.len())
        };
        let marks_line = ["#", "===", "IDL:"].iter().any(|m| rest.starts_with(m));
        let length = if rest.starts_with("//") || (at_line_start && marks_line) {
            skip_to("\n", 0)
        } else if rest.starts_with("/*") {
            skip_to("*/", 2)
        } else if first == '"' {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |(at, _)| at + 1)
        } else if first.is_alphanumeric() || first == '_' {
            let mut end = 0;
            for (at, c) in rest.char_indices() {
                let scope = c == ':' && (rest[at..].starts_with("::") || rest[..at].ends_with(':'));
                if !(c.is_alphanumeric() || c == '_' || c == '.' || scope) {
                    break;
                }
                end = at + c.len_utf8();
            }
            words.push(&rest[..end]);
            end
        } else {
            words.push(&rest[..first.len_utf8()]);
            first.len_utf8()
        };
        at_line_start = rest[..length].ends_with('\n');
        rest = &rest[length..];
    }
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Result<&'a str, String> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word.ok_or_else(|| "its schema (IDL) ends within a type".to_owned())
    }

    fn peek(&self) -> &'a str {
        self.words.get(self.at).copied().unwrap_or_default()
    }

    fn takes(&mut self, word: &str) -> bool {
        let is = self.peek() == word;
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        let found = self.next()?;
        if found == word {
            return Ok(());
        }
        Err(format!(
            "its schema (IDL) has `{found}` in place of `{word}`"
        ))
    }

    fn item(&mut self) -> Result<(), String> {
        match self.next()? {
            "@" => self.annotation()?,
            ";" => {}
            "module" => {
                let name = self.next()?;
                self.modules.push(name);
                if self.modules.len() > MAX_DEPTH {
                    return Err("its schema (IDL) has too many modules".to_owned());
                }
                self.expect("{")?;
                while !self.takes("}") {
                    self.item()?;
                }
                self.modules.pop();
            }
            "struct" => self.structure()?,
            "enum" => {
                let name = self.next()?;
                self.expect("{")?;
                while self.next()? != "}" {}
                let kind = (Kind::Primitive(Primitive::U32), Many::One);
                self.aliases.insert(self.scoped(name), kind);
            }
            "const" => {
                let mut name = "";
                loop {
                    match self.next()? {
                        "=" => break,
                        word => name = word,
                    }
                }
                if let Ok(value) = self.peek().parse() {
                    self.constants.insert(name, value);
                }
                while self.next()? != ";" {}
            }
            "typedef" => {
                let (kind, many) = self.kind()?;
                let name = self.next()?;
                let many = self.declared(many)?;
                self.aliases.insert(self.scoped(name), (kind, many));
                self.expect(";")?;
            }
            other => return Err(format!("its schema (IDL) has `{other}`, which is not read")),
        }
        Ok(())
    }

    fn annotation(&mut self) -> Result<(), String> {
        let name = self.next()?;
        self.is_final |= name == "final";
        if self.takes("(") {
            let mut open = 1;
            while open > 0 {
                match self.next()? {
                    "(" => open += 1,
                    ")" => open -= 1,
                    "FINAL" => self.is_final |= name == "extensibility",
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn structure(&mut self) -> Result<(), String> {
        let name = self.scoped(self.peek());
        self.at += 1;
        if self.takes(";") {
            return Ok(());
        }
        let mut message = Message {
            is_final: std::mem::take(&mut self.is_final),
            ..Message::default()
        };
        self.expect("{")?;
        while !self.takes("}") {
            if self.takes("@") {
                let name = self.peek();
                if matches!(name, "optional" | "id" | "external") {
                    return Err(format!("its schema (IDL) has `@{name}`, which is not read"));
                }
                self.annotation()?;
                continue;
            }
            let (kind, many) = self.kind()?;
            loop {
                let name = self.next()?;
                message.fields.push(Field {
                    name: name.to_owned(),
                    kind: kind.clone(),
                    many: self.declared(many)?,
                });
                if !self.takes(",") {
                    break;
                }
            }
            self.expect(";")?;
        }
        // Of an empty structure, the `.idl` files of ROS 2 have the field of one byte that it is written as.
        message
            .fields
            .retain(|f| f.name != "structure_needs_at_least_one_member");
        if self.types.messages.len() > MAX_TYPES || message.fields.len() > MAX_TYPES {
            return Err(format!(
                "its schema has more than {MAX_TYPES} types or fields"
            ));
        }
        self.types.messages.insert(name, message);
        Ok(())
    }

    /// Type of a member, before its name.
    fn kind(&mut self) -> Result<(Kind, Many), String> {
        let word = self.next()?;
        let primitive = match word {
            "boolean" => Primitive::Bool,
            "octet" | "char" | "uint8" => Primitive::U8,
            "int8" => Primitive::I8,
            "int16" | "short" => Primitive::I16,
            "uint16" => Primitive::U16,
            "int32" => Primitive::I32,
            "uint32" => Primitive::U32,
            "int64" => Primitive::I64,
            "uint64" => Primitive::U64,
            "float" => Primitive::F32,
            "double" => Primitive::F64,
            "unsigned" if self.takes("short") => Primitive::U16,
            "unsigned" => {
                self.expect("long")?;
                if self.takes("long") {
                    Primitive::U64
                } else {
                    Primitive::U32
                }
            }
            "long" if self.takes("double") => Primitive::Long,
            "long" if self.takes("long") => Primitive::I64,
            "long" => Primitive::I32,
            "string" | "wstring" => {
                if self.takes("<") {
                    while self.next()? != ">" {}
                }
                if word == "string" {
                    Primitive::Text
                } else {
                    Primitive::WideText
                }
            }
            "sequence" => {
                self.expect("<")?;
                if self.peek() == "sequence" {
                    return Err(
                        "its schema (IDL) has lists of lists, which are not read".to_owned()
                    );
                }
                let (kind, many) = self.kind()?;
                while self.next()? != ">" {}
                if many != Many::One {
                    return Err(
                        "its schema (IDL) has lists of lists, which are not read".to_owned()
                    );
                }
                return Ok((kind, Many::Sequence));
            }
            "wchar" | "map" | "fixed" | "any" => {
                return Err(format!("its schema (IDL) has `{word}`, which is not read"));
            }
            name => return Ok((Kind::Named(self.scoped(name)), Many::One)),
        };
        Ok((Kind::Primitive(primitive), Many::One))
    }

    /// Dimensions after a name: lists of several dimensions are written as one.
    fn declared(&mut self, many: Many) -> Result<Many, String> {
        let mut count: Option<usize> = None;
        while self.takes("[") {
            let size = self.next()?;
            let size = size.parse().ok().or(self.constants.get(size).copied());
            let size = size.ok_or("its schema (IDL) has a list of an unknown length")?;
            count = Some(count.unwrap_or(1).saturating_mul(size));
            self.expect("]")?;
        }
        match (count, many) {
            (None, many) => Ok(many),
            (Some(count), Many::One) => Ok(Many::Fixed(count)),
            _ => Err("its schema (IDL) has lists of lists, which are not read".to_owned()),
        }
    }

    /// `package/Type` of a name in the present modules.
    fn scoped(&self, name: &str) -> String {
        match self.modules.first() {
            Some(package) if !name.contains("::") => format!("{package}/{name}"),
            _ => plain_name(name),
        }
    }

    /// Replaces type definitions by what they stand for.
    fn resolve(mut self) -> Result<Types, String> {
        for message in self.types.messages.values_mut() {
            for field in &mut message.fields {
                for _ in 0..MAX_DEPTH {
                    let Kind::Named(name) = &field.kind else {
                        break;
                    };
                    let Some((kind, many)) = self.aliases.get(name) else {
                        break;
                    };
                    field.many = match (field.many, *many) {
                        (one, Many::One) => one,
                        (Many::One, many) => many,
                        (Many::Fixed(a), Many::Fixed(b)) => Many::Fixed(a.saturating_mul(b)),
                        _ => {
                            return Err("its schema (IDL) has lists of lists, which are not read"
                                .to_owned());
                        }
                    };
                    field.kind = kind.clone();
                }
            }
        }
        Ok(self.types)
    }
}
