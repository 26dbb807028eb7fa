'use strict';

const escapeHtml = require('escape-html');
const { lookup } = require('mrmime');
const polka = require('polka');

const port = Number(process.env.PORT || 5000);
const app = polka()
  .get('/', (request, response) => {
    response.setHeader('Content-Type', lookup('index.html'));
    response.end('<h1>Hello from Node.js</h1>\n');
  })
  .get('/hello/:name', (request, response) => {
    response.setHeader('Content-Type', lookup('index.html'));
    response.end(`<h1>Hello, ${escapeHtml(decodeURIComponent(request.params.name))}</h1>\n`);
  });

app.listen(port, (error) => {
  if (error) throw error;
  console.log(`listening on port ${port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    console.log('stopping');
    app.server.close(() => process.exit(0));
    app.server.closeAllConnections?.();
  });
}
