"""What models write must not run; and the laws that text, code and streams keep however they are cut."""

from looking import MARKDOWN
from stage import answered, ask, ready

HOSTILE = """<script>window.ran = true; alert(1)</script>

<img src=x onerror="window.ran = true"> <svg onload="window.ran = true"></svg>

<iframe srcdoc="<script>parent.ran = true</script>"></iframe> <style>body { display: none }</style>

[a](javascript:window.ran=true) [b](JaVaScRiPt:window.ran=true) [c](java\\tscript:window.ran=true) [d](data:text/html,<script>1</script>)
[e](vbscript:x) <javascript:window.ran=true> ![p](javascript:window.ran=true) [f](https://example.org/" onclick="window.ran=true)
[g](<javascript:window.ran=true>) [h]( javascript:window.ran=true ) [i](//example.org) ![pixel](https://example.org/pixel.png)

| <img src=x onerror="window.ran=true"> | b |
|---|---|
| [x](javascript:window.ran=true) | <script>window.ran=true</script> |

# <script>window.ran=true</script>

- <details open ontoggle="window.ran=true">

```html"><script>window.ran=true</script>
<script>window.ran = true</script>
```

`<script>window.ran = true</script>` **<b onmouseover="window.ran=true">x</b>** [good](https://example.org/a_b) mail <mailto:a@example.org>
"""

# Everything that an answer may be made of.
ALLOWED = "A P BR H3 H4 H5 H6 HR EM STRONG DEL CODE PRE SPAN DIV BUTTON UL OL LI BLOCKQUOTE TABLE THEAD TBODY TR TH TD".split()

INSPECT = """(root) => ({
    names: [...new Set([...root.querySelectorAll("*")].map((element) => element.nodeName))],
    addresses: [...root.querySelectorAll("a")].map((link) => [link.href, link.rel]),
    listeners: [...root.querySelectorAll("*")].flatMap((element) => element.getAttributeNames()).filter((name) => name.startsWith("on")),
})"""


def assert_harmless(told):
    assert set(told["names"]) <= set(ALLOWED), told["names"]
    assert told["listeners"] == [], told
    for address, relation in told["addresses"]:
        assert address.split(":")[0] in ("http", "https", "mailto") and "noopener" in relation, told["addresses"]
    assert any("example.org/a_b" in address for address, _ in told["addresses"]), told["addresses"]


def a_script_in_a_text_does_not_run(stage):
    with stage.page() as page:
        told = page.evaluate(
            f"""async (text) => {{
                const {{ Markdown }} = await import("/markdown.js");
                const grown = new Markdown();
                document.body.append(grown.element);
                for (let end = 1; end <= text.length; end += 7) grown.show(text.slice(0, end));
                grown.show(text);
                await new Promise((done) => setTimeout(done, 200));
                return ({INSPECT})(grown.element);
            }}""",
            HOSTILE,
        )
        assert_harmless(told)


def a_script_in_a_kept_conversation_does_not_run(stage):
    call = {"id": "<b>", "type": "function", "function": {"name": "x", "arguments": "<script>window.ran=true</script>"}}
    turn = {
        "user": "<img src=x onerror='window.ran=true'>",
        "answer": HOSTILE,
        "reasoning": HOSTILE,
        "between": [
            {"role": "assistant", "content": HOSTILE, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "<b>", "content": "<img src=x onerror='window.ran=true'>"},
        ],
    }
    title = "<img src=x onerror='window.ran=true'>"
    status, whole = ask(stage.url, "POST", "/conversations", {"title": title, "turns": [turn]})
    assert status == 201, whole
    elsewhere = []
    with stage.page() as page:
        page.on("request", lambda request: request.url.startswith(stage.url) or elsewhere.append(request.url))
        page.goto(f"{stage.url}/#/c{whole['id']}")
        answered(page, 1)
        page.locator(".reasoning summary").click()
        page.wait_for_timeout(300)
        assert_harmless(page.locator(".markdown").evaluate(INSPECT))
        assert page.locator("article img, article script, article iframe, article style").count() == 0
        assert page.locator("#title").inner_text() == title
    assert elsewhere == [], elsewhere
    ask(stage.url, "DELETE", f"/conversations/{whole['id']}")


CASES = [
    ("a *b* **c** ***d*** ~~e~~ `f`", "<p>a <em>b</em> <strong>c</strong> <em><strong>d</strong></em> <del>e</del> <code>f</code></p>"),
    ("snake_case_name and 2 * 3 * 4", "<p>snake_case_name and 2 * 3 * 4</p>"),
    ("**bold *both* bold**", "<p><strong>bold <em>both</em> bold</strong></p>"),
    ("a\\*b\\* <b>", "<p>a*b* &lt;b&gt;</p>"),
    ("one\ntwo", "<p>one<br>two</p>"),
    ("# A\n## B #", "<h3>A</h3><h4>B</h4>"),
    ("- a\n- b\n  1. c\n  2. d\n- e", "<ul><li>a</li><li>b<ol><li>c</li><li>d</li></ol></li><li>e</li></ul>"),
    ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
    ("- a\n\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"),
    ("> a\nb\n> > c", "<blockquote><p>a<br>b</p><blockquote><p>c</p></blockquote></blockquote>"),
    ("a\n\n---\nb", "<p>a</p><hr><p>b</p>"),
    ("`` a`b ``", "<p><code>a`b</code></p>"),
    ("*unended **marks", "<p>*unended **marks</p>"),
    ("[x](javascript:1)", "<p><span>x (javascript:1)</span></p>"),
    ("In 1986. what", "<p>In 1986. what</p>"),
]


