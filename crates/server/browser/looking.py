"""How the page looks and is walked through: tokens, colours, sizes, what readers of the screen get."""

import json

from stage import answer, answered, ask, becomes, ready, say

STORY = "Tell me a story about a fox named Pim in the forest."
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

MARKDOWN = """# Foxes

A *quick* fox, **bold** and `code`, see [the den](https://example.org/den).

| fox | speed |
|:--|--:|
| Pim | 12 |

1. one
   - nested
2. two

> quoted

```rust
fn main() {
    let fox = "Pim"; // a name
    println!("{fox} {}", 12);
}
```
"""

# What the inspector draws of the token that is looked at.
DRAWN = """() => [...document.querySelectorAll("#inspector .bars li")].map((row) => ({
    kind: row.className, name: row.children[0].textContent, width: parseFloat(row.querySelector(".fill").style.width),
    percent: row.children[2].textContent,
}))"""


def each_token_shows_what_the_model_held_of_it(stage):
    with stage.page() as page:
        ready(page)
        page.keyboard.press("Control+.")
        page.click("#open-settings")
        page.fill("#setting-seed", "7")
        page.keyboard.press("Escape")
        with page.expect_request("**/v1/chat/completions") as asked:
            say(page, STORY)
        # The same request and seed give the same answer.
        again = {**asked.value.post_data_json, "stream": False}
        del again["stream_options"]
        sent = ask(stage.url, "POST", "/v1/chat/completions", again)[1]["choices"][0]["logprobs"]["content"]
        tokens = page.locator(".token")
        assert tokens.count() == len(sent) > 20
        shown = "".join(page.locator(".token:not(.mark)").all_text_contents())
        page.click("#tokens")
        assert shown.replace("↵", "").split() == answer(page).split()
        page.click("#tokens")
        for index in range(0, len(sent), 7):
            tokens.nth(index).hover()
            rows = page.evaluate(DRAWN)
            assert sum(row["kind"] == "chosen" for row in rows) == 1 and rows[-1]["kind"] == "rest", rows
            named = [row for row in rows if row["kind"] != "rest"]
            assert sum(row["width"] for row in named) <= 100.01, rows
            assert abs(sum(row["width"] for row in rows) - 100) < 0.1, rows
            best = [2.718281828459045 ** other["logprob"] * 100 for other in sent[index]["top_logprobs"]]
            for row, wanted in zip(named, best):
                assert abs(row["width"] - wanted) < 0.01, (row, wanted)
            chosen = next(row for row in rows if row["kind"] == "chosen")
            assert abs(chosen["width"] - 2.718281828459045 ** sent[index]["logprob"] * 100) < 0.01, chosen
            assert page.locator("#inspector .which strong").inner_text() == chosen["percent"]
        assert "before temperature" in page.locator("#inspector").inner_text()


