// What a client's own type declarations say of an answer.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
// Where the declarations know less than recorded answers of the real product: it leaves idEnabled out and these two null.
const OTHERWISE = new Set(['idEnabled', 'listviewable', 'lookupLayoutable']);
const PLAIN = new Set(['boolean', 'number', 'string']);

// The members of a type of jsforce, as [name, type] pairs; those of the types that it extends are not among them.
export function members(file, type) {
  const text = readFileSync(join(dirname(require.resolve('jsforce')), 'lib', file), 'utf8');
  const body = text.match(new RegExp(`type ${type} = (?:\\w+ & )?{\\n(.*?)\\n};`, 's'))[1];
  return [...body.matchAll(/^ {4}(\w+): (.*?);?$/gm)].map(([, name, kind]) => [name, kind]);
}

// What of an answer is missing or of another type than declared.
export function differences(answer, file, ...types) {
  return types.flatMap((type) => members(file, type)).flatMap(([name, kind]) => {
    if (OTHERWISE.has(name)) return [];
    if (!(name in answer)) return [`${name} is missing`];
    if (PLAIN.has(kind) && typeof answer[name] !== kind) return [`${name} is ${typeof answer[name]}, not ${kind}`];
    if (kind.endsWith('[]') && !Array.isArray(answer[name])) return [`${name} is no list`];
    return [];
  });
}
