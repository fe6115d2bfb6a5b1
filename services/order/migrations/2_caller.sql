-- +goose Up
-- The verified identity of the caller, to which idempotency_key belongs together with user_id; empty in plaintext. Rows from before have none.
ALTER TABLE orders ADD COLUMN caller text;
