"""OpenAI's own client for Python against a server of the demo model: what it parses is what it should be."""

import json
import sys

import openai
from pydantic import BaseModel, Field

url, key = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
ask = [{"role": "user", "content": "Who are you?"}]


class Person(BaseModel):
    age: int = Field(ge=0, le=99)
    kind: str = Field(pattern="^(fox|owl)$")


TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds two numbers",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
    },
}


def models():
    listed = list(client.models.list())
    assert [model.id for model in listed] == ["demo"], listed
    assert client.models.retrieve("demo").owned_by == "wick"


def chats():
    whole = client.chat.completions.create(model="demo", messages=ask, temperature=0, max_tokens=40)
    choice = whole.choices[0]
    assert choice.message.content and choice.finish_reason == "stop", whole
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    pieces = client.chat.completions.create(
        model="demo", messages=ask, temperature=0, max_tokens=40, stream=True, stream_options={"include_usage": True}
    )
    said, usage = "", None
    for piece in pieces:
        usage = piece.usage or usage
        for part in piece.choices:
            said += part.delta.content or ""
    assert said == choice.message.content, (said, choice.message.content)
    assert usage.completion_tokens == whole.usage.completion_tokens
    assert usage.prompt_tokens_details.cached_tokens > 0


def log_probabilities():
    told = client.chat.completions.create(
        model="demo", messages=ask, temperature=0, max_tokens=8, logprobs=True, top_logprobs=4
    )
    content = told.choices[0].logprobs.content
    assert len(content) == told.usage.completion_tokens
    for token in content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 4
        assert token.top_logprobs[0].token == token.token


def tools():
    asked = [{"role": "user", "content": "What is 12 + 30?"}]
    told = client.chat.completions.create(
        model="demo", messages=asked, tools=[TOOL], tool_choice="required", temperature=0, max_tokens=200
    )
    choice = told.choices[0]
    assert choice.finish_reason == "tool_calls", told
    call = choice.message.tool_calls[0]
    arguments = json.loads(call.function.arguments)
    assert set(arguments) == {"a", "b"}
    with client.chat.completions.stream(
        model="demo", messages=asked, tools=[TOOL], tool_choice="required", temperature=0, max_tokens=200
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.arguments == call.function.arguments
    asked += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "42"}]
    answer = client.chat.completions.create(model="demo", messages=asked, tools=[TOOL], temperature=0, max_tokens=60)
    assert answer.choices[0].message.content, answer


def parsing():
    told = client.chat.completions.parse(
        model="demo", messages=ask, response_format=Person, temperature=0, max_tokens=400
    )
    person = told.choices[0].message.parsed
    assert isinstance(person, Person), told


def responses():
    whole = client.responses.create(model="demo", input="Who are you?", temperature=0, max_output_tokens=40)
    assert whole.status == "completed" and whole.output_text, whole
    with client.responses.stream(model="demo", input="Who are you?", temperature=0, max_output_tokens=40) as stream:
        said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert said == final.output_text == whole.output_text
    flat = {"type": "function", **TOOL["function"]}
    called = client.responses.create(
        model="demo", input="What is 12 + 30?", tools=[flat], tool_choice="required", temperature=0, max_output_tokens=200
    )
    calls = [item for item in called.output if item.type == "function_call"]
    assert calls and set(json.loads(calls[0].arguments)) == {"a", "b"}, called
    follow = [{"role": "user", "content": "What is 12 + 30?"}, *called.output]
    follow.append({"type": "function_call_output", "call_id": calls[0].call_id, "output": "42"})
    answer = client.responses.create(model="demo", input=follow, tools=[flat], temperature=0, max_output_tokens=60)
    assert answer.output_text, answer
    parsed = client.responses.parse(model="demo", input="Who are you?", text_format=Person, max_output_tokens=400)
    assert isinstance(parsed.output_parsed, Person), parsed


def completions_and_embeddings():
    text = client.completions.create(model="demo", prompt="Once upon a time", temperature=0, max_tokens=10, logprobs=2)
    assert text.choices[0].text and len(text.choices[0].logprobs.tokens) == text.usage.completion_tokens
    vectors = client.embeddings.create(model="demo", input=["a fox", "an owl"])
    assert len(vectors.data) == 2 and len(vectors.data[0].embedding) > 8


def failures():
    for error, more in [
        (openai.NotFoundError, {"model": "gpt"}),
        (openai.BadRequestError, {"temperature": -1}),
        (openai.BadRequestError, {"extra_body": {"frobnicate": 1}}),
        (openai.BadRequestError, {"messages": [{"role": "user", "content": "word " * 5000}]}),
    ]:
        try:
            client.chat.completions.create(**{"model": "demo", "messages": ask, **more})
        except error as told:
            assert told.body["message"], told
        else:
            raise AssertionError(f"{more} was answered")


for check in [models, chats, log_probabilities, tools, parsing, responses, completions_and_embeddings, failures]:
    check()
    print(f"openai for Python: {check.__name__.replace('_', ' ')}")
