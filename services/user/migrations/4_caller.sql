-- +goose Up
-- The verified identity of the caller, to which idempotency_key belongs; empty in plaintext. Rows from before have none.
ALTER TABLE users ADD COLUMN caller text;
DROP INDEX users_key;
CREATE UNIQUE INDEX users_key ON users (idempotency_key, coalesce(caller, ''));