def markdown_becomes_what_it_says(stage):
    with stage.page() as page:
        for text, wanted in CASES:
            drawn = page.evaluate(
                """async (text) => {
                    const { Markdown } = await import("/markdown.js");
                    const view = new Markdown();
                    view.show(text);
                    return view.element.innerHTML;
                }""",
                text,
            )
            assert drawn == wanted, (text, drawn)
        table = page.evaluate(
            """async () => {
                const { Markdown } = await import("/markdown.js");
                const view = new Markdown();
                view.show("| a | b |\\n|:-:|--:|\\n| `x\\\\|y` | 2 |\\n| 3 |");
                return [...view.element.querySelectorAll("th, td")].map((cell) => [cell.textContent, cell.className]);
            }"""
        )
        assert table == [["a", "center"], ["b", "right"], ["x|y", "center"], ["2", "right"], ["3", "center"], ["", "right"]], table


def a_text_that_grows_is_drawn_like_one_that_is_whole(stage):
    with stage.page() as page:
        for text in [MARKDOWN, HOSTILE, "\n".join(text for text, _ in CASES)]:
            differ = page.evaluate(
                """async (text) => {
                    const { Markdown } = await import("/markdown.js");
                    const grown = new Markdown();
                    for (let end = 0; end <= text.length; end += 1) {
                        grown.show(text.slice(0, end));
                        const whole = new Markdown();
                        whole.show(text.slice(0, end));
                        if (grown.element.innerHTML !== whole.element.innerHTML) return text.slice(0, end);
                    }
                    return null;
                }""",
                text,
            )
            assert differ is None, differ


def long_texts_of_marks_are_drawn_in_time(stage):
    texts = ["*a " * 20_000, "[" * 20_000, "`a" * 20_000, "> " * 5_000 + "x", "- " * 5_000 + "x", "**_" * 10_000, "![](" * 10_000, "|a" * 10_000]
    with stage.page() as page:
        for text in texts:
            took = page.evaluate(
                """async (text) => {
                    const { Markdown } = await import("/markdown.js");
                    const begun = performance.now();
                    new Markdown().show(text);
                    return performance.now() - begun;
                }""",
                text,
            )
            assert took < 1_500, (text[:12], took)


CODE = {
    "rust": "#[derive(Debug)] struct A<'a>(&'a str); // x\nlet c = 'x'; let s = r#\"raw \"q\" \"#; /* open",
    "python": "@d\ndef f(x: int) -> str:\n    '''doc'''\n    return f\"{x}\" # done \U0001f98a",
    "ts": "const a = `x ${b}`; // c\nclass B extends C { f(): void {} }",
    "json": '{"a": [1, -2.5e3, true, null], "b": "c\\"d',
    "sh": "for f in *; do echo \"$f\" # x\ndone --flag ${HOME} 'open",
    "c": "#include <stdio.h>\nint main(void) { return 0xFF; } /* é */",
    "sql": "SELECT * FROM fox -- why\nWHERE name = 'Pim';",
}


def code_has_colours_and_keeps_every_letter(stage):
    with stage.page() as page:
        for language, text in CODE.items():
            pieces = page.evaluate(
                'async ([text, language]) => (await import("/highlight.js")).pieces(text, language)', [text, language]
            )
            assert "".join(piece for _, piece in pieces) == text, (language, pieces)
            assert len({kind for kind, _ in pieces}) >= 4, (language, pieces)
        rust = page.evaluate('async (text) => (await import("/highlight.js")).pieces(text, "rust")', CODE["rust"])
        assert ["keyword", "struct"] in rust and ["comment", "// x"] in rust and ["string", "'x'"] in rust, rust


def a_stream_is_read_alike_at_every_split(stage):
    with stage.page() as page:
        told = page.evaluate(
            """async () => {
                const { events } = await import("/sse.js");
                const bytes = new TextEncoder().encode(": c\\r\\n\\r\\ndata: {\\"a\\": \\"é🦊\\"}\\n\\ndata:x\\r\\ndata: y\\r\\n\\r\\n\\nevent: z\\ndata: w\\n\\ndata: cut");
                const read = async (parts) => {
                    const found = [];
                    for await (const data of events(new Blob(parts).stream().pipeThrough(new TransformStream()))) found.push(data);
                    return found;
                };
                const pieces = async (parts) => {
                    const stream = new ReadableStream({ start(control) { parts.forEach((part) => control.enqueue(part)); control.close(); } });
                    const found = [];
                    for await (const data of events(stream)) found.push(data);
                    return found;
                };
                const whole = await read([bytes]);
                for (let at = 0; at <= bytes.length; at += 1) {
                    const split = await pieces([bytes.slice(0, at), bytes.slice(at)]);
                    if (JSON.stringify(split) !== JSON.stringify(whole)) return { at, split };
                }
                return whole;
            }"""
        )
        assert told == ['{"a": "é🦊"}', "x\ny", "w"], told


def code_is_copied_as_it_is(stage):
    turn = {"user": "Code.", "answer": "```rust\nlet a = \"<b>\";\n```"}
    _, whole = ask(stage.url, "POST", "/conversations", {"title": "Code", "turns": [turn]})
    with stage.page(at=f"#/c{whole['id']}") as page:
        ready(page)
        page.get_by_role("button", name="Copy").first.click()
        page.get_by_text("Copied", exact=True).wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == 'let a = "<b>";'
    ask(stage.url, "DELETE", f"/conversations/{whole['id']}")


TESTS = [
    a_script_in_a_text_does_not_run,
    a_script_in_a_kept_conversation_does_not_run,
    markdown_becomes_what_it_says,
    a_text_that_grows_is_drawn_like_one_that_is_whole,
    long_texts_of_marks_are_drawn_in_time,
    code_has_colours_and_keeps_every_letter,
    a_stream_is_read_alike_at_every_split,
    code_is_copied_as_it_is,
]
