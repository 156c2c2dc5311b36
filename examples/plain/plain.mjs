// Watches a dashboard with a WebSocket and nothing else: node --experimental-websocket plain.mjs
// HOST:PORT DASHBOARD (Node 22 and every browser have WebSocket without the flag.)
const [host = '127.0.0.1:8080', dashboard = 'departures'] = process.argv.slice(2);
const socket = new WebSocket(`ws://${host}/dashboard/${dashboard}`);
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.type === 'initial-state') console.log('initial-state', JSON.stringify(message.metrics));
  if (message.type === 'update') console.log('update', message.timestamp, message.metric, message.value, JSON.stringify(message.metadata));
};
socket.onclose = ({ code }) => process.exit(code === 1000 ? 0 : 1);
