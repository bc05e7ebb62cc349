//! How the demo speaks: titles, sentences, commands, answers. In colour on a terminal only.

use std::io::{IsTerminal, stdout};

/// What a text is, and so how it looks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tone {
    /// Headings.
    Strong,
    /// What a person types.
    Typed,
    /// As expected.
    Good,
    /// Not as expected.
    Bad,
}

/// Begins a new part.
pub(super) fn title(text: &str) {
    println!("\n{}", dress(Tone::Strong, &format!("== {text}")));
}

/// Says something, wrapped to the width of a page.
pub(super) fn say(text: &str) {
    println!("{}", wrap(text, WIDTH));
}

/// Shows a command as a person would type it.
pub(super) fn typed(command: &str) {
    println!("  {}", dress(Tone::Typed, &format!("$ {command}")));
}

/// Shows what came back, line by line.
pub(super) fn came_back(text: &str) {
    for line in text.lines() {
        println!("    {line}");
    }
}

/// A text in a tone.
pub(super) fn dress(tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Strong => "1",
        Tone::Typed => "36",
        Tone::Good => "32",
        Tone::Bad => "31",
    };
    if stdout().is_terminal() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Breaks a text at spaces into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

const WIDTH: usize = 96;

#[cfg(test)]
mod tests;
