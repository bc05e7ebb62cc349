use super::*;

#[test]
fn commands_are_read_as_a_shell_would() {
    let first = "```sh\n# a remark\none --two\nthree |\n  four\n\nfive\n```";
    let text = format!(
        "# A\n\n## Use\nFirst:\n\n{first}\n\n```sh\nnot this\n```\n\n## Other\n\n```sh\nsix\n```\n"
    );
    let text = &text;
    assert_eq!(
        statements(block(text, "## Use").unwrap()),
        ["one --two", "three |\n  four", "five"]
    );
    assert_eq!(block(text, "## Other"), Some("six"));
    assert_eq!(block(text, "## Nowhere"), None);
}
