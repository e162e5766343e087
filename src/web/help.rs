//! What the words mean: `docs/states.md` as a page. There is no second copy of the text.

use std::{collections::BTreeSet, sync::LazyLock};

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::web::{
    AppState,
    error::PageError,
    http::session::PageSession,
    layout::page::{Layout, page},
};

const TEXT: &str = include_str!("../../docs/states.md");
/// The tables whose first column is a word, by its heading: each row has an address of its own.
const OF_WORDS: [&str; 4] = ["word", "state", "outcome", "kind"];

static BLOCKS: LazyLock<Vec<HelpBlock>> = LazyLock::new(|| HelpReader::default().read(TEXT));

#[derive(Debug, Template)]
#[template(path = "pages/help.html")]
pub(in crate::web) struct HelpPage {
    pub(in crate::web) layout: Layout,
    blocks: &'static [HelpBlock],
}

/// A part of the page.
#[derive(Debug, PartialEq, Eq)]
enum HelpBlock {
    Heading { is_section: bool, id: String, words: Words },
    Paragraph(Words),
    List(Vec<Words>),
    Table { head: Vec<Words>, rows: Vec<HelpRow> },
}

/// A row of a table; the address within the page is empty where it has none.
#[derive(Debug, PartialEq, Eq)]
struct HelpRow {
    id: String,
    cells: Vec<Words>,
}

type Words = Vec<Span>;

/// Words that look alike.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    look: Look,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    Plain,
    Code,
    Strong,
    Emphasis,
    /// To a place on this page.
    Link(String),
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
) -> Result<Response, PageError> {
    // What is typed stays; nothing on it changes.
    let layout = Layout::new(&app, &session, "Help").await?.section("/help").without_refresh();
    page(StatusCode::OK, &HelpPage::new(layout))
}

impl HelpPage {
    pub(in crate::web) fn new(layout: Layout) -> Self {
        Self { layout, blocks: &BLOCKS }
    }

    /// The sections: address within the page, and name.
    fn sections(&self) -> Vec<(&str, String)> {
        let section = |block: &'static HelpBlock| match block {
            HelpBlock::Heading { is_section: true, id, words } => Some((id.as_str(), plain(words))),
            HelpBlock::Heading { .. }
            | HelpBlock::Paragraph(_)
            | HelpBlock::List(_)
            | HelpBlock::Table { .. } => None,
        };
        self.blocks.iter().filter_map(section).collect()
    }
}

fn plain(words: &[Span]) -> String {
    words.iter().map(|span| span.text.as_str()).collect()
}

/// The address of a word within the page: that which GitHub gives a heading.
fn address(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " _-.".contains(*c));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

/// Takes the text apart, event by event.
#[derive(Default)]
struct HelpReader {
    blocks: Vec<HelpBlock>,
    words: Words,
    looks: Vec<Look>,
    items: Vec<Words>,
    head: Vec<Words>,
    cells: Vec<Words>,
    rows: Vec<HelpRow>,
    ids: BTreeSet<String>,
    /// Within an item of a list a paragraph ends nothing.
    in_item: bool,
    /// Pictures are not shown.
    in_code_block: bool,
}

