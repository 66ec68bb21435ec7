"""Messages, answers, and what is done with them."""

import json
import socket

from stage import Line, Server, address, answer, answered, ask, becomes, kept, ready, say, until

STORY = "Tell me a story about a fox named Pim in the forest."


def choose(page, **settings):
    """Types settings; the page remembers them."""
    page.click("#open-settings")
    for name, text in settings.items():
        page.fill(f"#setting-{name}", text)
    page.keyboard.press("Escape")


def an_answer_comes_piece_by_piece_with_its_figures(stage):
    with Line(stage.url) as line, stage.page(line.url) as page:
        ready(page)
        line.rate = 60_000
        page.fill("#message", STORY)
        page.press("#message", "Enter")
        lengths = set()
        while page.locator("[data-answering]").count() or not lengths:
            lengths.add(len(answer(page)) if page.locator(".markdown:visible").count() else 0)
        assert len(lengths) > 5, lengths
        figures = page.locator(".figures").inner_text()
        assert "tokens/s" in figures and "first after" in figures and "prompt tokens cached" in figures, figures
        becomes(page, "document.querySelector('#context-text')?.textContent.includes(' of 2,048 tokens of context')")
        assert kept(page, stage.url)["turns"][0]["answer"].split() == answer(page).split()
        assert page.locator("#announcer").inner_text().startswith("Answered.")


def escape_stops_an_answer_and_what_came_is_kept(stage):
    with Line(stage.url) as line, stage.page(line.url) as page:
        ready(page)
        line.rate = 20_000
        page.fill("#message", STORY)
        page.press("#message", "Enter")
        becomes(page, "document.querySelector('.markdown')?.textContent.length > 10")
        page.keyboard.press("Escape")
        answered(page, 1)
        line.rate = None
        stopped = answer(page)
        assert "stopped before its end" in page.locator(".note").inner_text()
        turn = kept(page, stage.url)["turns"][0]
        assert turn["interrupted"] and turn["answer"].split() == stopped.split(), turn
        page.reload()
        answered(page, 1)
        assert answer(page) == stopped and "stopped" in page.locator(".note").inner_text()
        page.get_by_role("button", name="Continue", exact=True).click()
        answered(page, 2)


def regenerating_answers_the_same_message_anew(stage):
    with stage.page() as page:
        ready(page)
        say(page, STORY)
        first = page.locator(".figures").get_attribute("title")
        page.get_by_role("button", name="Regenerate", exact=True).click()
        becomes(page, "was => document.querySelector('.figures').title !== was", first)
        answered(page, 1)
        turns = kept(page, stage.url)["turns"]
        assert len(turns) == 1 and turns[0]["user"] == STORY and not turns[0]["interrupted"], turns


def an_edited_message_takes_the_place_of_what_followed(stage):
    with stage.page() as page:
        ready(page)
        say(page, "Hello, my name is Mira.")
        say(page, "What is my name?")
        page.locator("article.turn").first.hover()
        page.get_by_role("button", name="Edit", exact=True).first.click()
        field = page.get_by_label("Edit the message")
        assert field.input_value() == "Hello, my name is Mira."
        field.fill("Who are you?")
        field.press("Enter")
        answered(page, 1)
        becomes(page, "document.querySelector('.message')?.textContent === 'Who are you?'")
        assert [turn["user"] for turn in kept(page, stage.url)["turns"]] == ["Who are you?"]


def a_branch_leaves_the_conversation_as_it_is(stage):
    with stage.page() as page:
        ready(page)
        say(page, "Hello, my name is Mira.")
        say(page, "What is my name?")
        whole = address(page)
        page.locator("article.turn").first.hover()
        page.get_by_role("button", name="Branch", exact=True).first.click()
        becomes(page, "was => location.hash !== was", whole)
        answered(page, 1)
        say(page, "Who are you?")
        assert [turn["user"] for turn in kept(page, stage.url)["turns"]] == ["Hello, my name is Mira.", "Who are you?"]
        page.goto(stage.url + "/" + whole)
        answered(page, 2)


def a_call_of_a_tool_is_shown_and_goes_on_with_its_result(stage):
    with stage.page() as page:
        ready(page)
        page.click("#open-settings")
        page.fill("#setting-temperature", "0")
        page.get_by_role("button", name="Insert a calculator").click()
        page.keyboard.press("Escape")
        say(page, "What is 12 + 30?")
        call = page.locator(".waiting .call")
        assert "calculator" in call.inner_text() and "12 + 30" in call.inner_text(), call.inner_text()
        assert kept(page, stage.url)["turns"][0]["tool_calls"][0]["function"]["name"] == "calculator"
        page.reload()
        page.get_by_label("Result of calculator").fill("42")
        page.get_by_role("button", name="Send result").click()
        becomes(page, "document.querySelector('.markdown')?.textContent.includes('42')")
        turn = kept(page, stage.url)["turns"][0]
        assert [told["role"] for told in turn["between"]] == ["assistant", "tool"] and "42" in turn["answer"], turn
        page.reload()
        answered(page, 1)
        assert page.get_by_label("Result of calculator").inner_text() == "42"


