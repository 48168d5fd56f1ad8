cat > main.mjs <<'E'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { execFileSync, fork, spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { promises as fs } from 'node:fs';
import http from 'node:http';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const self = new URL(import.meta.url).pathname;
if (!isMainThread) {
    let sum = 0;
    for (let i = 0; i < 1e6; i++) sum += i % workerData;
    parentPort.postMessage(sum);
} else if (process.argv[2] === 'child') {
    process.on('message', (text) => process.send(text.toUpperCase(), () => process.exit(3)));
} else {
    const workers = [2, 3, 5, 7].map((workerData) => new Promise((done, failed) =>
        new Worker(self, { workerData }).on('message', done).on('error', failed)));
    console.log('workers', ...await Promise.all(workers));

    await fs.mkdir('a/b', { recursive: true });
    await fs.writeFile('a/b/c', 'x'.repeat(1e6));
    const bytes = await fs.readFile('a/b/c');
    console.log('hash', createHash('sha256').update(bytes).digest('hex'));
    console.log('gzip', (await promisify(zlib.gunzip)(await promisify(zlib.gzip)(bytes))).length);
    console.log('files', await fs.readdir('a', { recursive: true }));
    await fs.rm('a', { recursive: true });

    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    console.log('signed', verify(null, bytes, publicKey, sign(null, bytes, privateKey)));

    const child = fork(self, ['child']);
    child.send('hello');
    console.log('fork', await new Promise((done) => child.on('message', done)),
        await new Promise((done) => child.on('exit', done)));
    console.log('exec', execFileSync('/bin/echo', ['one']).toString().trim());
    const cat = spawn('cat');
    cat.stdin.end('two');
    for await (const piece of cat.stdout) console.log('pipe', piece.toString());

    const server = http.createServer((request, response) => response.end(request.url + '!'));
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const answers = await Promise.all([1, 2, 3].map(async (n) =>
        (await fetch(`http://127.0.0.1:${server.address().port}/${n}`)).text()));
    console.log('http', ...answers);
    server.closeAllConnections();
    server.close();

    const module = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2,
        1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]);
    console.log('wasm', (await WebAssembly.instantiate(module)).instance.exports.add(20, 22));
}
E
node main.mjs
