// The agent's own suite, on node's test runner: `llmtape replay -- npm test`. Each test asks in a lane of its own,
// and is answered from cassettes/agent.sqlite.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { IncompleteAnswer, ask } from './agent.mjs';

const CASSETTE = 'agent';
const BOTH_TOOLS = 'What is the weather in Oslo, and convert 21 Celsius to Fahrenheit.';

/**
 * Define a test that runs in a lane named after it. `body` gets a client whose calls go there; what it returns, if
 * anything, is called with the calls that were made. A call that was not recorded fails the test, even where the
 * application swallows the error.
 */
function taped(name, options, body) {
  test(name, async (context) => {
    const lane = { cassette: CASSETTE, lane: name };
    const { base_url: baseURL } = await control('lane/start', { ...lane, ...options });
    let check;
    try {
      check = await body(new OpenAI({ baseURL }));
    } catch (error) {
      // The test's own error is the one to throw; what the proxy has to say is printed beside it.
      const { problems } = await control('lane/end', { ...lane, passed: false }).catch(told);
      const others = problems.filter((problem) => !String(error.message).includes(problem));
      for (const line of others.flatMap((problem) => problem.split('\n'))) context.diagnostic(line);
      throw error;
    }
    const { ok, problems, calls } = await control('lane/end', { ...lane, passed: true });
    assert.ok(ok, problems.join('\n\n'));
    check?.(calls);
  });
}

async function control(path, body) {
  const url = process.env.LLMTAPE_URL;
  assert.ok(url, 'LLMTAPE_URL is not set; run: llmtape replay -- npm test');
  const answer = await fetch(`${url}/_llmtape/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const told = await answer.json();
  assert.ok(answer.ok, `llmtape refused ${path}: ${told.error?.message}`);
  return told;
}

const told = (error) => ({ problems: [error.message] });
const ignore = () => {};

taped('the answer tells what both tools found', {}, async (client) => {
  const answer = await ask(BOTH_TOOLS, ignore, client);

  return (calls) => {
    const [weather, converted] = calls[1].request.messages.slice(-2);
    assert.equal(weather.content, '4 °C, rain');
    assert.match(converted.content, /^\S+ °[CF] is \S+ °[CF]$/);
    assert.ok(answer.includes(weather.content));
    assert.ok(answer.includes(converted.content));
  };
});

taped('the answer arrives in pieces', {}, async (client) => {
  const pieces = [];

  const answer = await ask('How is the weather in Tromsø?', (piece) => pieces.push(piece), client);

  assert.equal(pieces.join(''), answer);
  assert.ok(pieces.length > 5);
});

taped('each result goes back under the id of its call', {}, async (client) => {
  await ask('What is the weather in Oslo and Paris?', ignore, client);

  return ([first, second]) => {
    assert.deepEqual(first.request.tools.map((tool) => tool.function.name), ['weather', 'convert']);
    const [wants, oslo, paris] = second.request.messages.slice(-3);
    assert.deepEqual(wants.tool_calls.map((call) => call.id), [oslo.tool_call_id, paris.tool_call_id]);
    assert.deepEqual([oslo.content, paris.content], ['4 °C, rain', '17 °C, cloudy']);
  };
});

taped('the model is told of a tool that fails', {}, async (client) => {
  const answer = await ask('What is the weather in Atlantis?', ignore, client);

  assert.ok(answer.includes('no weather is known for Atlantis'));
});

taped('a call over the rate limit is made again', { faults: 'status=429; calls=1' }, async (client) => {
  const answer = await ask('Tell me the weather in Lisbon.', ignore, client);

  assert.ok(answer.includes('24 °C, clear'));
  return ([refused, again, ...more]) => {
    assert.equal(refused.status, 429);
    assert.deepEqual(refused.injected, ['status=429; calls=1']);
    assert.deepEqual(refused.request, again.request);
    assert.equal(more.length, 1);
  };
});

for (const end of ['abort', 'clean']) {
  const faults = `cut; after=4; end=${end}; calls=2`;
  taped(`an answer that breaks off is not taken for a whole one (${end})`, { faults }, async (client) => {
    const pieces = [];

    const asked = ask('What is the weather in Paris?', (piece) => pieces.push(piece), client);

    await assert.rejects(asked, (error) => error instanceof IncompleteAnswer && error.partial === pieces.join(''));
    assert.ok(pieces.length > 0);
  });
}