def a_server_that_goes_away_leaves_what_came(stage):
    with Server(stage.program) as server, Line(server.url) as line, stage.page(line.url) as page:
        ready(page)
        line.rate = 12_000
        page.fill("#message", STORY)
        page.press("#message", "Enter")
        becomes(page, "document.querySelector('.markdown')?.textContent.length > 10")
        server.kill()
        line.cut()
        answered(page, 1)
        assert "broke off" in page.locator(".note").inner_text()
        assert page.locator(".message").inner_text() == STORY and len(answer(page)) > 10
        # What is sent into the void comes back.
        page.fill("#message", "Are you there?")
        page.press("#message", "Enter")
        page.wait_for_selector("#notice:visible")
        page.get_by_text("cannot be reached").first.wait_for()
        assert page.input_value("#message") == "Are you there?"
        assert page.locator("article.turn").count() == 1


def a_message_that_was_refused_comes_back(stage):
    with stage.page() as page:
        ready(page)
        text = "fox " * 3000
        page.fill("#message", text)
        page.press("#message", "Enter")
        page.get_by_text("no room left").wait_for()
        assert page.input_value("#message") == text and page.locator("article.turn").count() == 0
        becomes(page, "['', '#'].includes(location.hash)")
        assert text not in str(ask(stage.url, "GET", "/conversations")[1])


def a_busy_server_says_when_to_try_again(stage):
    with Server(stage.program, "--max-concurrency", "1", "--max-queue", "0") as server, stage.page(server.url) as page:
        ready(page)
        holding = socket.create_connection(("127.0.0.1", server.port))
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        body = json.dumps(
            {
                "model": "demo",
                "messages": [{"role": "user", "content": STORY}],
                "stream": True,
                "ignore_eos": True,
                "max_tokens": 1900,
                "logprobs": True,
                "top_logprobs": 20,
            }
        )
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        holding.sendall((head + body).encode())
        until(lambda: ask(server.url, "GET", "/health")[1]["running"] == 1, "the other client is answered")
        page.fill("#message", "Who are you?")
        page.press("#message", "Enter")
        page.get_by_text("The server is busy").wait_for()
        assert page.input_value("#message") == "Who are you?"
        again = page.get_by_role("button", name="Try again")
        assert again.is_disabled() and " in " in again.inner_text(), again.inner_text()
        holding.close()
        becomes(page, "!document.querySelector('#notice .quiet').disabled")
        again.click()
        answered(page, 1)
        becomes(page, "document.querySelector('.markdown')?.textContent.length > 5")
        assert page.input_value("#message") == "", "what is sent again is not left in the field"


def settings_are_checked_remembered_and_sent(stage):
    with stage.page() as page:
        ready(page)
        page.click("#open-settings")
        for name, bad in [("top_p", "7"), ("temperature", "-1"), ("seed", "1.5"), ("max_tokens", "0"), ("tools", "{"), ("top_k", "many")]:
            page.fill(f"#setting-{name}", bad)
            assert page.locator(f"#setting-{name}").get_attribute("aria-invalid") == "true", name
            assert page.locator(f"#setting-{name}-fault").inner_text() != "", name
        page.fill("#setting-min_p", "0.05")
        page.fill("#setting-max_tokens", "5")
        page.fill("#setting-stop", "END\n\nSTOP")
        page.fill("#setting-system", "You are brief.")
        page.keyboard.press("Escape")
        page.reload()
        ready(page)
        with page.expect_request("**/v1/chat/completions") as asked:
            say(page, STORY)
        sent = asked.value.post_data_json
        assert sent["min_p"] == 0.05 and sent["max_tokens"] == 5 and sent["stop"] == ["END", "STOP"], sent
        assert sent["messages"][0] == {"role": "system", "content": "You are brief."}, sent
        assert not {"top_p", "temperature", "seed", "tools", "top_k"} & set(sent), sent
        assert "most tokens" in page.locator(".note").inner_text()
        page.click("#open-settings")
        assert page.input_value("#setting-top_p") == "" and page.input_value("#setting-min_p") == "0.05"


TESTS = [
    an_answer_comes_piece_by_piece_with_its_figures,
    escape_stops_an_answer_and_what_came_is_kept,
    regenerating_answers_the_same_message_anew,
    an_edited_message_takes_the_place_of_what_followed,
    a_branch_leaves_the_conversation_as_it_is,
    a_call_of_a_tool_is_shown_and_goes_on_with_its_result,
    a_server_that_goes_away_leaves_what_came,
    a_message_that_was_refused_comes_back,
    a_busy_server_says_when_to_try_again,
    settings_are_checked_remembered_and_sent,
]
