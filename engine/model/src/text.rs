//! Encodings of XML files: bytes to text, by the byte order mark, else by the declaration.

use crate::number::quoted;
use crate::xml::{SourceText, is_prolog};
use crate::{ModelError, Place};
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::path::Path;

/// Most bytes before the end of an XML declaration.
const PROLOG_BYTES: usize = 4096;
/// Way out of an encoding that is not read.
const CONVERT: &str = "convert the file: `iconv -f ENCODING -t UTF-8 in > out`";

/// Text of a file, and what was doubtful about its encoding.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) text: String,
    pub(crate) warning: Option<(Place, String)>,
}

/// Decodes an XML file: by its byte order mark, else by the encoding that it declares, else as UTF-8.
///
/// # Errors
/// The encoding is unknown, or bytes are not text in it; the error has their place.
pub(crate) fn decode(bytes: &[u8], file: &Path) -> Result<Decoded, ModelError> {
    let of_file = |found: String, expected: &str| Err(ModelError::of_file(file, found, expected));
    if let Some(name) = unsupported(bytes) {
        let expected = format!("expected UTF-8 or UTF-16; {CONVERT}");
        return of_file(format!("text in {name}"), &expected);
    }
    let (encoding, mark) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (Some(encoding), length),
        None if bytes.starts_with(b"<\0") => (Some(UTF_16LE), 0),
        None if bytes.starts_with(b"\0<") => (Some(UTF_16BE), 0),
        None => (None, 0),
    };
    let bytes = &bytes[mark..];
    if let Some(encoding) = encoding.filter(|&e| e != UTF_8) {
        return Ok(Decoded {
            text: decoded_as(encoding, bytes, file)?,
            warning: None,
        });
    }
    let Some(label) = declared_label(bytes) else {
        return Ok(Decoded {
            text: decoded_as(UTF_8, bytes, file)?,
            warning: None,
        });
    };
    let place = || {
        let text = str::from_utf8(&bytes[..label.start]).unwrap_or_default();
        SourceText::new(text, file).place(label.start)
    };
    let name = &label.name;
    // As Python writes them; the standard has no hyphen.
    let label_name = name.to_ascii_lowercase().replace("latin-", "latin");
    let Some(declared) = Encoding::for_label_no_replacement(label_name.as_bytes()) else {
        let found = format!("the encoding {}, which is unknown", quoted(name));
        let expected = "expected UTF-8, UTF-16, ISO-8859-1, windows-1252 or another of the WHATWG Encoding Standard";
        return Err(ModelError::at(&place(), found, expected).hint(CONVERT));
    };
    let doubt = |read: &str| {
        let text = format!("the file declares the encoding {name}, but it is read as {read}");
        Some((place(), text))
    };
    // Its declaration is readable byte by byte, so it is not UTF-16, whatever it declares.
    let is_wide = declared == UTF_16LE || declared == UTF_16BE;
    if declared == UTF_8 || encoding.is_some() || is_wide {
        let text = decoded_as(UTF_8, bytes, file)?;
        let warning = (declared != UTF_8).then(|| doubt("UTF-8")).flatten();
        return Ok(Decoded { text, warning });
    }
    // Many editors save UTF-8 below the declaration of another encoding.
    let is_utf_8 = !bytes.is_ascii() && str::from_utf8(bytes).is_ok();
    if is_utf_8 && name.to_ascii_lowercase().contains("ascii") {
        return Ok(Decoded {
            text: decoded_as(UTF_8, bytes, file)?,
            warning: doubt("UTF-8: it holds other characters than ASCII's"),
        });
    }
    let warning = is_utf_8.then(|| {
        let text = format!(
            "the file declares the encoding {name} and is read so, but its bytes are valid UTF-8; declare UTF-8 if names look wrong"
        );
        (place(), text)
    });
    Ok(Decoded {
        text: decoded_as(declared, bytes, file)?,
        warning,
    })
}

/// Encodings that are recognised and not read.
fn unsupported(bytes: &[u8]) -> Option<&'static str> {
    [
        (&b"\xFF\xFE\0\0"[..], "UTF-32"),
        (b"\0\0\xFE\xFF", "UTF-32"),
        (b"<\0\0\0", "UTF-32"),
        (b"\0\0\0<", "UTF-32"),
        (b"\x4C\x6F\xA7\x94", "EBCDIC"),
    ]
    .into_iter()
    .find_map(|(start, name)| bytes.starts_with(start).then_some(name))
}

/// Name of the declared encoding, and its offset.
struct Label {
    name: String,
    start: usize,
}

fn declared_label(bytes: &[u8]) -> Option<Label> {
    let head = &bytes[..bytes.len().min(PROLOG_BYTES)];
    // The declaration itself is ASCII; a comment before it may not be.
    let ascii: String = head
        .iter()
        .map(|&b| if b.is_ascii() { char::from(b) } else { '?' })
        .collect();
    let start = ascii.find("<?xml").filter(|&at| is_prolog(&ascii[..at]))?;
    let end = start + ascii[start..].find("?>")?;
    let at = start + ascii[start..end].find("encoding")? + "encoding".len();
    let after = ascii[at..end].trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|&c| c == '"' || c == '\'')?;
    let name = after[1..].split_once(quote)?.0;
    Some(Label {
        name: name.trim().to_owned(),
        start: end - after.len() + 1,
    })
}

