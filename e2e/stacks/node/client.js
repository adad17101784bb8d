// The contract's client with Node's http and a kept connection.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');

const [address, port, file, list, seconds] = process.argv.slice(2);
const base = fs.readFileSync(file);
const operations = fs.readFileSync(list, 'utf8').trim().split('\n').map((line) => line.split(' '));
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function perform(verb, data, seed) {
  return new Promise((resolve, reject) => {
    const post = verb === 'post';
    const options = {
      host: address,
      port,
      agent,
      method: post ? 'POST' : 'GET',
      path: post ? '/hash' : `/bytes/${data.length}?seed=${seed}`,
      headers: post ? { 'Content-Length': data.length } : {},
      timeout: 10000,
    };
    const request = http.request(options, (response) => {
      const parts = [];
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
      response.on('data', (part) => {
        parts.push(part);
        if (verb === 'abort') {
          request.destroy();
          resolve(null);
        }
      });
      response.on('end', () => resolve(Buffer.concat(parts)));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', reject);
    request.end(post ? data : undefined);
  });
}

async function main() {
  const end = Date.now() + Number(seconds) * 1000;
  for (let first = true; first || Date.now() < end; first = false) {
    for (const [verb, size, seed] of operations) {
      if (!first && Date.now() >= end) return;
      const data = base.subarray(Number(seed), Number(seed) + Number(size));
      const start = process.hrtime.bigint();
      try {
        const got = await perform(verb, data, seed);
        const hash = () => Buffer.from(crypto.createHash('sha256').update(data).digest('hex'));
        const expected = verb === 'post' ? hash() : data;
        if (got !== null && !got.equals(expected)) throw new Error(`${got.length} bytes that are not the ${expected.length} expected`);
      } catch (error) {
        fs.writeSync(1, `bad ${error.message}\n`);
        return;
      }
      fs.writeSync(1, `ok ${(Number(process.hrtime.bigint() - start) / 1e6).toFixed(1)}\n`);
    }
  }
}

main().finally(() => agent.destroy());
