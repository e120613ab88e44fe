// CAP listens on every address unless it is told otherwise.
const cds = require('@sap/cds');

cds.on('bootstrap', (app) => {
  const listen = app.listen.bind(app);
  app.listen = (port) => listen(port, '127.0.0.1');
});