def tokens_are_walked_through_with_keys(stage):
    with stage.page() as page:
        ready(page)
        page.keyboard.press("Control+.")
        say(page, STORY)
        tokens = page.locator(".token")
        tokens.first.focus()
        for key, place in [("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("End", tokens.count()), ("Home", 1)]:
            page.keyboard.press(key)
            told = page.locator("#inspector dd").last.inner_text()
            assert told.startswith(f"{place} of "), (key, told)
        assert page.locator('.token[tabindex="0"]').count() == 1
        page.keyboard.press("Control+.")
        assert page.locator("#inspector").is_hidden() and page.locator(".markdown").is_visible()


def half_a_character_is_shown_by_its_bytes(stage):
    with stage.page() as page:
        told = page.evaluate(
            """async () => {
                const { TokenText, shown, spelled } = await import("/tokens.js");
                const bytes = [...new TextEncoder().encode("a🦊b")];
                const token = (bytes) => ({ token: "?", id: 1, logprob: -0.1, bytes, top_logprobs: [], kind: "answer" });
                const tokens = [token(bytes.slice(0, 1)), token(bytes.slice(1, 3)), token(bytes.slice(3, 5)), token(bytes.slice(5))];
                const grown = new TokenText();
                const list = [];
                for (const next of tokens) { list.push(next); grown.show(list); }
                const texts = (view) => [...view.element.children].map((child) => child.textContent);
                const once = new TokenText();
                once.show(tokens);
                return { spelled: spelled(tokens), grown: texts(grown), once: texts(once), shown: shown(tokens[1]),
                    name: once.element.children[1].getAttribute("aria-label") };
            }"""
        )
        assert told["spelled"] == [
            {"text": "a", "shared": None},
            {"text": None, "shared": "🦊"},
            {"text": None, "shared": "🦊"},
            {"text": "b", "shared": None},
        ], told
        assert told["grown"] == told["once"] == ["a", "F0 9F", "A6 8A", "b"], told
        assert told["shown"] == "F0 9F" and told["name"].startswith("bytes F0 9F of 🦊"), told


def a_model_that_is_being_loaded_is_waited_for(stage):
    with stage.page("about:blank#") as page:
        # The demo model is ready before a browser could look.
        progress = {"status": "loading", "progress": {"stage": "downloading", "done": 45, "total": 100}}
        page.route("**/health", lambda route: route.fulfill(status=503, body=json.dumps(progress)))
        page.goto(stage.url)
        page.get_by_text("downloading 45 %").wait_for()
        assert page.locator("#load").evaluate("bar => bar.value") == 0.45
        page.fill("#message", "Who are you?")
        page.press("#message", "Enter")
        assert page.locator("#send").is_disabled() and page.input_value("#message") == "Who are you?"
        page.unroute("**/health")
        ready(page)
        page.press("#message", "Enter")
        answered(page, 1)


def the_theme_follows_the_system_until_it_is_chosen(stage):
    background = "getComputedStyle(document.body).backgroundColor"
    with stage.page(color_scheme="dark") as page:
        dark = page.evaluate(background)
        page.emulate_media(color_scheme="light")
        light = page.evaluate(background)
        assert dark != light
        page.click("#theme")
        page.click("#theme")
        assert page.evaluate(background) == dark
        page.reload()
        assert page.evaluate(background) == dark


def seed_conversation(stage):
    """A conversation that holds everything that answers may."""
    call = {"id": "call_0", "type": "function", "function": {"name": "calculator", "arguments": '{"expression":"12 + 30"}'}}
    between = [{"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_0", "content": "42"}]
    turns = [
        {"user": "Everything, please.", "answer": MARKDOWN, "reasoning": "What is everything?"},
        {"user": "What is 12 + 30?", "answer": "It is 42.", "between": between},
        {"user": "Once more.", "answer": "Well", "tool_calls": [call], "interrupted": True},
    ]
    status, whole = ask(stage.url, "POST", "/conversations", {"title": "Everything", "turns": turns})
    assert status == 201, whole
    return f"#/c{whole['id']}"


def a_phone_shows_all_of_it_without_scrolling_sideways(stage):
    wide = "document.documentElement.scrollWidth > innerWidth || document.querySelector('#thread').scrollWidth > document.querySelector('#thread').clientWidth"
    where = seed_conversation(stage)
    with stage.page(at=where, **PHONE) as page:
        ready(page)
        answered(page, 3)
        assert not page.evaluate(wide)
        say(page, STORY)
        page.click("#tokens")
        page.locator(".token").nth(4).tap()
        assert page.locator("#inspector dd").last.text_content().startswith("5 of ")
        box = page.locator("#composer").bounding_box()
        assert box["y"] + box["height"] <= 740 and not page.evaluate(wide)
        page.click("#tokens")
        page.click("#open-sidebar")
        page.locator("#conversations .name", has_text="Everything").first.wait_for()
        assert not page.evaluate(wide)
        page.click("#close-sidebar")
        becomes(page, "getComputedStyle(document.querySelector('#sidebar')).visibility === 'hidden'")
        page.click("#open-sidebar")
        page.click("#open-settings")
        assert not page.evaluate(wide)
        sheet = page.locator("#settings").bounding_box()
        assert sheet["x"] >= 0 and sheet["width"] <= 360, sheet


def check(page, stage, state):
    """Fails with what axe finds."""
    page.evaluate(stage.axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] }).then((told) => told.violations)")
    told = [(fault["id"], [node["html"][:160] + " " + node["failureSummary"][:300] for node in fault["nodes"][:3]]) for fault in found]
    assert not told, (state, told)


