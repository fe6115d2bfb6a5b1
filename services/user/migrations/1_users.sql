-- +goose Up
-- The users u-1 to u-1000 are computed, so numbers start after them.
CREATE TABLE users (
    number          bigint PRIMARY KEY,
    name            text NOT NULL,
    email           text NOT NULL,
    age             int NOT NULL,
    idempotency_key text,
    request_digest  bytea NOT NULL,
    created         timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE UNIQUE INDEX users_key ON users (idempotency_key);
CREATE SEQUENCE user_numbers START 1001;