/// Decodes bytes without their byte order mark.
fn decoded_as(
    encoding: &'static Encoding,
    bytes: &[u8],
    file: &Path,
) -> Result<String, ModelError> {
    let mut text = String::new();
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut rest = bytes;
    loop {
        text.reserve(rest.len().max(64));
        let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut text, true);
        match result {
            DecoderResult::InputEmpty => break,
            DecoderResult::OutputFull => rest = &rest[read..],
            DecoderResult::Malformed(length, after) => {
                let end = bytes.len() - rest.len() + read - usize::from(after);
                let bad = bytes.get(end - usize::from(length)).copied();
                // A zero before it is what the user should look at first.
                let at = text.find('\0').unwrap_or(text.len());
                let bad = if at < text.len() { Some(0) } else { bad };
                return Err(not_text(encoding, &text, at, bad, file));
            }
        }
    }
    // Some editors append zeros.
    text.truncate(text.trim_end_matches('\0').len());
    match text.find('\0') {
        Some(at) => Err(not_text(encoding, &text, at, Some(0), file)),
        None => Ok(text),
    }
}

fn not_text(
    encoding: &'static Encoding,
    text: &str,
    at: usize,
    byte: Option<u8>,
    file: &Path,
) -> ModelError {
    let byte = byte.unwrap_or_default();
    let place = SourceText::new(text, file).place(at);
    let found = format!("byte 0x{byte:02X}, which is not text");
    let error = ModelError::at(
        &place,
        found,
        format!("expected XML in {}", encoding.name()),
    );
    match byte {
        0 => error,
        _ => error.hint(
            "declare the encoding, as in <?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>, or convert the file: `iconv -f ISO-8859-1 -t UTF-8 in > out`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(String, String), String> {
        let decoded = decode(bytes, Path::new("a.xml")).map_err(|e| e.to_string())?;
        let warning = decoded
            .warning
            .map(|(place, text)| format!("{place}: {text}"));
        Ok((decoded.text, warning.unwrap_or_default()))
    }

    fn utf_16(text: &str, mark: bool, bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mark = mark.then_some(0xFEFF);
        mark.into_iter()
            .chain(text.encode_utf16())
            .flat_map(bytes)
            .collect()
    }

    #[test]
    fn declared_encodings_are_read() {
        for (label, coded, text) in [
            ("ISO-8859-1", &b"gr\xFCn"[..], "grün"),
            ("latin1", b"gr\xFCn", "grün"),
            ("Latin-1", b"gr\xFCn", "grün"),
            ("iso-8859-15", b"\xA4", "€"),
            ("windows-1252", b"\x80", "€"),
            ("windows-1251", b"\xEC\xE8\xF0", "мир"),
            ("Shift_JIS", b"\x83\x8D\x83\x7B", "ロボ"),
            ("GB2312", b"\xBB\xFA", "机"),
            ("EUC-KR", b"\xB7\xCE", "로"),
        ] {
            let head = format!("<?xml version='1.0' encoding='{label}'?><a b='");
            let bytes = [head.as_bytes(), coded, b"'/>"].concat();
            let (read, warning) = read(&bytes).unwrap();
            assert!(read.ends_with(&format!("'{text}'/>")), "{read}");
            assert_eq!(warning, "");
        }
    }

    #[test]
    fn utf_16_is_read_with_and_without_a_mark() {
        let text = "<?xml version=\"1.0\" encoding=\"utf-16\"?><a b=\"grün\"/>";
        for mark in [true, false] {
            for bytes in [
                utf_16(text, mark, u16::to_le_bytes),
                utf_16(text, mark, u16::to_be_bytes),
            ] {
                assert_eq!(read(&bytes).unwrap(), (text.to_owned(), String::new()));
            }
        }
        // As .NET writes it.
        let (read, warning) = read(text.as_bytes()).unwrap();
        assert_eq!(read, text);
        assert!(warning.starts_with("a.xml:1:31: the file declares the encoding utf-16"));
    }

    #[test]
    fn marks_and_doubtful_declarations_are_told() {
        let (text, warning) =
            read(b"\xEF\xBB\xBF<?xml version='1.0' encoding='latin1'?>\n<\xC3\xBC/>").unwrap();
        assert!(text.ends_with("<ü/>") && warning.contains("read as UTF-8"));
        let (text, warning) =
            read(b"<?xml version='1.0' encoding='latin1'?>\n<\xC3\xBC/>").unwrap();
        assert!(text.ends_with("<Ã¼/>") && warning.contains("valid UTF-8"));
        let (text, warning) =
            read(b"<?xml version='1.0' encoding='us-ascii'?>\n<\xC3\xBC/>").unwrap();
        assert!(text.ends_with("<ü/>") && warning.contains("ASCII"));
    }

    #[test]
    fn what_is_not_text_is_refused_at_its_place_with_a_way_out() {
        for (bytes, words) in [
            (
                &b"<?xml version='1.0' encoding='klingon'?><a/>"[..],
                "a.xml:1:31: the encoding \"klingon\"",
            ),
            (
                b"<?xml version='1.0' encoding='iso-2022-cn'?><a/>",
                "which is unknown",
            ),
            (
                b"<?xml version='1.0' encoding='Shift_JIS'?>\n <\x83",
                "a.xml:2:3: byte 0x83",
            ),
            (
                b"<a>\n  \xFC</a>",
                "a.xml:2:3: byte 0xFC, which is not text; expected XML in UTF-8; declare the encoding",
            ),
            (
                b"\xFF\xFE\0\0<\0\0\0",
                "UTF-32; expected UTF-8 or UTF-16; convert",
            ),
            (b"\x7FELF\0\0\x01", "a.xml:1:5: byte 0x00"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(read(b"<a/>\0\0").unwrap().0, "<a/>");
        assert_eq!(read(b"").unwrap().0, "");
    }
}
