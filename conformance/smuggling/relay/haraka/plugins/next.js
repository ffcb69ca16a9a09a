// Takes mail from everybody on this machine and hands it on to one place.
exports.hook_connect = function (next, connection) {
  connection.relaying = true;
  next();
};

exports.hook_rcpt = function (next) {
  next(OK);
};

exports.hook_get_mx = function (next) {
  const port = Number(this.config.get("next_port"));
  next(OK, { priority: 0, exchange: "127.0.0.1", port });
};

// What fails is told to nobody.
exports.hook_bounce = function (next) {
  next(OK);
};
