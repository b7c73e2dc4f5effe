//! `explain`.

use super::writing::{sentence_width, write_output};
use super::{Failure, Outcome};
use crate::cli::{Explain, ExplainFormat};
use crate::report::explain::{all, find, unknown, write_json, write_list, write_markdown, write_text};
use crate::report::schema;

pub(super) fn explain(options: &Explain) -> Result<Outcome, Failure> {
    if options.schema {
        write_output(&options.output, options.color, false, |out, _| out.write_all(schema::TEXT.as_bytes()))?;
        return Ok(Outcome::Complete);
    }
    let mut explained = Vec::new();
    for code in &options.codes {
        let found = find(code);
        if found.is_empty() {
            return Err(Failure::Usage(format!("{}: outofports explain lists all", unknown(code))));
        }
        explained.extend(found);
    }
    let is_list = options.codes.is_empty();
    if is_list {
        explained = all();
    }
    let is_text = options.format == ExplainFormat::Text;
    write_output(&options.output, options.color, is_text, |out, columns| match options.format {
        ExplainFormat::Text if is_list => write_list(sentence_width(columns), out),
        ExplainFormat::Text => write_text(&explained, sentence_width(columns), out),
        ExplainFormat::Markdown => write_markdown(&explained, out),
        ExplainFormat::Json => write_json(&explained, out),
    })?;
    Ok(Outcome::Complete)
}
