// OpenAI's own client for Node against a server of the demo model.

import assert from "node:assert/strict";
import OpenAI from "openai";

const [url, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Who are you?" }];
const tool = {
  type: "function",
  function: {
    name: "add",
    strict: true,
    parameters: {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "integer" } },
      required: ["a", "b"],
      additionalProperties: false,
    },
  },
};

const checks = {
  async chats() {
    const asked = { model: "demo", messages, temperature: 0, max_tokens: 40 };
    const whole = await client.chat.completions.create(asked);
    assert.equal(whole.choices[0].finish_reason, "stop");
    let said = "";
    const stream = await client.chat.completions.create({ ...asked, stream: true });
    for await (const piece of stream) said += piece.choices[0]?.delta?.content ?? "";
    assert.equal(said, whole.choices[0].message.content);
  },
  async tools() {
    const asked = { model: "demo", temperature: 0, max_tokens: 200, tools: [tool], tool_choice: "required" };
    const told = await client.chat.completions.create({
      ...asked,
      messages: [{ role: "user", content: "What is 12 + 30?" }],
    });
    const call = told.choices[0].message.tool_calls[0];
    assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)).sort(), ["a", "b"]);
  },
  async responses() {
    const asked = { model: "demo", input: "Who are you?", temperature: 0, max_output_tokens: 40 };
    const whole = await client.responses.create(asked);
    let said = "";
    const stream = await client.responses.create({ ...asked, stream: true });
    for await (const event of stream) if (event.type === "response.output_text.delta") said += event.delta;
    assert.equal(said, whole.output_text);
  },
  async aborts() {
    const stream = await client.chat.completions.create({
      model: "demo",
      messages,
      max_tokens: 900,
      ignore_eos: true,
      stream: true,
    });
    for await (const _ of stream) break;
    for (let tries = 0; ; tries++) {
      const health = await (await fetch(`${url}/health`)).json();
      if (health.running === 0) break;
      assert.ok(tries < 100, "the sequence is not freed");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
  async failures() {
    const wrong = client.chat.completions.create({ model: "demo", messages, temperature: -1 });
    await assert.rejects(wrong, (error) => error.status === 400 && error.param === "temperature");
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`openai for Node: ${name}`);
}
