// The contract's server with Node's http, and the same over websockets (ws): `server.js ADDRESS PORT BASE`.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const { createRequire } = require('node:module');
const path = require('node:path');

const [address, port, file, modules] = process.argv.slice(2);
const base = fs.readFileSync(file);
const piece = (size, seed) => base.subarray(Number(seed), Number(seed) + Number(size));
const hash = (data) => crypto.createHash('sha256').update(data).digest('hex');

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://stack');
  if (request.method === 'POST') {
    const digest = crypto.createHash('sha256');
    request.on('data', (part) => digest.update(part));
    request.on('end', () => response.end(digest.digest('hex')));
    return;
  }
  const body = piece(url.pathname.split('/').pop(), url.searchParams.get('seed'));
  response.writeHead(200, { 'Content-Length': body.length });
  response.end(body);
});
server.keepAliveTimeout = 60000;

if (modules) {
  const { WebSocketServer } = createRequire(path.join(modules, 'server.js'))('ws');
  const sockets = new WebSocketServer({ server, maxPayload: 16 << 20 });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, binary) => {
      if (binary) {
        socket.send(hash(data));
      } else {
        const [, size, seed] = data.toString().split(' ');
        socket.send(piece(size, seed));
      }
    });
  });
}

server.listen(Number(port), address);
