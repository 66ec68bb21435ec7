"""Anthropic's own client for Python against a server of the demo model."""

import sys

import anthropic

url, key = sys.argv[1:]
client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)
ask = [{"role": "user", "content": "Who are you?"}]
TOOL = {
    "name": "add",
    "description": "Adds two numbers",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
    "strict": True,
}


def messages():
    whole = client.messages.create(model="demo", max_tokens=40, messages=ask, extra_body={"temperature": 0})
    assert whole.content[0].type == "text" and whole.stop_reason == "end_turn", whole
    with client.messages.stream(model="demo", max_tokens=40, messages=ask, extra_body={"temperature": 0}) as stream:
        said = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert said == final.content[0].text == whole.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens


def counts():
    counted = client.messages.count_tokens(model="demo", messages=ask)
    with_tool = client.messages.count_tokens(model="demo", messages=ask, tools=[TOOL])
    assert 0 < counted.input_tokens < with_tool.input_tokens


def tools():
    asked = [{"role": "user", "content": "What is 12 + 30?"}]
    more = {"model": "demo", "max_tokens": 200, "tools": [TOOL], "extra_body": {"temperature": 0}}
    told = client.messages.create(messages=asked, tool_choice={"type": "any"}, **more)
    assert told.stop_reason == "tool_use", told
    call = next(block for block in told.content if block.type == "tool_use")
    assert set(call.input) == {"a", "b"}
    with client.messages.stream(messages=asked, tool_choice={"type": "any"}, **more) as stream:
        streamed = stream.get_final_message()
    assert next(block for block in streamed.content if block.type == "tool_use").input == call.input
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "42"}
    asked += [{"role": "assistant", "content": told.content}, {"role": "user", "content": [result]}]
    answer = client.messages.create(messages=asked, **more)
    assert answer.content[0].type == "text", answer


def failures():
    for error, more in [
        (anthropic.NotFoundError, {"model": "claude"}),
        (anthropic.BadRequestError, {"max_tokens": 0}),
        (anthropic.BadRequestError, {"extra_body": {"frobnicate": 1}}),
    ]:
        try:
            client.messages.create(**{"model": "demo", "max_tokens": 5, "messages": ask, **more})
        except error as told:
            assert told.body["error"]["message"], told
        else:
            raise AssertionError(f"{more} was answered")


for check in [messages, counts, tools, failures]:
    check()
    print(f"anthropic for Python: {check.__name__}")
