//! The tables of the report.

use std::fmt::Write;

use crate::{
    checks::Claim,
    client::{Language, Mode},
    run::Run,
    summary::{Met, met, rows},
    table::{HEADS, cells, duration},
};

/// The same table as on the terminal.
pub(super) fn clients(run: &Run) -> String {
    let mut out = String::from("<table><thead><tr>");
    for head in HEADS {
        // Writing to a string does not fail, here and below.
        let _ = write!(out, "<th scope=\"col\">{head}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows(run) {
        let class = if row.language.is_none() { " class=\"sum\"" } else { "" };
        let _ = write!(out, "<tr{class}>");
        for (column, cell) in cells(&row).iter().enumerate() {
            let _ = if column == 0 {
                write!(out, "<th scope=\"row\">{}{cell}</th>", swatch(row.mode))
            } else {
                write!(out, "<td>{cell}</td>")
            };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
    out
}

/// What each phase was like for the guarded and for the naive clients.
pub(super) fn phases(run: &Run) -> String {
    let mut out = String::from(
        "<table class=\"phases\"><thead><tr><th scope=\"col\">phase</th><th scope=\"col\">clients</th><th scope=\"col\">calls</th><th scope=\"col\">answers</th><th scope=\"col\">errors</th><th scope=\"col\">rejected</th><th scope=\"col\">requests that reached the upstream</th><th scope=\"col\">wait in vain</th></tr></thead>\n",
    );
    for phase in run.script.phases() {
        out.push_str("<tbody>\n");
        for mode in Mode::ALL {
            out.push_str("<tr>");
            if mode == Mode::Guarded {
                let _ = write!(
                    out,
                    "<th scope=\"rowgroup\" rowspan=\"2\">{}<small>{}</small></th>",
                    phase.name, phase.about
                );
            }
            let Met { fates, requests } = met(run, phase, mode);
            let _ = writeln!(
                out,
                "<th scope=\"row\">{}{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{requests}</td><td>{}</td></tr>",
                swatch(mode),
                mode.word(),
                fates.calls,
                fates.answers,
                fates.errors,
                fates.rejections,
                fates.wait_in_vain().map_or_else(|| "–".to_owned(), duration),
            );
        }
        out.push_str("</tbody>\n");
    }
    out.push_str("</table>\n");
    out
}

/// What was checked of each language, and what was seen.
pub(super) fn claims(claims: &[Claim]) -> String {
    let mut out = String::from("<table class=\"claims\"><tbody>\n");
    for language in Language::ALL {
        let own: Vec<_> = claims.iter().filter(|claim| claim.language == language).collect();
        for (place, claim) in own.iter().enumerate() {
            out.push_str("<tr>");
            if place == 0 {
                let _ =
                    write!(out, "<th scope=\"rowgroup\" rowspan=\"{}\">{}</th>", own.len(), language.title());
            }
            let (class, mark) = if claim.held { ("held", "✓ yes") } else { ("violated", "✗ no") };
            let _ = writeln!(
                out,
                "<th scope=\"row\">{}</th><td class=\"{class}\">{mark}</td><td>{}</td></tr>",
                claim.name, claim.detail
            );
        }
    }
    out.push_str("</tbody></table>\n");
    out
}

fn swatch(mode: Mode) -> String {
    format!("<i class=\"{}\"></i>", mode.word())
}
