// Loaded before a program of Node: requests have the token of the environment.
import http from "node:http";

const authorization = `Bearer ${process.env.TOKEN}`;

const fetch = globalThis.fetch;
globalThis.fetch = (url, options = {}) => {
  const headers = new Headers(options.headers);
  headers.set("authorization", authorization);
  return fetch(url, { ...options, headers });
};

const request = http.request;
http.request = (...args) => {
  const sent = request(...args);
  sent.setHeader("authorization", authorization);
  return sent;
};
