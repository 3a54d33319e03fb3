// An agent with two tools, which streams its answer: `node agent.mjs "What is the weather in Oslo?"`.
// It reads what the OpenAI SDK reads (OPENAI_API_KEY, OPENAI_BASE_URL), and nothing else.

import OpenAI from 'openai';

const MODEL = 'gpt-5.4-mini';
const MOST_TURNS = 8;
const SYSTEM = 'You answer questions about the weather. Use the tools, and say only what they told you.';
const SKY = { Lisbon: '24 °C, clear', Oslo: '4 °C, rain', Paris: '17 °C, cloudy', Tromsø: '-9 °C, snow' };

/** The model's answer broke off. `partial` is the text that had arrived, and was shown. */
export class IncompleteAnswer extends Error {
  name = 'IncompleteAnswer';

  constructor(reason, partial, options) {
    super(`the answer is incomplete: ${reason}`, options);
    this.partial = partial;
  }
}

/** Look up the weather of a city; throws where none is known. */
export function weather({ city }) {
  if (!Object.hasOwn(SKY, city)) throw new Error(`no weather is known for ${city}`);
  return SKY[city];
}

/** Convert degrees of the other unit to `unit`, which is celsius or fahrenheit. */
export function convert({ degrees, unit }) {
  return unit === 'fahrenheit'
    ? `${degrees} °C is ${((degrees * 9) / 5 + 32).toFixed(1)} °F`
    : `${degrees} °F is ${(((degrees - 32) * 5) / 9).toFixed(1)} °C`;
}

const TOOLS = new Map(Object.entries({ weather, convert }));
const OFFERED = [
  offer('weather', 'The weather in a city, now.', { city: { type: 'string' } }),
  offer('convert', 'Convert degrees to another unit.', {
    degrees: { type: 'number' },
    unit: { type: 'string', enum: ['celsius', 'fahrenheit'] },
  }),
];

function offer(name, description, properties) {
  const parameters = {
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  };
  return { type: 'function', function: { name, description, parameters, strict: true } };
}

/**
 * Answer a question, calling tools until the model wants none; `show` gets the text piece by piece.
 * Throws IncompleteAnswer where the model's answer breaks off, and the SDK's APIError where none begins.
 */
export async function ask(question, show, client = new OpenAI()) {
  const messages = [
    { role: 'system', content: SYSTEM },
    { role: 'user', content: question },
  ];
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    const { text, calls } = await reply(client, messages, show);
    if (calls.length === 0) return text;
    messages.push({ role: 'assistant', content: text || null, tool_calls: calls });
    for (const call of calls) messages.push({ role: 'tool', tool_call_id: call.id, content: use(call) });
  }
  throw new IncompleteAnswer(`the model still calls tools after ${MOST_TURNS} turns`, '');
}

async function reply(client, messages, show) {
  let text = '';
  let finish = null;
  const calls = [];
  const stream = await client.chat.completions.create({ model: MODEL, messages, tools: OFFERED, stream: true });
  try {
    for await (const chunk of stream) {
      for (const choice of chunk.choices) {
        finish = choice.finish_reason ?? finish;
        if (choice.delta.content) {
          text += choice.delta.content;
          show(choice.delta.content);
        }
        for (const part of choice.delta.tool_calls ?? []) {
          const call = (calls[part.index] ??= { id: '', type: 'function', function: { name: '', arguments: '' } });
          call.id = part.id ?? call.id;
          call.function.name += part.function?.name ?? '';
          call.function.arguments += part.function?.arguments ?? '';
        }
      }
    }
  } catch (error) {
    // The SDK retries a call that fails, but not one whose answer has begun: part of it has been shown.
    throw new IncompleteAnswer(error.message, text, { cause: error });
  }
  if (finish !== 'stop' && finish !== 'tool_calls') {
    throw new IncompleteAnswer(`it ended with finish_reason ${finish}`, text);
  }
  return { text, calls: calls.filter(Boolean) };
}

/** Call a tool. The model is told what went wrong, so that it can do better. */
function use(call) {
  try {
    const tool = TOOLS.get(call.function.name);
    if (!tool) throw new Error(`there is no tool ${call.function.name}`);
    return tool(JSON.parse(call.function.arguments));
  } catch (error) {
    return `error: ${error.message}`;
  }
}

if (process.argv[1] === import.meta.filename) {
  try {
    await ask(process.argv.slice(2).join(' '), (piece) => process.stdout.write(piece));
    console.log();
  } catch (error) {
    console.error(`\n${error.message}`);
    process.exitCode = 1;
  }
}