def axe_finds_nothing_in_any_state(stage):
    where = seed_conversation(stage)
    for scheme in ["light", "dark"]:
        with stage.page(color_scheme=scheme, reduced_motion="reduce") as page:
            ready(page)
            check(page, stage, f"{scheme} welcome")
            page.goto(stage.url + "/" + where)
            answered(page, 3)
            page.locator(".reasoning summary").first.click()
            check(page, stage, f"{scheme} conversation")
            page.click("#new")
            say(page, STORY)
            page.click("#tokens")
            page.locator(".token").nth(3).click()
            check(page, stage, f"{scheme} tokens")
            page.click("#open-settings")
            page.fill("#setting-top_p", "7")
            check(page, stage, f"{scheme} settings")
            page.keyboard.press("Escape")
            page.keyboard.press("Escape")
            page.locator("#thread").focus()
            page.keyboard.press("?")
            page.locator("#shortcuts[open]").wait_for()
            check(page, stage, f"{scheme} shortcuts")
            page.keyboard.press("Escape")
            page.fill("#message", "fox " * 3000)
            page.press("#message", "Enter")
            page.get_by_text("no room left").wait_for()
            page.locator(".message").last.hover()
            page.get_by_role("button", name="Edit", exact=True).last.click()
            check(page, stage, f"{scheme} refused, editing")
            page.set_viewport_size({"width": 360, "height": 740})
            page.click("#open-sidebar")
            becomes(page, "getComputedStyle(document.querySelector('#sidebar')).visibility === 'visible'")
            check(page, stage, f"{scheme} list on a phone")


def pictures(stage, folder):
    """Writes the pictures of the documentation."""
    for scheme, name in [("light", "page.png"), ("dark", "page-dark.png")]:
        for outline in ask(stage.url, "GET", "/conversations")[1]["data"]:
            ask(stage.url, "DELETE", f"/conversations/{outline['id']}")
        with stage.page(color_scheme=scheme, viewport={"width": 1280, "height": 740}) as page:
            ready(page)
            page.click("#open-settings")
            page.fill("#setting-seed", "11")
            page.get_by_role("button", name="Insert a calculator").click()
            page.keyboard.press("Escape")
            say(page, "What is 12 + 30?")
            page.get_by_label("Result of calculator").fill("42")
            page.get_by_role("button", name="Send result").click()
            becomes(page, "!document.querySelector('.waiting') && !document.querySelector('[data-answering]')")
            page.click("#open-settings")
            page.fill("#setting-tools", "")
            page.fill("#setting-seed", "3")
            page.keyboard.press("Escape")
            page.click("#new")
            page.click("#tokens")
            say(page, "Hello, my name is Mira.")
            say(page, STORY)
            # The first token far from the beginning that another could well have stood in the place of.
            open_places = """() => [...document.querySelectorAll("article:last-child .token")]
                .findIndex((token, index) => index > 8 && /heat-[45]/.test(token.className))"""
            page.locator("article:last-child .token").nth(max(page.evaluate(open_places), 0)).hover()
            page.wait_for_timeout(500)
            page.screenshot(path=folder / name)


TESTS = [
    each_token_shows_what_the_model_held_of_it,
    tokens_are_walked_through_with_keys,
    half_a_character_is_shown_by_its_bytes,
    a_model_that_is_being_loaded_is_waited_for,
    the_theme_follows_the_system_until_it_is_chosen,
    a_phone_shows_all_of_it_without_scrolling_sideways,
    axe_finds_nothing_in_any_state,
]
