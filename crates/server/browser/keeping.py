"""Conversations that are kept, by whom, and for whom."""

from pathlib import Path

from stage import Line, Server, address, answer, answered, ask, becomes, ready, say, until

KEYS = "first-key-of-the-page\nsecond-key-of-the-page\n"


def a_reload_keeps_the_conversation_and_the_draft(stage):
    with stage.page() as page:
        ready(page)
        say(page, "Hello, my name is Mira.")
        said = answer(page)
        where = address(page)
        page.fill("#message", "half a mess")
        page.reload()
        answered(page, 1)
        assert answer(page) == said and page.evaluate("location.hash") == where
        assert page.input_value("#message") == "half a mess"
        assert page.locator("#title").inner_text() == "Hello, my name is Mira."


def conversations_are_listed_found_renamed_and_deleted(stage):
    with Server(stage.program) as server, stage.page(server.url) as page:
        ready(page)
        say(page, "Hello, my name is Mira.")
        first = address(page)
        page.click("#new")
        answered(page, 0)
        say(page, "Who are you?")
        assert address(page) != first
        names = page.locator("#conversations .name")
        becomes(page, "document.querySelectorAll('#conversations .name').length === 2")
        assert names.all_inner_texts() == ["Who are you?", "Hello, my name is Mira."]
        page.fill("#search", "mira")
        assert names.all_inner_texts() == ["Hello, my name is Mira."]
        names.first.click()
        becomes(page, "document.querySelector('.message')?.textContent.includes('Mira')")
        names.first.hover()
        page.get_by_role("button", name="Rename Hello, my name is Mira.").click()
        page.get_by_label("Title", exact=True).fill("About Mira")
        page.keyboard.press("Enter")
        becomes(page, "document.querySelector('#title')?.textContent === 'About Mira'")
        page.reload()
        becomes(page, "document.querySelector('#title')?.textContent === 'About Mira'")
        page.locator("#conversations li", has_text="About Mira").hover()
        page.get_by_role("button", name="Delete About Mira").click()
        page.get_by_role("button", name="Cancel").click()
        assert len(ask(server.url, "GET", "/conversations")[1]["data"]) == 2, "a question is no deletion"
        page.locator("#conversations li", has_text="About Mira").hover()
        page.get_by_role("button", name="Delete About Mira").click()
        page.get_by_role("button", name="Delete", exact=True).click()
        becomes(page, "document.querySelectorAll('#conversations .name').length === 1")
        assert [told["title"] for told in ask(server.url, "GET", "/conversations")[1]["data"]] == ["Who are you?"]
        page.goto(server.url + "/" + first)
        page.get_by_text("not kept here").wait_for()


def a_key_is_asked_for_and_has_conversations_of_its_own(stage):
    folder = Server(stage.program)
    keys = Path(folder.folder) / "keys"
    keys.write_text(KEYS)
    keys.chmod(0o600)
    with folder, Server(stage.program, "--api-key-file", str(keys)) as server:
        with stage.page(server.url) as page:
            for key in ["a-wrong-key", "first-key-of-the-page"]:
                page.locator("#key[open]").wait_for()
                page.get_by_label("API key").fill(key)
                page.keyboard.press("Enter")
                if key == "a-wrong-key":
                    page.get_by_text("does not know the key").wait_for()
            ready(page)
            say(page, "Who are you?")
            page.reload()
            answered(page, 1)
            assert not page.evaluate("Object.keys(localStorage).some((name) => name.includes('key'))")
        assert len(ask(server.url, "GET", "/conversations", key="first-key-of-the-page")[1]["data"]) == 1
        with stage.page(server.url) as page:
            page.locator("#key[open]").wait_for()
            page.get_by_label("API key").fill("second-key-of-the-page")
            page.get_by_label("Remember").check()
            page.get_by_role("button", name="Use the key").click()
            ready(page)
            page.get_by_text("Nothing is kept yet.").wait_for()
            assert page.evaluate("localStorage.getItem('wick.key')") == "second-key-of-the-page"


def a_server_that_keeps_nothing_is_said_to(stage):
    with Server(stage.program, conversations=False) as server, stage.page(server.url) as page:
        ready(page)
        say(page, "Hello, my name is Mira.")
        page.get_by_text("they end with this page").wait_for()
        page.click("#new")
        say(page, "Who are you?")
        page.locator("#conversations .name", has_text="Mira").click()
        becomes(page, "document.querySelector('.message')?.textContent.includes('Mira')")
        page.reload()
        ready(page)
        page.get_by_text("not kept here").wait_for()


def two_pages_of_one_conversation_lose_nothing(stage):
    with Server(stage.program) as server, stage.page(server.url) as one, stage.page(server.url) as two:
        ready(one)
        say(one, "Hello, my name is Mira.")
        where = address(one)
        ready(two)
        two.goto(server.url + "/" + where)
        answered(two, 1)
        say(one, "Who are you?")
        two.fill("#message", "What do you know?")
        two.press("#message", "Enter")
        two.get_by_text("changed elsewhere").wait_for()
        answered(two, 2)
        two.get_by_role("button", name="Keep this one apart").click()
        becomes(two, "document.querySelectorAll('#conversations .name').length === 2")
        assert address(two) != where
        listed = ask(server.url, "GET", "/conversations")[1]["data"]
        kept = [ask(server.url, "GET", f"/conversations/{told['id']}")[1]["turns"] for told in listed]
        last = {turns[-1]["user"] for turns in kept}
        assert last == {"Who are you?", "What do you know?"}, kept


def a_page_that_is_left_in_mid_answer_keeps_what_it_has(stage):
    with Line(stage.url) as line, stage.page(line.url) as page:
        ready(page)
        line.rate = 15_000
        page.fill("#message", "Tell me a story about an owl.")
        page.press("#message", "Enter")
        becomes(page, "document.querySelector('.markdown')?.textContent.length > 10")
        address(page)
        assert page.locator("[data-answering]").count() == 1, "the message is kept before the answer ends"
        page.goto("about:blank")
        line.rate = None
        until(lambda: last(stage)["answer"], "what had come is kept")
        assert last(stage)["interrupted"] and last(stage)["user"] == "Tell me a story about an owl.", last(stage)


def last(stage):
    """The only turn of the conversation that was last added to."""
    number = ask(stage.url, "GET", "/conversations")[1]["data"][0]["id"]
    [turn] = ask(stage.url, "GET", f"/conversations/{number}")[1]["turns"]
    return turn


TESTS = [
    a_reload_keeps_the_conversation_and_the_draft,
    conversations_are_listed_found_renamed_and_deleted,
    a_key_is_asked_for_and_has_conversations_of_its_own,
    a_server_that_keeps_nothing_is_said_to,
    two_pages_of_one_conversation_lose_nothing,
    a_page_that_is_left_in_mid_answer_keeps_what_it_has,
]