impl HelpReader {
    fn read(mut self, text: &str) -> Vec<HelpBlock> {
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            if let Event::Start(tag) = event {
                self.start(&tag);
            } else if let Event::End(tag) = event {
                self.end(tag);
            } else if let Event::Code(text) = event {
                self.words.push(Span { look: Look::Code, text: text.into_string() });
            } else if let Event::Text(text) = event {
                self.text(&text);
            } else if matches!(event, Event::SoftBreak | Event::HardBreak) {
                self.text(" ");
            }
        }
        self.blocks
    }

    fn text(&mut self, text: &str) {
        if self.in_code_block {
            return;
        }
        let look = self.looks.last().cloned().unwrap_or(Look::Plain);
        match self.words.last_mut() {
            Some(last) if last.look == look => last.text.push_str(text),
            Some(_) | None => self.words.push(Span { look, text: text.to_owned() }),
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        if matches!(tag, Tag::Strong) {
            self.looks.push(Look::Strong);
        } else if matches!(tag, Tag::Emphasis) {
            self.looks.push(Look::Emphasis);
        } else if let Tag::Link { dest_url, .. } = tag {
            // Other pages of the manual are not served.
            let here = dest_url.starts_with('#');
            self.looks.push(if here { Look::Link(dest_url.to_string()) } else { Look::Plain });
        } else if matches!(tag, Tag::CodeBlock(_)) {
            self.in_code_block = true;
        } else if matches!(tag, Tag::Item) {
            self.in_item = true;
        }
    }

    fn end(&mut self, tag: TagEnd) {
        if matches!(tag, TagEnd::Strong | TagEnd::Emphasis | TagEnd::Link) {
            self.looks.pop();
        } else if tag == TagEnd::CodeBlock {
            self.in_code_block = false;
        } else if let TagEnd::Heading(level) = tag {
            let words = std::mem::take(&mut self.words);
            let id = self.id(&plain(&words));
            let is_section = level <= HeadingLevel::H2;
            self.blocks.push(HelpBlock::Heading { is_section, id, words });
        } else if tag == TagEnd::Item {
            self.in_item = false;
            self.items.push(std::mem::take(&mut self.words));
        } else if tag == TagEnd::Paragraph && !self.in_item {
            self.blocks.push(HelpBlock::Paragraph(std::mem::take(&mut self.words)));
        } else if matches!(tag, TagEnd::List(_)) {
            self.blocks.push(HelpBlock::List(std::mem::take(&mut self.items)));
        } else {
            self.end_of_table(tag);
        }
    }

    fn end_of_table(&mut self, tag: TagEnd) {
        if tag == TagEnd::TableCell {
            self.cells.push(std::mem::take(&mut self.words));
        } else if tag == TagEnd::TableHead {
            self.head = std::mem::take(&mut self.cells);
        } else if tag == TagEnd::TableRow {
            let cells = std::mem::take(&mut self.cells);
            let first = |cells: &[Words]| cells.first().map(|words| plain(words));
            let of_words = first(&self.head).is_some_and(|head| OF_WORDS.contains(&head.as_str()));
            let word = first(&cells).filter(|_| of_words).unwrap_or_default();
            let id = self.id(&word);
            self.rows.push(HelpRow { id, cells });
        } else if tag == TagEnd::Table {
            let (head, rows) = (std::mem::take(&mut self.head), std::mem::take(&mut self.rows));
            self.blocks.push(HelpBlock::Table { head, rows });
        }
    }

    /// The address of a word, where it is the first that has it.
    fn id(&mut self, word: &str) -> String {
        let id = address(word);
        if self.ids.insert(id.clone()) { id } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::{Outcome, StateName};

    fn ids() -> BTreeSet<&'static str> {
        let of_block = |block: &'static HelpBlock| match block {
            HelpBlock::Heading { id, .. } => vec![id.as_str()],
            HelpBlock::Table { rows, .. } => rows.iter().map(|row| row.id.as_str()).collect(),
            HelpBlock::Paragraph(_) | HelpBlock::List(_) => Vec::new(),
        };
        BLOCKS.iter().flat_map(of_block).collect()
    }

    #[test]
    fn every_word_with_a_question_mark_is_explained() {
        let ids = ids();
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let (mut folders, mut asked) = (vec![root], 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                for word in text.split("ui::help(\"").skip(1) {
                    let word = word.split('"').next().unwrap();
                    assert!(ids.contains(word), "{word} in {}", path.display());
                    asked += 1;
                }
            }
        }
        assert!(asked > 5, "{asked}");
        for word in StateName::ALL.map(StateName::name).iter().chain(Outcome::NAMES.iter()) {
            assert!(ids.contains(word), "{word}");
        }
    }

    #[test]
    fn text_is_read_into_its_parts() {
        let text = "# T\nOne `two` **three**\n[four](#five) [six](x.md).\n\n| word | b |\n|---|---|\n| `w` | x |\n";
        let blocks = HelpReader::default().read(text);
        let span = |look, text: &str| Span { look, text: text.to_owned() };
        let paragraph = vec![
            span(Look::Plain, "One "),
            span(Look::Code, "two"),
            span(Look::Plain, " "),
            span(Look::Strong, "three"),
            span(Look::Plain, " "),
            span(Look::Link("#five".to_owned()), "four"),
            span(Look::Plain, " six."),
        ];
        assert_eq!(blocks.get(1), Some(&HelpBlock::Paragraph(paragraph)));
        let Some(HelpBlock::Table { rows, .. }) = blocks.get(2) else { panic!("{blocks:?}") };
        assert_eq!(rows.first().map(|row| row.id.as_str()), Some("w"));
    }
}
